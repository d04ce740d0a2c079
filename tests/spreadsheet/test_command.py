"""`titanic-nn spreadsheet`: what it prints, and what it refuses in one line."""

import json
import shutil
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from own_tables import MORE_CLASSES, SMALL, write_table
from sklearn.pipeline import Pipeline
from workbooks import read

import titanic_nn
from titanic_nn import ReLUClassifier
from titanic_nn.cli import describe, spreadsheet, train
from titanic_nn.runs.folder import read_tables


@pytest.fixture
def at_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a command prints before it ends with exit code 2."""
    files = set(Path().rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        spreadsheet.main(words)
    assert stopped.value.code == 2
    assert set(Path().rglob("*")) == files
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_what_is_printed(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spreadsheet.main(["titanic", "--out", "new/book.xlsx", "--rows", "3", "--model", "linear"])
    assert capsys.readouterr().out.splitlines() == [
        "Written: new/book.xlsx, linear for 3 passengers",
        "Without the sheet relu: not asked for",
    ]
    book = read(Path("new/book.xlsx"))
    assert "relu" not in book
    assert "left out: not asked for" in book["read me"].values.values()
    row, column = book["passengers"].find("PassengerId")
    assert book["passengers"].numbers((row + 1, column), 4)[:3, 0].tolist() == [1, 2, 3]
    assert (row + 4, column) not in book["passengers"].values


def test_a_table_with_fewer_rows_is_shown_whole(at_home: Path) -> None:
    spreadsheet.main(["clinic", "--out", "all.xlsx", "--rows", "5000", "--model", "linear"])
    sheet = read(Path("all.xlsx"))["_pa_tient_ss"]  # what a sheet's name can hold
    assert "180 [pa]tient'ss of the training table" in sheet.values.values()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--out", "there.xlsx"], "--out there.xlsx: is there already; choose another name"),
        (["--out", "book.csv"], "--out book.csv: choose a name that ends in .xlsx"),
        (["--out", "a.xlsx", "--rows", "0"], "--rows 0: choose 1 or more"),
        (["--out", "a.xlsx", "--rows", "x"], "invalid int value: 'x'"),
        (["--out", "a.xlsx", "--model", "ensemble"], "does not fit a sheet; choose linear or relu"),
        (["--out", "a.xlsx", "--model", "rellu"], "no such model; choose from linear, relu"),
        (["--out", "a.xlsx", "--data", "nowhere"], "nowhere: the tables of runs/titanic are gone"),
        ([], "the following arguments are required: --out"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], why: str, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there.xlsx").write_text("mine")
    assert why in refused(["titanic", *words], capsys)
    assert Path("there.xlsx").read_text() == "mine"


def test_a_run_without_such_a_net_is_one_line(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Path("runs/titanic/summary.json")
    found = json.loads(summary.read_text())
    summary.write_text(json.dumps({**found, "predictors": ["ensemble"], "recommended": "ensemble"}))
    assert "has neither linear nor relu" in refused(["titanic", "--out", "a.xlsx"], capsys)
    words = ["titanic", "--out", "a.xlsx", "--model", "ensemble"]
    assert "does not fit a sheet; train linear or relu" in refused(words, capsys)
    summary.write_text(json.dumps({**found, "predictors": ["linear", "ensemble"]}))
    spreadsheet.main(["titanic", "--out", "a.xlsx", "--rows", "2"])
    out = capsys.readouterr().out
    assert out.endswith("Without the sheet relu: the run has no such net\n")


def test_what_does_not_fit_a_sheet_is_one_line(
    at_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("titanic_nn.spreadsheet.content.MOST_CELLS", 10_000)
    line = refused(["titanic", "--out", "a.xlsx"], capsys)
    assert "30 rows need about 13860 formulas, more than the 10000 allowed; give fewer" in line
    monkeypatch.setattr("titanic_nn.spreadsheet.content.MOST_COLUMNS", 75)
    line = refused(["titanic", "--out", "a.xlsx"], capsys)
    assert "runs/titanic: has too many features for 75 columns" in line


def test_a_net_that_is_too_wide_is_one_line(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = titanic_nn.load("runs/titanic/models/relu")
    assert isinstance(pipeline, Pipeline)
    wide = ReLUClassifier(hidden_size=3300, n_seeds=5, epochs=1, standardize=False)
    wide.fit(pipeline[0].transform(read_tables(Path("runs/titanic")).train)[:9], [0, 1] * 4 + [0])
    shutil.rmtree("runs/titanic/models/relu")
    titanic_nn.save(
        Pipeline([("features", pipeline[0]), ("net", wide)]), "runs/titanic/models/relu"
    )
    line = refused(["titanic", "--out", "a.xlsx"], capsys)
    assert "relu: 5 nets of 3300 units do not fit a sheet of 16384 columns; choose another" in line
    spreadsheet.main(["titanic", "--out", "a.xlsx", "--rows", "2", "--model", "linear"])


def test_nets_of_several_encoders_are_one_line(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("runs/titanic/models/relu")
    shutil.copytree("runs/clinic/models/relu", "runs/titanic/models/relu")
    line = refused(["titanic", "--out", "a.xlsx"], capsys)
    assert "its nets read different features; choose one with --model" in line


def test_more_than_two_classes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(Path("data"), MORE_CLASSES["iris"]())
    describe.main(["data/train.csv", "--out", "own.toml"])
    Path("quick.toml").write_text("[linear]\nepochs = 2\n")
    options = ["--competition", "own.toml", "--data", "data", "--config", "quick.toml", "--quiet"]
    train.main([*options, "--models", "linear", *SMALL, "--out", "runs/a"])
    capsys.readouterr()
    line = refused(["a", "--out", "a.xlsx"], capsys)
    assert "its nets tell 3 classes apart; a spreadsheet shows nets of two classes" in line


def test_without_the_extra_one_line_says_what_to_install(
    at_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("titanic_nn.spreadsheet")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    line = refused(["titanic", "--out", "a.xlsx"], capsys)
    assert "a spreadsheet needs another package: pip install 'titanic-nn[spreadsheet]'" in line


def test_a_place_that_cannot_be_written_is_one_line(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chdir(at_home):
        assert "a file is in the way" in refused(
            ["titanic", "--rows", "2", "--out", "quick.toml/a.xlsx"], capsys
        )
