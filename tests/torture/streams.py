"""Streams that are closed, full or without a reader, terminals of any width, poor locales, FIFOs.

Whatever happens to a stream: what a command is to write to files is there, and whole.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from torture.attack import QUICK, Attack, command, environment, fault
from torture.forked import DATA, TIMEOUT, call, quick_run

Words = Sequence[str | Path]

_TUNE = ("--model", "linear", "--trials", "2", "--batch", "2", "--folds", "2", "--repeats", "1")
TUNE = (*_TUNE, "--data", str(DATA), "--study", "s")
# Command -> its words and the file that it writes, on a copy of a quick run.
WORK: dict[str, tuple[Words, str]] = {
    "train": (["--data", DATA, "--out", "runs/new", *QUICK[:-1]], "runs/new/report.html"),
    "report": ([], "runs/quick/report.html"),
    "inspect": ([], ""),
    "learning_curve": (
        ["quick", "--train-fractions", "0.4", "0.6", "0.8", "1"],
        "runs/quick/learning_curve.csv",
    ),
    "tune": (TUNE, "runs/studies/s-linear/best.toml"),
    "diagnose": ([], ""),
    "importance": (["quick", "--permutations", "1"], "runs/quick/importance.csv"),
    "ablation": (["quick", "--models", "linear"], "runs/quick/ablation.csv"),
    "misclassified": ([], "runs/quick/misclassified.csv"),
    "export": (["--onnx", "out.onnx"], "out.onnx"),
}
WRONG = ("closed", "full", "broken")  # streams
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What makes Python use ASCII, and what it takes for UTF-8 otherwise.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def without(stdout: str, name: str, folder: Path) -> str:
    """A command whose stdout takes nothing."""
    words, made = WORK[name]
    quick_run(folder)
    (folder / made).unlink(missing_ok=True) if made else None
    done = call(folder, name, *words, stdout=stdout)
    lines = done.stderr.splitlines()
    if wrong := fault(done, (1,)) if stdout != "broken" else "Traceback" in done.stderr:
        return str(wrong)
    if stdout == "broken" and (done.returncode, lines) != (1, []):
        return f"not quiet: exit code {done.returncode}, {done.stderr}"
    return written(folder, made)


def written(folder: Path, made: str) -> str:
    """What is missing, or left behind."""
    if made and not (folder / made).exists():
        return f"{made} was not written"
    hidden = [p for p in folder.rglob(".*") if p.is_dir()]
    return f"left behind: {hidden[0]}" if hidden else ""


def without_stderr(name: str, stderr: str, folder: Path) -> str:
    """A command whose stderr takes nothing; its result is the same."""
    words, made = WORK[name]
    quick_run(folder)
    done = call(folder, name, *words, stderr=stderr)
    return fault(done, (0,)) or written(folder, made)


def table_lost(stdout: str, folder: Path) -> str:
    """`predict` to a stdout that takes nothing."""
    quick_run(folder)
    done = call(folder, "predict", "--input", DATA / "test.csv", stdout=stdout)
    return (
        fault(done, (1,)) if stdout != "broken" else "" if done.returncode == 1 else "exit code 0"
    )


def refused(words: Words, streams: Mapping[str, str], folder: Path) -> str:
    """A mistake, with streams that take nothing: the exit code still says so."""
    done = call(folder, *words, **streams)  # type: ignore[arg-type]
    return "" if done.returncode == 2 else f"exit code {done.returncode}"


def narrow(columns: int, words: Words, folder: Path) -> str:
    """A terminal so narrow that no table fits: every number is there all the same."""
    quick_run(folder)
    shown = call(folder, *words, stdout=f"terminal {columns}")
    wide = call(folder, *words)
    if wrong := fault(shown, (0,)) or fault(wide, (0,)):
        return wrong
    text = "".join(ANSI.sub("", shown.stdout).split())
    if "…" in text.replace("…", "", wide.stdout.count("…")):
        return "cells were cut"
    numbers = re.findall(r"\d+\.\d+", wide.stdout)
    lost = [number for number in numbers if number not in text]
    return f"not shown: {lost[0]}" if lost else ""


def shell(line: str, code: int, made: str, folder: Path, *, env: Mapping[str, str] = {}) -> str:
    """A line as a user types it into a shell; TITANIC stands for the package's command."""
    quick_run(folder)
    line = line.replace("TITANIC", " ".join(command())).replace("DATA", str(DATA))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=TIMEOUT,
        check=False,
    )
    if "Traceback" in done.stderr or "Exception ignored" in done.stderr:
        return f"traceback: {done.stderr.splitlines()[-1]}"
    if done.returncode != code or len(done.stderr.splitlines()) > 1:
        return f"exit code {done.returncode}: {done.stderr}"
    return written(folder, made)


