"""A tiny competition of its own: text ids, text labels, two features, no groups of rows.

"Which frogs croak?" has nothing in common with Titanic: that is what it is for.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.tables.features import Feature, FeatureSet
from titanic_nn.tables.schema import (
    Column,
    TableSchema,
    any_text,
    class_codes,
    numbers,
)

LABELS = ("silent", "croaks")


class GreenRule:
    """Green frogs croak."""

    def __init__(self, feature_names: Sequence[str]) -> None:
        self.column = list(feature_names).index("colour=green")

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Self:
        return self

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        p = np.where(x[:, self.column] == 1, 0.8, 0.2)
        return np.stack([1 - p, p], axis=1)


def row_features(frogs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {"length": frogs["Length"], "no_length": frogs["Length"].isna(), "colour": frogs["Colour"]}
    ).set_index(frogs["Code"])


FROGS = Competition(
    slug="frogs",
    title="Frogs",
    schema=TableSchema(
        id=Column("Code", "str", any_text, "a code"),
        target=Column("Voice", "int64", partial(class_codes, labels=LABELS), "silent or croaks"),
        columns=(
            Column("Length", "float64", numbers, "a number, or nothing", may_be_missing=True),
            Column("Colour", "str", any_text, "a colour"),
        ),
        row_name="frog",
        labels=LABELS,
        class_names=("silent", "croaking"),
    ),
    features=FeatureSet(
        (
            Feature("length", "number", "Length", "large frogs croak", impute_within=("colour",)),
            Feature("no_length", "flag", "Length is missing", "it got away"),
            Feature("colour", "category", "Colour", "green frogs croak"),
        ),
        row_features,
    ),
    rule=Rule("green_rule", "green frogs croak", GreenRule),
    search=(("downloaded", Path("data/kaggle/frogs")),),
    reference_scores=((0.6, "the green rule"),),
    display_columns=("Code", "Colour"),
)


def frogs(rows: int, first: int = 0) -> pd.DataFrame:
    """Frogs whose voice depends on their length and colour."""
    rng = np.random.default_rng(first)
    colour = rng.choice(["green", "brown", "red"], rows)
    length = rng.normal(8, 2, rows).round(2)
    logit = (length - 8) + 2 * (colour == "green") - 1
    croaks = rng.random(rows) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {
            "Code": [f"f-{first + i:04}" for i in range(rows)],
            "Voice": np.where(croaks, *LABELS[::-1]),
            "Length": np.where(rng.random(rows) < 0.1, np.nan, length),
            "Colour": colour,
        }
    )


def write_frogs(folder: Path) -> pd.DataFrame:
    """Write train.csv and test.csv; returns the test frogs with their voices."""
    folder.mkdir(parents=True)
    test = frogs(40, first=1000)
    frogs(160).to_csv(folder / "train.csv", index=False)
    test.drop(columns="Voice").to_csv(folder / "test.csv", index=False)
    return test


# Small tables as bytes, and a submission for them.
TRAIN = b"""Code,Voice,Length,Colour
A/1,silent,1,green
A/2,croaks,2,green
A/3,silent,3,red
A/4,croaks,4,red
"""
TEST = b"Code,Length,Colour\nB/1,1,green\nB/2,2,green\nB/3,3,red\n"
SUBMISSION = b"Code,Voice\nB/1,silent\nB/2,croaks\nB/3,croaks\n"


def register(monkeypatch: pytest.MonkeyPatch) -> Competition:
    """Make the competition known for the length of a test."""
    monkeypatch.setitem(COMPETITIONS, FROGS.slug, FROGS)
    return FROGS
