"""A first look at the tables, before any training: rates by each column, and missing values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from titanic_nn.errors import DataError
from titanic_nn.tables.sources import Tables

MOST_VALUES = 10  # a column with more is cut into ranges, or is text that names single rows
RANGES = 5  # with about as many rows each
MISSING, KNOWN = "(missing)", "(known)"


@dataclass(frozen=True, eq=False)
class Exploration:
    """What the columns show.

    Attributes:
        fractions: class -> its fraction of the labelled rows; of two only the positive class.
        rates: a row per column and value of the labelled rows: column, value (in words), rows,
            rate, which is the class's fraction of these rows, and its 95 % interval, low to high
            (Wilson). Of more than two classes a row for each `class`. Numbers with many values are
            in ranges of about as many rows each, the lower bound excluded but in the first; of text
            with many values there is only whether it is known.
        missing: a row per column with missing values: column, and their fraction in train and test.
        left_out: columns of text with many values, none missing.
    """

    fractions: dict[str, float]
    rates: pd.DataFrame
    missing: pd.DataFrame
    left_out: list[str]


def explore(tables: Tables) -> Exploration:
    """Look at every column but id and target. Raises DataError where none can be shown."""
    rows, left_out, missing, names = [], [], [], tables.schema.class_names
    # Class -> whether a labelled row is of it, (labelled rows,).
    is_of = {name: tables.y == code for code, name in enumerate(names) if code or len(names) > 2}
    for column in tables.schema.columns:
        name, values = column.name, tables.train[column.name]
        found = _values(values)
        if found is None:
            left_out.append(name)
        else:
            rows += [{"column": name, **row} for row in _rates(found, is_of)]
        fractions = {"train": values.isna().mean(), "test": tables.test[name].isna().mean()}
        if any(fractions.values()):
            missing.append({"column": name, **fractions})
    if not rows:
        raise DataError(
            f"{tables.location}: every column is text with more than {MOST_VALUES} values, none "
            "missing; there is nothing to show"
        )
    return Exploration(
        fractions={name: float(of_class.mean()) for name, of_class in is_of.items()},
        rates=pd.DataFrame(rows),
        missing=pd.DataFrame(missing, columns=["column", "train", "test"]),
        left_out=left_out,
    )


def _values(values: pd.Series) -> pd.Series | None:
    """Each row's value as a category in words, in order; None where that would be too many."""
    known = values.dropna()
    if known.nunique() <= MOST_VALUES:
        order = sorted(known.unique().tolist())
        words = [_word(value) for value in order]
        found = values.map(dict(zip(order, words, strict=True))).astype("object")
    elif pd.api.types.is_numeric_dtype(values):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1)))
        # Ranges that are written alike are one.
        words = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
        place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(words) - 1)
        found = pd.Series(np.array(words, dtype=object)[place], index=values.index)
    elif len(known) < len(values):
        words, found = [KNOWN], pd.Series(KNOWN, index=values.index, dtype=object)
    else:
        return None
    if len(known) < len(values):
        found = found.mask(values.isna(), MISSING)
        words = [*words, MISSING]
    return pd.Series(pd.Categorical(found, list(dict.fromkeys(words)), ordered=True))


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rates(
    values: pd.Series, is_of: Mapping[str, NDArray[np.bool_]]
) -> Iterator[dict[str, object]]:
    for value in values.cat.categories:
        of_value = (values == value).to_numpy()
        count = int(of_value.sum())
        for name, of_class in is_of.items():
            positives = int(of_class[of_value].sum())
            around = binomtest(positives, count).proportion_ci(method="wilson")
            yield {
                "value": value,
                "rows": count,
                **({"class": name} if len(is_of) > 1 else {}),
                "rate": positives / count,
                "low": around.low,
                "high": around.high,
            }
