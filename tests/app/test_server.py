"""The app as a user meets it: served by its command, in a real browser, and under a flood."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from importlib.metadata import packages_distributions
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from browser import errors, needs_browser, resize
from packaging.requirements import Requirement
from refusals import refused
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from titanic_nn.app.space import write_space
from titanic_nn.cli.app import main
from titanic_nn.cli.predict import main as predict
from titanic_nn.competitions.registry import get_competition

pytestmark = pytest.mark.slow
pytest.importorskip("gradio", reason="gradio is not installed: pip install 'titanic_nn[app]'")

REPO = Path(__file__).parents[2]
BUNDLED = get_competition("titanic").search[-1][1]
TEST = BUNDLED / "test.csv"
# What a user's shell may hold, and must not change what the app does.
SHELL = {
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_SHARE": "True",
    "GRADIO_ANALYTICS_ENABLED": "True",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_ROOT_PATH": "/elsewhere",
    "GRADIO_MCP_SERVER": "True",
}
ROW = {
    "Pclass": 1,
    "Name": "Astor, Mrs. <b>J</b>",
    "Sex": "female",
    "Age": 18.5,
    "SibSp": 1,
    "Parch": 0,
    "Ticket": "PC 17757",
    "Fare": 227.525,
    "Cabin": "C62",
    "Embarked": "C",
}
ROW_EVENT, FILE_EVENT = 0, 1


@dataclass(frozen=True)
class Served:
    """An app that runs in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, event: int, values: Any, session: str = "test") -> tuple[int, str]:
        """Press a button, as the page does; returns the status and the answer."""
        question = {"data": values, "fn_index": event, "session_hash": session}
        joined = requests.post(f"{self.url}gradio_api/queue/join", json=question, timeout=30)
        if joined.status_code != 200:
            return joined.status_code, joined.text
        data = f"{self.url}gradio_api/queue/data"
        with requests.get(
            data, params={"session_hash": session}, stream=True, timeout=60
        ) as answers:
            for line in answers.iter_lines():
                message = json.loads(str(line, "utf-8").removeprefix("data:") or "{}")
                if message.get("msg") == "process_completed":
                    assert message["success"]
                    return 200, str(message["output"]["data"][0])
        raise AssertionError("no answer")

    def upload(self, name: Any, content: bytes, session: str = "test") -> tuple[int, str]:
        encoded = base64.b64encode(content).decode()
        upload = {"name": name, "size": len(content), "content": encoded}
        return self.ask(FILE_EVENT, [upload], session)

    def memory(self) -> int:
        """Megabytes, where the system tells."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) // 1024 if found else 0


def start(folder: Path, *command: str, stderr: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {**os.environ, **SHELL, "PYTHONUTF8": "1"}
    if command[0] == "-m":
        environment["PYTHONPATH"] = str(REPO)
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def served(process: subprocess.Popen[str]) -> Served:
    """The app, once it answers."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line + str(process.communicate(timeout=10))
    url = f"{found[0]}/"
    requests.get(url, timeout=60)
    return Served(process, url)


