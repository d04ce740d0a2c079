"""Every command on a real terminal of 80 columns: no word is broken, and none is lost.

The same output shows whether the samples in the documentation are still what is printed.
"""

import json
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import STDOUT, Popen

import pytest

termios = pytest.importorskip("termios")  # no such terminals on Windows

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
COLUMNS = 80
QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1"]
NAME = "a_run_whose_name_is_rather_long_but_is_one_word"
RUN = f"runs/{NAME}"
# Nets that train at once, and their search spaces.
SETTINGS = """
[linear]
epochs = 4
[relu]
epochs = 4
[deep]
epochs = 4
"""
TUNE = ["--model", "linear", *QUICK, "--space", "settings.toml", "--study"]
COMMANDS = (
    ["train", *QUICK, "--inner-folds", "2", "--config", "settings.toml", "--out", RUN],
    ["diagnose", RUN],
    ["misclassified", RUN],
    [
        "learning_curve",
        RUN,
        "--train-fractions",
        "0.4",
        "0.6",
        "0.8",
        "1",
        *QUICK[2:4],
        "--models",
        "linear",
    ],
    ["ablation", RUN, "--models", "relu"],
    ["importance", RUN, "--permutations", "1"],
    ["lr_find", RUN, "--models", "linear", "--epochs", "1"],
    ["explore", "--out", "first_look"],
    ["describe", str(REPO / "data/bundled/train.csv")],
    ["describe", str(REPO / "data/bundled/train.csv"), "--target", "Fare"],
    ["tune", *TUNE, NAME, "--trials", "6"],
    ["tune", "--timeout", "0.001", *TUNE, "stopped"],
    ["tune", "--nested", *TUNE, "nested", "--trials", "2"],
    ["explain", RUN, "--model", "linear", "--id", "320"],
    ["explain", RUN, "--model", "linear"],
    ["dependence", RUN, "title", "--model", "ensemble"],
    ["inspect", RUN, "relu"],
    ["submit", "--dry-run", RUN],
    ["submit", "--dry-run", "--file", "settings.toml", "--competition", "nowhere"],
    ["export", RUN, "--onnx", "settings.toml"],
    ["spreadsheet", RUN, "--out", f"{NAME}.xlsx"],
    ["predict", "--input", "settings.toml", RUN],
    ["train", "--out", RUN],
    ["train", "--models", "linear", "an_unknown_net", "--quiet"],
    ["train", "--seed", "a_seed_that_is_no_number", "--no-such-option"],
    ["--help"],
    ["no_such_command"],
    ["xyzzy"],
    ["train", "--help"],
)
# Runs each command, and says which.
SCRIPT = """
import contextlib, json, sys
from titanic_nn.__main__ import main
for number, command in enumerate(json.loads(sys.argv[1])):
    print(f"COMMAND {number}", flush=True)
    sys.argv = ["titanic-nn", *command]
    with contextlib.suppress(SystemExit):
        main()
    sys.stdout.flush()
"""
# Where a line may be wider than the terminal: one word, or a command to copy.
WIDE = re.compile(r"\s*\S+|(Next|No trial is complete\. Next, with more time): .*titanic_nn.*")


@dataclass(frozen=True)
class Printed:
    """What each command prints, and the folder that it ran in."""

    folder: Path
    plain: list[str]
    terminal: list[str]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """What the commands print into a file, and what they print on a terminal."""
    users = tmp_path_factory.mktemp("users")
    for name in ("file", "terminal"):
        (users / name).mkdir()
        (users / name / "settings.toml").write_text(SETTINGS)
    command = [sys.executable, "-c", SCRIPT, json.dumps(COMMANDS)]
    # A dumb terminal: neither colours nor bars that are drawn again and again.
    environment = {**os.environ, "TERM": "dumb", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    for name in ("COLUMNS", "FORCE_COLOR"):
        environment.pop(name, None)
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (40, COLUMNS))
    file = (users / "plain.txt").open("wb")
    with (
        file,
        Popen(
            command, cwd=users / "file", env=environment, stdin=its, stdout=file, stderr=STDOUT
        ) as plain,
        Popen(
            command, cwd=users / "terminal", env=environment, stdin=its, stdout=its, stderr=its
        ) as terminal,
    ):
        os.close(its)
        parts = []
        with suppress(OSError):  # the other end was closed
            while part := os.read(ours, 2**16):
                parts.append(part)
    os.close(ours)
    assert (plain.returncode, terminal.returncode) == (0, 0)

    def of_commands(text: str) -> list[str]:
        return re.split(r"COMMAND \d+\n", text)[1:]

    return Printed(
        users / "file",
        of_commands((users / "plain.txt").read_text(encoding="utf-8")),
        of_commands(b"".join(parts).decode().replace("\r\n", "\n")),
    )


def words(text: str) -> set[str]:
    """The words, without those of a table's lines; times differ, and so does a wide table."""
    found = {word.strip(":") for word in re.sub(r"[─━]+", " ", text).split()}
    return {word for word in found if re.search("[A-Za-z]{2}", word)}


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=lambda i: " ".join(COMMANDS[i][:2]))
def test_no_word_is_broken_or_lost(number: int, printed: Printed) -> None:
    plain, terminal = printed.plain[number], printed.terminal[number]
    assert "Traceback" not in plain + terminal
    assert words(terminal) == words(plain)
    wide = [line for line in terminal.splitlines() if len(line.rstrip()) > COLUMNS]
    assert not [line for line in wide if not WIDE.fullmatch(line)]


def skeleton(text: str) -> str:
    """Text with its numbers as N, its models as M, and its lines as one."""
    text = re.sub(r"\b(linear|relu|deep|ensemble|sex_rule|\w+_(regression|boosting))\b", "M", text)
    return " ".join(re.sub(r"[-+]?\d[\d.,]*\d|[-+]?\d", "N", text).split())


# Of each page, the parts of its samples that hold a table.
SAMPLES = [
    pytest.param(part, id=path.name)
    for path in PAGES
    for sample in re.findall(r"```text\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    for part in sample.split("\n\n")
    if "───" in part
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_tables_in_the_docs_are_those_that_are_printed(sample: str, printed: Printed) -> None:
    output = skeleton("\n".join(printed.plain))
    for line in sample.splitlines():
        words = skeleton(re.sub("─+", "", line))
        if words.count("N") <= 1:  # a title, a header, a line of a caption: no row
            assert words in output


NAMED = {
    name
    for path in PAGES
    for row in re.findall(r"^\|.*\|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    for name in re.findall(r"`([\w/<>-]+\.(?:csv|json|toml|html|png|log))`", row)
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_files_in_the_docs_are_written(name: str, printed: Printed) -> None:
    pattern = re.sub("<.*?>", "*", name)
    assert list(printed.folder.rglob(pattern))
