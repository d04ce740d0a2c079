"""Runs whose nets become workbooks, and the workbooks as LibreOffice computes them."""

from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_tables import MESSY, SMALL, messy, write_table
from workbooks import Workbook, edited, read, recalculated

from titanic_nn.cli import spreadsheet, train
from titanic_nn.competitions.registry import get_competition

ROWS = 24
QUICK = "[linear]\nepochs = 20\n[relu]\nepochs = 20\nhidden_size = 5\n"
HOSTILE = "=cmd|' /C calc'!A0\x1b[2J\u202e\n<b>&\"'{[_x0041_]}"
# Columns of the first training rows -> what they hold instead: every branch of every formula.
ODD: dict[str, list[object]] = {
    "Name": [
        f"{HOSTILE}, Mr. X",
        "No comma",
        "Two, commas,. but, the Countess. of (x.)",
        ",.,. Mlle. A",
        "#N/A, Dr. B",
        "Stop, No",
        "Wild, *. C",
        "Wild, ?r. D",
        "Blank,  . E",
        "Case, mr. F",
        "Rare, Jonkheer. G. H.",
    ],
    "Cabin": ["F G73", "B51 B53", "T", "c85 D", "=A1", "G9E", "T", "7", "F", "DD6", "#N/A"],
    "Age": [np.nan, np.nan, np.nan, 0.42, np.nan, np.nan, np.nan, 33.5, np.nan, np.nan, 60],
    "Fare": [np.nan, 0, 7.25, np.nan, np.nan, 8, 9, 0, 10, 512.3292, 1],
    "Embarked": [np.nan, "C", "=Q", "Q", np.nan, "s", "S", "S", "S", "S", "S"],
}


def _odd_titanic(folder: Path) -> None:
    bundled = get_competition("titanic").search[-1][1]
    folder.mkdir()
    train = pd.read_csv(bundled / "train.csv")
    for column, values in ODD.items():
        train.loc[: len(values) - 1, column] = pd.Series(values)
    train.to_csv(folder / "train.csv", index=False)
    (folder / "test.csv").write_bytes((bundled / "test.csv").read_bytes())


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs on Titanic's table, made odd, and on a table of nobody's."""
    folder = tmp_path_factory.mktemp("home")
    with chdir(folder):
        Path("quick.toml").write_text(QUICK)
        _odd_titanic(Path("odd"))
        quick = [*SMALL, "--config", "quick.toml", "--quiet"]
        models = ["--models", "linear", "relu"]
        of_titanic = ["--data", "odd", *models, "--n-seeds", "2", "--folds", "2"]
        train.main([*quick, *of_titanic, "--out", "runs/titanic"])
        write_table(Path("data"), messy(), "ill")
        Path("clinic.toml").write_text(MESSY.replace("patient", "[pa]tient's"))
        Path("bins.toml").write_text(f"{QUICK}\n[features]\nn_bins = 3\nmin_category_rows = 60\n")
        own = ["--competition", "clinic.toml", "--data", "data", "--config", "bins.toml"]
        train.main([*SMALL, *own, *models, "--quiet", "--out", "runs/clinic"])
    return folder


@pytest.fixture(scope="session")
def books(home: Path) -> dict[str, Path]:
    """The workbooks as they are written, and one of them edited."""
    with chdir(home):
        spreadsheet.main(["titanic", "--out", "titanic.xlsx", "--rows", str(ROWS)])
        spreadsheet.main(["clinic", "--out", "clinic.xlsx", "--rows", str(ROWS)])
    made = {name: home / f"{name}.xlsx" for name in ("titanic", "clinic")}
    # The learning rate; and the age, in the column F, of the passenger in the 13th row, who is a
    # man of 33 and becomes one of 61.
    cells = {("train", "C4"): 0.25, ("passengers", "F17"): 61.0}
    return made | {"edited": edited(made["titanic"], home / "edited.xlsx", cells)}


@pytest.fixture(scope="session")
def stored(books: dict[str, Path]) -> dict[str, Workbook]:
    """The workbooks as they are written."""
    return {name: read(path) for name, path in books.items()}


@pytest.fixture(scope="session")
def computed(books: dict[str, Path], home: Path) -> dict[str, Workbook]:
    """The same workbooks with every formula computed anew."""
    paths = recalculated(list(books.values()), home)
    return {name: read(path) for name, path in zip(books, paths, strict=True)}
