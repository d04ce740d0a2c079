"""Every command with hostile text in every field: of its words, of a table, of a run's name."""

import csv
import re
import shutil
from argparse import _StoreAction
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from titanic_nn.__main__ import COMMANDS
from titanic_nn.competitions.registry import get_competition

BUNDLED = get_competition("titanic").search[-1][1]
# Rich's markup, codes of a terminal, directions of text, a page's markup, a formula.
HOSTILE = "=x[/x][b]\x1b[2J\x1b]0;x\x07\x9bm\r\b\u202e\u200b<script>$\\frac$\n"
# The codes that rich writes: styles, a cursor that is hidden and moved, lines that are replaced.
RICH = re.compile(r"\x1b\[([0-9;]*m|\?25[lh]|[0-9]*A|2K)|\r")
# What follows a command's name where it needs more than a run.
WORDS: dict[str, list[str]] = {
    "train": ["--data", "tables", "--models", "linear", "--folds", "2", "--repeats", "1"],
    "tune": ["--model", "linear", "--trials", "2", "--folds", "2", "--repeats", "1"],
    "describe": ["tables/train.csv"],
    "explore": ["--data", "tables"],
    "learning_curve": ["--train-fractions", "0.4", "0.6", "0.8", "1"],
    "lr_find": ["--lowest", "0.01", "--highest", "0.1"],
    "importance": ["--permutations", "1"],
    "explain": ["--input", "tables/one.csv"],
    "dependence": ["title"],
    "predict": ["--input", "tables/test.csv"],
    "export": ["--onnx", HOSTILE.replace("/", "")],
}


def parser(name: str) -> Any:
    return import_module(f"titanic_nn.cli.{name}").PARSER


def main(name: str, words: list[str]) -> int:
    """Run a command; returns its exit code."""
    try:
        import_module(f"titanic_nn.cli.{name}").main(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def assert_printable(text: str) -> None:
    assert not {ascii(c) for c in text if not c.isprintable() and c not in "\n\xa0"}


def options() -> Iterator[tuple[str, str]]:
    """Each command, and each of its words that takes text."""
    for name in COMMANDS:
        for action in parser(name)._actions:
            if isinstance(action, _StoreAction):
                yield name, action.option_strings[0] if action.option_strings else action.dest


@pytest.mark.parametrize(("name", "option"), [*options()])
def test_each_word_of_each_command(
    name: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [f"{option}={HOSTILE}"] if option.startswith("-") else [HOSTILE]
    for action in parser(name)._actions:
        other = [*action.option_strings, ""][0]
        # Whatever is required; and nothing is to be trained.
        if other != option and (action.required or other == "--data"):
            choices = list(action.choices or [HOSTILE])
            words += [f"{other}={choices[0]}"]
    assert main(name, words) in (0, 2)
    printed = capfd.readouterr()
    assert_printable(printed.out + printed.err)
    assert printed.err.count("\n") <= 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables of hostile names, `tables`, and a run that is called so too."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "tables").mkdir()
    for name in ("train.csv", "test.csv"):
        with (BUNDLED / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for column in ("Name", "Ticket", "Cabin"):
                row[column] = f"{HOSTILE}{row[column]}"
        with (folder / "tables" / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        if name == "test.csv":
            with (folder / "tables/one.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows[:1])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = ["--out", f"runs/{HOSTILE.replace('/', '')}", "--n-seeds", "1"]
        assert main("train", [*WORDS["train"], *run]) == 0
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_with_hostile_tables_and_a_hostile_run(
    name: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", HOSTILE)
    monkeypatch.setenv("FORCE_COLOR", "1")
    (run,) = Path("runs").iterdir()
    words = WORDS.get(name, [])
    dests = [action.dest for action in parser(name)._actions]
    if "run" in dests:
        words = [run.name, *words]
    if name == "compare":
        shutil.copytree(run, "runs/copy")
        words = [run.name, "copy"]
    if name == "tune":
        words = [*words, "--data", "tables", "--study", "[b]$\\frac$ =x"]
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    assert main(name, words) in (0, 2)
    printed = capfd.readouterr()
    assert_printable(RICH.sub("", printed.out + printed.err))


def test_a_table_for_people_has_no_formula_and_the_report_reads_it_back(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    (run,) = Path("runs").iterdir()
    assert main("misclassified", []) == 0
    with (run / "misclassified.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["Name"][:3] for row in rows} == {"'=x"}
    assert {row["Ticket"][:3] for row in rows} == {"'=x"}
    assert main("report", []) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert_printable(page)
    assert "<script" not in page
    assert r">=x[/x][b]\x1b[2J" in page  # a name in a picture
