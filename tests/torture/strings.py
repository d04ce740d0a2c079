"""Hostile text in every field: nothing that a terminal or a browser would obey may come out."""

import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from torture.attack import QUICK, Attack, fault, run
from torture.forked import DATA, call, quick_run

# What is tried -> the text.
TEXTS = {
    "markup": "[/x][bold red]:smile:[link=https://example.org]x",
    "colour": "\x1b[97;45mx\x1b[0m",
    "title": "\x1b]0;owned\x07x\x1b\\",
    "C1": "\x9b97;45mx\x9d0;owned\x9c",
    "overwritten": "good\rbad\b\b\bsad\x7f",
    "lines": "x\nerror: a forged line\n\x0b\x0c\x85\u2028\u2029x",
    "bidi": "\u202eoof\u2066\u2069\u200f",
    "invisible": "a\u200bb\u200d\u2060\ufeff\u00ad",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'",
    "formula": "=cmd|' /C calc'!A0",
    "mathtext": r"$\frac$ $$ \$ $x",
    "percent": "%(default)s %s {0} {self.__class__}",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f6a2",
    "surrogate": "x\udcff\udc80",
    "path": "../../etc/passwd",
    "long": "x" * 5000,
}
ALL = "".join(text for name, text in TEXTS.items() if name not in ("long", "path", "surrogate"))
NAME = ALL.replace("/", "") + "\udcff"  # of a file, in as many bytes as a system allows
NAME = os.fsdecode(os.fsencode(NAME)[:200].decode(errors="ignore").encode()) + "\udcff"
TEXT_COLUMNS = ("Name", "Ticket", "Cabin", "Embarked", "Sex")
NUMBER_COLUMNS = ("PassengerId", "Pclass", "Age", "SibSp", "Parch", "Fare")
# A terminal's codes that rich writes, beside colours of text.
RICH = re.compile(r"\x1b\[(?!97;45m)[0-9;?]*[A-Za-z]")


def unprintable(text: str, *, terminal: bool = False) -> str:
    """What came out raw; "" if nothing did."""
    if terminal:
        text = RICH.sub("", text).replace("\r", "")
    raw = {c for c in text if not c.isprintable() and c != "\n" and not c.isspace()}
    raw |= set(text) & set("\r\x0b\x0c\x85\u2028\u2029\t")
    return f"raw in what was printed: {sorted(map(ascii, raw))}" if raw else ""


def harmed(done: "subprocess.CompletedProcess[str]", codes: tuple[int, ...] = (0, 2)) -> str:
    """What is wrong with a command's end or with what it has printed."""
    return fault(done, codes) or unprintable(done.stdout) or unprintable(done.stderr)


def write_table(folder: Path, rows: list[dict[str, str]], name: str) -> Path:
    """A CSV file with these rows."""
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def read_table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predicted(columns: Mapping[str, str], folder: Path) -> str:
    """Predict a table with hostile cells in a column, or with another column's name."""
    quick_run(folder)
    rows = read_table("test.csv")[: len(TEXTS)]
    for row, text in zip(rows, TEXTS.values(), strict=True):
        for column, name in columns.items():
            row.pop(column, None)
            row[name] = text.encode(errors="ignore").decode()
    table = write_table(folder, rows, "in.csv")
    return harmed(call(folder, "predict", "--input", table, "--output", "out.csv"))


def trained(folder: Path) -> str:
    """Train on a table of hostile names, then ask everything about the run."""
    tables = folder / "tables"
    for name in ("train.csv", "test.csv"):
        rows = read_table(name)
        for i, row in enumerate(rows):
            text = list(TEXTS.values())[i % len(TEXTS)].encode(errors="ignore").decode()
            row["Name"] = f"{text}, Mr. {text}"[:1000]  # a longer one is refused
        write_table(tables, rows, name)
    done = call(folder, "train", "--data", tables, "--out", "runs/x", *QUICK)
    if wrong := fault(done, (0,)):
        return wrong
    for words in (["misclassified", "--top", "40"], ["report"], ["importance", "x"]):
        if wrong := harmed(call(folder, *words), (0,)):
            return f"{words[0]}: {wrong}"
    cells = (folder / "runs/x/misclassified.csv").read_text()
    if re.search(r"""(^|[,"])[=+@]""", cells, re.MULTILINE):
        return "misclassified.csv holds a formula"
    return page_harmed(folder / "runs/x/report.html")


