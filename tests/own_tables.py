"""Tables of no competition: those that scikit-learn carries or makes, and a messy one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

# A run that takes a second or two.
SMALL = [
    "--folds",
    "3",
    "--repeats",
    "1",
    "--n-seeds",
    "1",
    "--device",
    "cpu",
    "--inner-folds",
    "2",
]


def _of_bunch(load: Callable[..., Any], rows: int | None = None) -> pd.DataFrame:
    """A bundled table with the classes' names as labels."""
    bunch = load(as_frame=True)
    table: pd.DataFrame = bunch.data.assign(target=np.asarray(bunch.target_names)[bunch.target])
    return table.sample(rows or len(table), random_state=0)


def _of_arrays(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    columns = [f"x{i}" for i in range(x.shape[1])]
    return pd.DataFrame(x.round(4), columns=columns).assign(target=y.astype(int))


def _diabetes() -> pd.DataFrame:
    """Its target, a number, as whether it is above the median."""
    table: pd.DataFrame = datasets.load_diabetes(as_frame=True, scaled=False).frame
    high = table["target"] > table["target"].median()
    return table.assign(target=np.where(high, "worse", "better"))


# Name -> a table with the column `target`, which has two labels.
TWO_CLASSES: dict[str, Callable[[], pd.DataFrame]] = {
    "breast_cancer": lambda: _of_bunch(datasets.load_breast_cancer),
    "diabetes": _diabetes,
    "moons": lambda: _of_arrays(*datasets.make_moons(300, noise=0.2, random_state=0)),
    "hastie": lambda: _of_arrays(*datasets.make_hastie_10_2(1200, random_state=0)),
    "classification": lambda: _of_arrays(
        *datasets.make_classification(300, 12, n_informative=5, random_state=0)
    ),
}
# Three labels and more.
MORE_CLASSES: dict[str, Callable[[], pd.DataFrame]] = {
    "iris": lambda: _of_bunch(datasets.load_iris),
    "wine": lambda: _of_bunch(datasets.load_wine),
    "digits": lambda: _of_bunch(datasets.load_digits, 600),
}


def messy(rows: int = 240) -> pd.DataFrame:
    """Dates, booleans, codes, missing values, groups, and names and values that need care."""
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2023-11-20") + pd.to_timedelta(rng.integers(0, 400, rows), "D")
    income = np.exp(rng.normal(8, 1.5, rows)).round(2)
    married, kind = rng.random(rows) < 0.5, rng.choice(["rare", "common", "=odd"], rows)
    logit = 1.5 * (np.log(income) - 8) + married + 2 * (kind == "rare") - 1
    table = pd.DataFrame(
        {
            "case no": [f"{i:04}" for i in range(rows)],
            "household": [f"h{i}" for i in rng.integers(0, rows // 2, rows)],
            "income=net": income,
            "a_b": rng.normal(size=rows).round(3),
            "a b": rng.normal(-2, 1, rows).round(3),
            "married": np.where(married, "yes", "no"),
            "kind": kind,
            "seen": day.strftime("%Y-%m-%d"),
            "note": [f"said {i}" for i in rng.permutation(rows)],
            "ill": np.where(rng.random(rows) < 1 / (1 + np.exp(-logit)), "ja", "nein"),
        }
    )
    for column in ("income=net", "married", "kind", "seen", "household"):
        table.loc[rng.random(rows) < 0.1, column] = np.nan
    return table


MESSY = """
id = "case no"
target = "ill"
labels = ["nein", "ja"]
class_names = ["healthy", "ill"]
row_name = "patient"
groups = "household"
numbers = ["income=net", "a_b", "a b"]
categories = ["kind"]
booleans = ["married"]
dates = ["seen"]
ignore = ["note"]
"""


def write_table(folder: Path, table: pd.DataFrame, target: str = "target") -> None:
    """Write train.csv and test.csv; a table without an id gets one."""
    folder.mkdir(parents=True)
    if "case no" not in table:
        table = table.reset_index(drop=True).rename_axis("row").reset_index()
    test = np.arange(len(table)) % 4 == 3
    table[~test].to_csv(folder / "train.csv", index=False)
    table[test].drop(columns=target).to_csv(folder / "test.csv", index=False)