@pytest.fixture(scope="module")
def space(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "written"
    write_space(str(run), "relu", None, folder)
    return folder


@pytest.fixture(scope="module")
def processes(run: Path, space: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """The command, and the app.py that `--space` has written; started together."""
    words = ["-m", "titanic_nn", "app", "mine", "--model", "relu", "--port", "0"]
    with (space / "imports.txt").open("w") as imports:
        both = [
            start(run.parents[1], *words),
            start(space, "-X", "importtime", "app.py", "0", stderr=imports),
        ]
    yield both
    for process in both:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture(scope="module")
def app(processes: list[subprocess.Popen[str]]) -> Served:
    return served(processes[0])


@pytest.fixture(scope="module")
def expected(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """What `titanic-nn predict` says of ROW, and of the test table."""
    folder = tmp_path_factory.mktemp("expected")
    pd.DataFrame([ROW]).to_csv(folder / "row.csv", index=False)
    found = {}
    for name, path in (("row", folder / "row.csv"), ("table", TEST)):
        output = folder / f"{name}_out.csv"
        words = ["--model", "relu", "--input", str(path), "--output", str(output)]
        predict([str(run), *words])
        found[name] = pd.read_csv(output)
    return found


def probabilities(answer: str) -> dict[str, float]:
    """The first table of a row's answer: class -> probability."""
    rows = re.findall(r"<tr.*?>(.*?)</tr>", answer.partition("</table>")[0])
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    return {row[0]: float(row[-1]) for row in cells if row}


def wait(browser: Chrome, selector: str, text: str = "") -> WebElement:
    """The element, once it is seen and holds the text."""

    def found(driver: Chrome) -> WebElement | None:
        every = driver.find_elements(By.CSS_SELECTOR, selector)
        return next((e for e in every if e.is_displayed() and text in e.text), None)

    element = WebDriverWait(browser, 30, ignored_exceptions=[Exception]).until(found)
    assert element
    return element


def press(browser: Chrome, name: str) -> None:
    buttons = browser.find_elements(By.TAG_NAME, "button")
    next(button for button in buttons if button.text == name).click()


@needs_browser
def test_a_person_fills_in_the_form_and_sends_files(
    app: Served,
    browser: Chrome,
    expected: dict[str, pd.DataFrame],
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    resize(browser, 1280)
    browser.get(app.url)
    before = wait(browser, "#row_answer .verdict").text
    assert before.startswith("Most probable:")
    every = browser.find_elements(By.CSS_SELECTOR, "input, textarea")
    fields = [field for field in every if field.is_displayed()]
    for field, (column, value) in zip(fields, ROW.items(), strict=True):
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(str(value), Keys.ENTER if column in ("Sex", "Embarked") else Keys.TAB)
    press(browser, "Predict")
    survived = float(expected["row"]["probability"].iloc[0])
    wait(browser, "#row_answer table", f"{survived:.6f}")
    answer = browser.find_element(By.ID, "row_answer")
    assert abs(probabilities(answer.get_attribute("innerHTML") or "")["survived"] - survived) < 1e-6
    assert {"Why: the log-odds of survived", "What this assumes"} <= set(answer.text.splitlines())
    assert answer.find_elements(By.TAG_NAME, "svg")

    press(browser, "A CSV file")
    wait(browser, "#table_file").send_keys(str(TEST))
    press(browser, "Predict the file")
    text = wait(browser, "#table_answer", "418 passengers predicted").text
    first = expected["table"].iloc[0]
    assert f"{first['PassengerId']:.0f} {first['probability']:.6f} {first['Survived']:.0f}" in text

    bad = tmp_path / "bad.csv"
    hostile = "${document.title=7}<img src>"  # is shown as it is
    bad.write_text(TEST.read_text(encoding="utf-8").replace("female", hostile, 1))
    browser.find_element(By.ID, "table_file").send_keys(str(bad))
    press(browser, "Predict the file")
    complaint = wait(browser, "#table_answer .complaint").text
    refused(predict, [str(run), "--input", str(bad)], complaint.removeprefix("bad.csv"), capsys)
    assert complaint.startswith(f"bad.csv, line 2, column Sex: '{hostile}' is not accepted")
    assert browser.title == "Titanic: relu"

    for width in (1280, 390):
        resize(browser, width)
        root = "document.documentElement"
        assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    hosts = {urlsplit(name).netloc for name in browser.execute_script(asked)}
    assert hosts == {urlsplit(app.url).netloc}
    assert errors(browser) == []  # a request that the page's policy stops would be one


def test_the_same_as_predict_for_every_row_of_a_file(
    app: Served, expected: dict[str, pd.DataFrame]
) -> None:
    status, answer = app.upload("people.csv", TEST.read_bytes())
    assert status == 200
    (encoded,) = re.findall(r'href="data:text/csv;base64,([^"]+)"', answer)
    assert base64.b64decode(encoded).decode() == expected["table"].to_csv(index=False)


def table(rows: int, **other: object) -> bytes:
    return pd.DataFrame([{**ROW, **other}] * rows).to_csv(index=False).encode()


FILES = {
    "wrong.csv": (b"a,b\n1,2\n", "wrong.csv, line 1: the column Pclass is missing"),
    "empty.csv": (b"", "empty.csv: is empty"),
    "binary.bin": (os.urandom(20) + b"\0" * 1000, "binary.bin, line "),
    "bomb.zip": (b"PK\x03\x04" + b"\0" * 10_000, "bomb.zip, line 1: "),
    "../../etc/passwd": (b"a\n", "passwd, line 1: "),
    "C:\\Users\\me\\x.csv": (b"a\n", "x.csv, line 1: "),
    "nan.csv": (table(1, Age="inf"), "nan.csv, line 2, column Age: 'inf'"),
    "<img src=x onerror=alert(1)>.csv": (b"a\n", "<img src=x onerror=alert(1)>.csv, line 1"),
    "\u202e\x1b[2J.csv": (b"a\n", r"\u202e\x1b[2J.csv, line 1"),
    "hostile.csv": (table(1, Sex="<script>"), "'<script>' is not accepted"),
    "wide.csv": (b",".join(b"%d" % i for i in range(1001)), "wide.csv: has more than 1000 columns"),
    "long.csv": (table(10_001), "long.csv: has more than 10000 rows"),
    "huge.csv": (b"x" * (2 * 2**20 + 1), "huge.csv: has 2097153 bytes, more than the 2097152"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_in_one_line(app: Served, name: str) -> None:
    content, line = FILES[name]
    status, answer = app.upload(name, content)
    assert status == 200
    (said,) = re.findall(r'<p class="complaint" role="alert">(.*?)</p>', answer)
    assert unescape(said).startswith(line) or line in unescape(said)
    assert "<script" not in answer
    assert "<img" not in answer


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("Pclass", None, "column Pclass: the value is missing; expected 1, 2 or 3"),
        ("Age", "NaN!", "column Age: 'NaN!' is not accepted; expected years from 0 to 120"),
        ("Age", 1e308, "column Age: '1e+308' is not accepted"),
        ("Sex", "<script>", "column Sex: '<script>' is not accepted; expected male or female"),
        ("Name", {"path": "/etc/passwd"}, "column Name: is no text and no number"),
        ("Name", "\ud800" * 2000, "column Name: "),
    ],
)
def test_a_bad_value_is_refused_in_one_line(
    app: Served, column: str, value: Any, line: str
) -> None:
    status, answer = app.ask(ROW_EVENT, list({**ROW, column: value}.values()))
    assert status == 200
    (said,) = re.findall(r'<p class="complaint" role="alert">(.*?)</p>', answer)
    assert unescape(said).startswith(line)


@pytest.mark.parametrize(
    "path",
    [
        "config",
        "gradio_api/info",
        "gradio_api/openapi.json",
        "docs",
        "openapi.json",
        "monitoring",
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=runs/mine/summary.json",
        "gradio_api/app_id",
        "gradio_api/runs",
        "gradio_api/mcp/",
        "assets/../../../etc/passwd",
        "static/%2e%2e/%2e%2e/gradio_api/info",
    ],
)
def test_what_the_page_does_not_need_is_closed(app: Served, path: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = requests.request(method, app.url + path, timeout=10)
        assert (answer.status_code, answer.json()) == (404, {"detail": "there is nothing here"})


def test_only_this_machine_s_user_reaches_it(app: Served) -> None:
    port = urlsplit(app.url).port
    assert port
    with socket.socket() as other:
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", port))  # an error's number
    # A page of another site that has its name lead here.
    answer = requests.get(app.url, headers={"Host": f"attacker.example:{port}"}, timeout=10)
    assert answer.status_code == 403
    page = requests.get(app.url, timeout=10)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    uploads = f"{app.url}gradio_api/upload"
    assert requests.post(uploads, files={"files": b"x"}, timeout=10).status_code == 404


def test_a_flood_leaves_it_alive_and_shows_no_path(
    app: Served, run: Path, expected: dict[str, pd.DataFrame]
) -> None:
    join = f"{app.url}gradio_api/queue/join"
    good = list(ROW.values())
    before = app.memory()
    files = cycle(FILES.items())

    def request(number: int) -> tuple[int, str]:
        session = f"flood{number}"
        match number % 5:
            case 0:
                return app.ask(ROW_EVENT, good, session)
            case 1 | 2:
                name, (content, _) = next(islice(files, number % 12, None))
                return app.upload(name, content, session)
            case 3:  # an answer that nobody fetches
                question: Any = {"data": good, "fn_index": ROW_EVENT, "session_hash": session}
                answer = requests.post(join, json=question, timeout=60)
            case _:
                bodies = (b"x" * 2**22, b"{", b"[]", b'{"data": [1], "fn_index": 7}', b"[" * 10**5)
                answer = requests.post(join, data=bodies[number % len(bodies)], timeout=60)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(request, range(200)))
    assert {status for status, _ in answers} <= {200, 400, 413, 503}
    assert sum(status == 200 for status, _ in answers) > 20
    assert app.memory() - before < 300

    _, answer = app.ask(ROW_EVENT, good, "after")
    survived = float(expected["row"]["probability"].iloc[0])
    assert abs(probabilities(answer)["survived"] - survived) < 1e-6
    texts = [text for _, text in answers]
    texts += [requests.get(app.url + path, timeout=10).text for path in ("", "nowhere")]
    private = [run.parents[1], Path.home(), REPO, Path(sys.prefix), Path(tempfile.gettempdir())]
    for path in private:
        assert not [text for text in texts if f"{path}{os.sep}" in text]
    assert not [text for text in texts if "Traceback" in text or "site-packages" in text]


def test_the_written_space_answers(
    processes: list[subprocess.Popen[str]], space: Path, expected: dict[str, pd.DataFrame]
) -> None:
    app = served(processes[1])
    status, answer = app.ask(ROW_EVENT, list(ROW.values()))
    assert status == 200
    survived = float(expected["row"]["probability"].iloc[0])
    assert abs(probabilities(answer)["survived"] - survived) < 1e-6
    assert "Why: the log-odds of survived" in answer

    imports = (space / "imports.txt").read_text()
    modules = set(re.findall(r"\| +([\w]+)", imports))
    distributions = packages_distributions()
    imported = {name.lower() for module in modules for name in distributions.get(module, [])}
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    direct = [*project["dependencies"], *project["optional-dependencies"]["app"]]
    ours = {Requirement(text).name.lower() for text in direct}
    lines = (space / "requirements.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert (imported & ours) - {"fastapi", "uvicorn", "rich", "six"} == pinned  # brought by others


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_ctrl_c_ends_it_with_one_line_and_it_has_said_nothing_else(app: Served) -> None:
    app.process.send_signal(signal.SIGINT)
    out, err = app.process.communicate(timeout=15)
    assert (app.process.returncode, out) == (130, "")
    assert err == "interrupted: the app has ended\n"


def test_a_port_in_use(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = f"error: --port {port}: is in use; choose another one"
        refused(main, [str(run), "--port", str(port)], line, capsys)