def page_harmed(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if re.search(r"<script|<img|onerror=(?!alert\(1\)&gt;)", text):
        return "the page holds markup of the text's"
    return unprintable(text)


def misclassified_on_terminal(folder: Path) -> str:
    """The same names on a terminal."""
    names = quick_run(folder) / "misclassified.csv"
    if wrong := fault(call(folder, "misclassified", stdout="terminal 80"), (0,)):
        return wrong
    return unprintable(names.read_text())


def asked(words: list[str], folder: Path, *, env: Mapping[str, str] | None = None) -> str:
    """Give a command hostile words."""
    quick_run(folder)
    return harmed(call(folder, *words, env=env))


def newcomer(words: list[str], folder: Path, *, env: Mapping[str, str]) -> str:
    """Call Kaggle without credentials, for which there are three lines of help."""
    done = call(folder, *words, env=env)
    if done.returncode != 2 or len(done.stderr.splitlines()) != 4:
        return f"exit code {done.returncode}: {done.stderr}"
    return unprintable(done.stdout + done.stderr)


def typed(words: list[str], folder: Path) -> str:
    """The same in a process of its own, as a user types it."""
    return harmed(run(folder, *words))


def on_terminal(words: list[str], folder: Path) -> str:
    """The same on a terminal."""
    quick_run(folder)
    done = call(folder, *words, stdout="terminal 80", stderr="terminal 80")
    if done.returncode not in (0, 2) or "Traceback" in done.stderr:
        return f"exit code {done.returncode}: {done.stderr[-300:]}"
    texts = (done.stdout, done.stderr)
    return "".join(unprintable(text, terminal=True) for text in texts)


def contents(text: str, words: list[str], folder: Path) -> str:
    """Give a command a file of these contents, `file`."""
    quick_run(folder)
    (folder / "file").write_bytes(text.encode(errors="surrogateescape"))
    return harmed(call(folder, *words))


def forged(name: str, change: Callable[[str], str], folder: Path) -> str:
    """Change a file of a run, and ask everything about it."""
    path = quick_run(folder) / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = {p for p in folder.rglob("*") if p.is_file()}
    for words in (
        ["report"],
        ["diagnose"],
        ["misclassified"],
        ["submit", "--dry-run"],
        ["inspect"],
    ):
        done = call(folder, *words)
        lines = "" if words[0] == "submit" and done.returncode == 2 else fault(done, (0, 2))
        if wrong := lines or unprintable(done.stdout + done.stderr):
            return f"{words[0]}: {wrong}"
    made = {p for p in folder.rglob("*") if p.is_file()} - before
    if strays := [p for p in made if p.parent.name not in ("quick", "submissions")]:
        return f"written elsewhere: {strays[0]}"
    page = path.parent / "report.html"
    return page_harmed(page) if page.exists() else ""


def renamed(words: list[str], folder: Path) -> str:
    """Give a run a hostile name."""
    path = quick_run(folder)
    path.rename(path.with_name(NAME))
    shutil.rmtree(folder / "submissions")
    done = call(folder, *words)
    # Only `submit` says more than a line: that the bundled table is not Kaggle's.
    wrong = (
        fault(done, (0, 2)) if words[0] != "submit" else fault(done, (0, 2)).replace(" lines", "")
    )
    return wrong or unprintable(done.stdout + done.stderr)


def escaped_json(old: str) -> Callable[[str], str]:
    """Puts hostile text in the place of a JSON string."""
    return lambda text: text.replace(json.dumps(old), json.dumps(ALL + "\udcff"))


def attacks() -> list[Attack]:
    """Columns, options, files, variables, forged runs, names of runs."""
    in_csv = '"' + ALL.encode(errors="ignore").decode().replace('"', '""') + '"'
    found: dict[str, Callable[[Path], str]] = {"a trained table's names": trained}
    for column in (*TEXT_COLUMNS, *NUMBER_COLUMNS):
        found[f"a table's column {column}"] = partial(predicted, {column: column})
    found["the name of a column too many"] = partial(predicted, {"more": ALL})
    found["the name of a column"] = partial(predicted, {"Name": ALL})

    tune = ["tune", "--model", "linear", "--trials", "2", "--batch", "2", "--folds", "2"]
    for name in ("markup", "title", "lines", "surrogate"):
        study = TEXTS[name].replace("/", "")
        words = [*tune, "--repeats", "1", "--data", str(DATA), "--study", study]
        found[f"--study: {name}"] = partial(asked, words)
    found["--out"] = partial(asked, ["train", "--out", NAME, "--data", str(DATA), *QUICK[:-1]])
    found["--out of 5,000 letters"] = partial(asked, ["train", "--out", TEXTS["long"], *QUICK])
    found["RUN"] = partial(typed, ["report", ALL])
    found["RUN of 5,000 letters"] = partial(asked, ["diagnose", TEXTS["long"]])
    found["an unknown option"] = partial(typed, ["train", f"--{ALL}"])
    found["an unknown command"] = partial(typed, [ALL])
    found["a command on a terminal"] = partial(on_terminal, ["misclassified", ALL])
    for words in (
        ["predict", "--input", str(DATA / "test.csv"), "--model", ALL],
        ["predict", "--input", NAME],
        ["train", "--competition", ALL],
        ["train", "--models", ALL],
        ["train", "--device", ALL],
        ["train", "--data", NAME],
        ["train", "--config", NAME],
        ["inspect", "quick", ALL.replace(".", "")],
        ["export", "--onnx", NAME],
        ["submit", "--file", NAME],
        ["submit", "--dry-run", "--competition", ALL],
        ["tune", "--model", "linear", "--trials", "2", "--storage", ALL],
    ):
        found[f"{words[0]} {words[-2]}"] = partial(asked, words)

    toml = json.dumps(ALL.replace(TEXTS["emoji"], ""))  # TOML knows no pairs of surrogates
    for name, text in {
        "a setting's name": f"{toml} = 1",
        "a setting's value": f"device = {toml}",
        "a net's name": f"models = [{toml}]",
        "no TOML": ALL,
        "no UTF-8": "folds = '\udcff'",
        "a NUL": 'competition = "\\u0000"',
    }.items():
        words = ["train", "--config", "file", "--data", str(DATA), *QUICK]
        found[f"settings: {name}"] = partial(contents, text, words)

    poor = {"KAGGLE_CONFIG_DIR": NAME, "HOME": "/nowhere"}
    found["environment: KAGGLE_CONFIG_DIR"] = partial(newcomer, ["download"], env=poor)
    for name, env in {
        "COLUMNS": {"COLUMNS": ALL, "LINES": ALL},
        "TERM": {"TERM": ALL, "COLORTERM": ALL, "FORCE_COLOR": ""},
        "credentials": {"KAGGLE_USERNAME": ALL, "KAGGLE_KEY": ALL, "HOME": "/nowhere"},
        "waiting": {"TITANIC_NN_CALL_TIMEOUT": ALL, "TITANIC_NN_PAUSE": ALL},
    }.items():
        words = ["download"] if name != "COLUMNS" and name != "TERM" else ["diagnose"]
        found[f"environment: {name}"] = partial(asked, words, env=env)

    found["a run's models"] = partial(forged, "summary.json", escaped_json("linear"))
    found["a model's name as a path"] = partial(
        forged, "summary.json", lambda text: text.replace('"linear"', '"../../../stray"')
    )
    found["a run's tables"] = partial(forged, "environment.json", escaped_json("given"))
    found["a run's platform"] = partial(
        forged,
        "environment.json",
        lambda text: text.replace('"platform": ', f'"platform": {toml}, "x": '),
    )
    for name in ("metrics.csv", "history.csv"):
        found[f"the models in {name}"] = partial(
            forged, name, lambda text: text.replace("linear", in_csv)
        )
    found["a run's settings"] = partial(forged, "settings.toml", lambda text: f"# {ALL}\n{text}")
    for words in (["report"], ["diagnose"], ["misclassified"], ["submit", "--dry-run"]):
        found[f"a run's name: {words[0]}"] = partial(renamed, words)
    return [Attack(name, attempt) for name, attempt in found.items()]
