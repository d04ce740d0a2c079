"""A tiny competition of three classes, whose labels hold a comma and an equals sign.

"Which toad is it?" asks for a class, or, with `submission="probabilities"`, for probabilities.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.tables.features import Feature, FeatureSet
from titanic_nn.tables.schema import Column, TableSchema, any_text, class_codes, numbers

LABELS = ("common", "green = Bufotes", "natterjack, running")
NAMES = ("common", "green", "natterjack")


class StripeRule:
    """A toad with a stripe is a natterjack, any other a common toad."""

    def __init__(self, feature_names: Sequence[str]) -> None:
        self.column = list(feature_names).index("back=striped")

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Self:
        return self

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        striped = x[:, [self.column]] == 1  # (rows, 1)
        return np.where(striped, [0.1, 0.1, 0.8], [0.5, 0.4, 0.1])


def row_features(toads: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {"length": toads["Length"], "warts": toads["Warts"], "back": toads["Back"]}
    ).set_index(toads["Code"])


TOADS = Competition(
    slug="toads",
    title="Toads",
    schema=TableSchema(
        id=Column("Code", "str", any_text, "a code"),
        target=Column("Kind", "int64", partial(class_codes, labels=LABELS), "a kind"),
        columns=(
            Column("Length", "float64", numbers, "a number, or nothing", may_be_missing=True),
            Column("Warts", "float64", numbers, "a number"),
            Column("Back", "str", any_text, "plain, striped or spotted"),
        ),
        row_name="toad",
        labels=LABELS,
        class_names=NAMES,
    ),
    features=FeatureSet(
        (
            Feature("length", "number", "Length", "common toads are large"),
            Feature("warts", "number", "Warts", "green toads have few"),
            Feature("back", "category", "Back", "natterjacks have a stripe"),
        ),
        row_features,
    ),
    rule=Rule("stripe_rule", "a striped toad is a natterjack", StripeRule),
    search=(("downloaded", Path("data/kaggle/toads")),),
    reference_scores=((0.5, "the stripe rule"),),
    display_columns=("Code", "Back"),
)
# The same table, of which a submission holds probabilities.
LIKELY_TOADS = replace(
    TOADS, slug="likely-toads", schema=replace(TOADS.schema, submission="probabilities")
)


def toads(rows: int, first: int = 0) -> pd.DataFrame:
    """Toads of three kinds, which length, warts and back tell apart in part."""
    rng = np.random.default_rng(first)
    kind = rng.choice(3, rows, p=[0.5, 0.2, 0.3])
    length = rng.normal(np.array([9, 7.5, 6.5])[kind], 1).round(2)
    backs = np.array([["plain", "spotted"], ["spotted", "plain"], ["striped", "plain"]])
    return pd.DataFrame(
        {
            "Code": [f"t-{first + i:04}" for i in range(rows)],
            "Kind": np.array(LABELS)[kind],
            "Length": np.where(rng.random(rows) < 0.1, np.nan, length),
            "Warts": rng.poisson(np.array([30, 10, 20])[kind]),
            "Back": backs[kind, (rng.random(rows) < 0.3).astype(int)],
        }
    )


def write_toads(folder: Path) -> pd.DataFrame:
    """Write train.csv and test.csv; returns the test toads with their kinds."""
    folder.mkdir(parents=True)
    test = toads(40, first=1000)
    toads(160).to_csv(folder / "train.csv", index=False)
    test.drop(columns="Kind").to_csv(folder / "test.csv", index=False)
    return test
