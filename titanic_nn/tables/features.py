"""What a competition says of its features: the table of them, and how they are made.

A feature that its row yields by itself is made by a function. One that needs other rows is made by
a `FittedFeatures` object, which is fitted on training rows only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import pandas as pd
from numpy.typing import NDArray

from titanic_nn.config import FeatureConfig
from titanic_nn.tables.columns import Columns


@dataclass(frozen=True)
class Feature:
    """One line of a feature table.

    Attributes:
        name: as a column of features has it: `log_fare`.
        kind: how the encoder treats it.
        formula, why: for the documentation.
        impute_within: a missing number becomes the median of the rows that agree in these
            categories. Where the training rows hold none, the last is dropped, and so on up to the
            median of all rows.
        reads_labels: whether it is made from the labels of other training rows.
        group: features of one group are dropped together in an ablation.
    """

    name: str
    kind: Literal["number", "category", "flag"]
    formula: str
    why: str
    impute_within: tuple[str, ...] = ()
    reads_labels: bool = False
    group: str | None = None

    @property
    def label(self) -> str:
        """The name as it stands beside a coefficient: `log fare`."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Formula:
    """A row feature as a spreadsheet computes it, or a step towards one.

    Attributes:
        name: the feature's, or the step's own.
        text: the formula. `[Fare]` stands for the row's cell in this column of the table, and
            `[log_fare]` for its cell of this feature or step. What is missing is an empty cell, or
            the empty text. Functions of Excel 2010 that LibreOffice and Google Sheets have too;
            nothing that needs an array formula.
        step: of a step, from a checked table to its values (rows,).
    """

    name: str
    text: str
    step: Callable[[pd.DataFrame], pd.Series] | None = None

    NAME: ClassVar = re.compile(r"\[([^\]]+)\]")

    @property
    def reads(self) -> set[str]:
        """The columns, features and steps that the formula names."""
        return set(self.NAME.findall(self.text))


class FittedFeatures(Protocol):
    """Features that need more than a row: `fit` on training rows, then `transform` any."""

    def __init__(self, config: FeatureConfig) -> None: ...

    def fit(self, rows: Columns, y: NDArray[Any], known: Columns | None) -> Self:
        """Fit on training rows and their labels y (rows,).

        known: every row whose features are known, without labels, for
        `count_groups_among = "known"`.
        """

    def transform(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Features (rows,) by name. A training row, known by its id, must not see its own label."""

    def forget_ids(self) -> None:
        """Forget which rows were training rows: every row is a new one from now on."""

    def state(self) -> dict[str, Any]:
        """What was fitted, as JSON values; without labels of single rows."""

    @classmethod
    def from_state(cls, config: FeatureConfig, state: Mapping[str, Any]) -> Self:
        """The fitted object with this state, which is from a file: check every field of it.

        Raises ModelError where `state` gives no such; tables/state.py helps.
        """


@dataclass(frozen=True)
class FeatureSet:
    """A competition's features.

    Attributes:
        features: the feature table, in the order of the encoded columns.
        row_features: a checked table -> the features that a row yields by itself, and what others
            are made from; indexed by id.
        keys: further text columns of `row_features`, which are no features themselves.
        fitted: the class of the features that need more than a row, if there are any.
        formulas: how a spreadsheet computes row features, each after the steps towards it. One that
            has no formula is given to a spreadsheet as a value.
        whole_groups: whether `row_features` reads the other rows of a row's group, so that a table
            must not be cut within one.
    """

    features: tuple[Feature, ...]
    row_features: Callable[[pd.DataFrame], pd.DataFrame]
    keys: tuple[str, ...] = ()
    fitted: type[FittedFeatures] | None = None
    formulas: tuple[Formula, ...] = ()
    whole_groups: bool = False

    def columns(self, table: pd.DataFrame) -> Columns:
        """The row features of a checked table, as plain arrays."""
        return Columns.of(self.row_features(table), self.text_columns, unsorted=self.keys)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of `row_features` that hold text."""
        return (*(f.name for f in self.features if f.kind == "category"), *self.keys)

    def of_column(self, column: str) -> Feature:
        """The feature that an encoded column belongs to: `title` of `title=Mr`."""
        label = column.partition("=")[0]
        return next(feature for feature in self.features if feature.label == label)

    def as_markdown(self) -> str:
        """The feature table in Markdown, as docs/features.md shows it."""
        lines = ["| feature | kind | formula | why |", "|---|---|---|---|"]
        lines += [f"| `{f.name}` | {f.kind} | {f.formula} | {f.why} |" for f in self.features]
        return "\n".join(lines)