def foreign_bytes(words: Words, made: bytes, folder: Path) -> str:
    """Paths that are not UTF-8."""
    quick_run(folder).rename(folder / "runs" / os.fsdecode(b"r\xff"))
    shutil.copytree(DATA, folder / os.fsdecode(b"d\xe9"))
    done = call(folder, *words)
    return fault(done, (0,)) or written(folder, os.fsdecode(made))


def through_fifo(words: Words, content: bytes, codes: tuple[int, ...], folder: Path) -> str:
    """A FIFO as a file, as a shell's `<(…)` gives it."""
    quick_run(folder)
    os.mkfifo(folder / "fifo")
    fed = threading.Thread(target=_feed, args=(folder / "fifo", content), daemon=True)
    fed.start()
    return fault(call(folder, *words), codes)


def _feed(fifo: Path, content: bytes) -> None:
    with suppress(BrokenPipeError), open(fifo, "wb") as file:
        file.write(content)


def json_alone(folder: Path) -> str:
    """`--json` with a stderr that takes nothing: stdout is one JSON object."""
    quick_run(folder)
    words, _ = WORK["importance"]
    done = call(folder, "importance", *words, "--json", stderr="full")
    json.loads(done.stdout)
    return fault(done, (0,))


def attacks() -> list[Attack]:
    """Each command with each stream, terminals, locales, paths, FIFOs."""
    found: dict[str, Callable[[Path], str]] = {}
    for i, name in enumerate(WORK):
        found[f"{name}, stdout {WRONG[i % 3]}"] = partial(without, WRONG[i % 3], name)
    for name, stderr in (("train", "closed"), ("tune", "full"), ("report", "broken")):
        found[f"{name}, stderr {stderr}"] = partial(without_stderr, name, stderr)
    for stdout in WRONG:
        found[f"predict's table, stdout {stdout}"] = partial(table_lost, stdout)
    for stream in WRONG:
        both = {"stdout": stream, "stderr": stream}
        found[f"a mistake, all streams {stream}"] = partial(refused, ["report", "x"], both)
    found["importance --json, stderr full"] = json_alone
    stdin = {"stdin": "closed"}
    found["predict -, stdin closed"] = partial(refused, ["predict", "--input", "-"], stdin)
    found["submit, stdin closed"] = partial(refused, ["submit", "--file", "x"], stdin)

    for columns in (1, 20, 40):
        found[f"diagnose in {columns} columns"] = partial(narrow, columns, ["diagnose"])
    found["misclassified in 20 columns"] = partial(narrow, 20, ["misclassified", "--top", "3"])
    found["inspect in 30 columns"] = partial(narrow, 30, ["inspect", "quick", "linear.w"])

    quick = " ".join(QUICK[:-1])
    foreign_locale = " ".join(f"{key}={value}" for key, value in ASCII.items())
    train = f"TITANIC train --data DATA --out runs/new {quick}"
    lines = {
        f"{train} | true": (1, "runs/new/report.html"),
        f"{foreign_locale} {train.replace('new', 'né')}": (0, "runs/né/report.html"),
        f"{train} >&- 2>&-": (1, "runs/new/report.html"),
        "TITANIC predict --input DATA/test.csv >&-": (1, ""),
        "TITANIC report > /dev/full": (1, "runs/quick/report.html"),
        "TITANIC --help > /dev/full": (1, ""),
        "TITANIC predict --help >&-": (1, ""),
        "TITANIC predict --input - <&-": (2, ""),
        "set +o pipefail; TITANIC misclassified | head -1": (0, "runs/quick/misclassified.csv"),
    }
    for line, (code, made) in lines.items():
        found[line] = partial(shell, line, code, made)
    for locale in (
        ASCII,
        {**ASCII, "PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ):
        line = "mv runs/quick runs/né; TITANIC report né"
        name = " ".join(f"{key}={value}" for key, value in locale.items())
        found[f"{name} {line}"] = partial(shell, line, 0, "runs/né/report.html", env=locale)

    data, run = os.fsdecode(b"d\xe9"), os.fsdecode(b"r\xff")
    foreign: list[tuple[Words, bytes]] = [
        (["train", "--data", data, "--out", os.fsdecode(b"runs/\xfe"), *QUICK[:-1]], b"runs/\xfe"),
        (["report", run], b"runs/r\xff/report.html"),
        (["misclassified", run], b"runs/r\xff/misclassified.csv"),
        (["predict", run, "--input", f"{data}/test.csv", "--output", "\udcff"], b"\xff"),
    ]
    for words, path in foreign:
        found[f"{words[0]} with paths that are not UTF-8"] = partial(foreign_bytes, words, path)

    table = (DATA / "test.csv").read_bytes()
    for content, code in ((table, 0), (b"", 2), (bytes(10**6), 2)):
        name = f"predict a FIFO of {len(content)} bytes"
        found[name] = partial(through_fifo, ["predict", "--input", "fifo"], content, (code,))
    fifo = ["submit", "--file", "fifo", "--dry-run"]
    found["submit a FIFO"] = partial(through_fifo, fifo, table, (2,))
    return [Attack(name, attempt) for name, attempt in found.items()]
