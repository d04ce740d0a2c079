"""Explanations as tables: those of explanation.csv, of one row, and explanations.csv, of many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from titanic_nn.tables.schema import TableSchema

if TYPE_CHECKING:  # it loads torch
    from titanic_nn.analysis.explanation import Explanation


def contributions_of_row(
    found: "Explanation", row: int, values: pd.DataFrame, labels: Sequence[str]
) -> pd.DataFrame:
    """What the features contribute to one row, the largest first.

    Args:
        found: an explanation.
        row: the position of a row in it.
        values: the `feature_values` of the rows explained.
        labels: of the classes, as files write them.

    Returns:
        `class`, its label (of two classes class 1's), `feature`, `value` as text, `contribution`,
        and `base`, each class's own: a class's base and contributions add up to its log-odds.
    """
    texts = [value_text(value) for value in values.iloc[row]]
    parts = []
    for i, label in enumerate(labels[1:] if len(labels) == 2 else labels):
        part = pd.DataFrame({"class": label, "feature": found.features, "value": texts})
        part["contribution"], part["base"] = found.contributions[row, :, i], found.base[i]
        order = part["contribution"].abs().sort_values(ascending=False, kind="stable").index
        parts.append(part.loc[order])
    return pd.concat(parts, ignore_index=True)


def value_text(value: Any) -> str:
    """A feature's value as it is shown."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def predicted_class(lines: pd.DataFrame) -> str:
    """The class, of those explained, with the largest log-odds.

    lines: of one row, as `contributions_of_row` returns them.
    """
    by_class = lines.groupby("class", sort=False)
    log_odds = by_class["base"].first() + by_class["contribution"].sum()
    return str(log_odds.idxmax())


def contributions_of_rows(
    found: "Explanation", table: pd.DataFrame, schema: TableSchema
) -> pd.DataFrame:
    """A line for each row of a table, of more than two classes for each row and class.

    Returns the id, if the table has it; `class`, if they are more than two; `base`, `log_odds`, and
    each feature's contribution in a column of its name.
    """
    several, parts = len(schema.labels) > 2, []
    for i, label in enumerate(schema.labels if several else schema.labels[1:]):
        keys = pd.DataFrame({"base": found.base[i], "log_odds": found.log_odds[:, i]})
        if several:
            keys.insert(0, "class", label)
        if schema.id.name in table:
            keys.insert(0, schema.id.name, table[schema.id.name].to_numpy())
        features = pd.DataFrame(found.contributions[:, :, i], columns=list(found.features))
        parts.append(pd.concat([keys, features], axis=1))
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def mean_sizes(found: pd.DataFrame) -> pd.DataFrame:
    """The mean size of each feature's contributions, (features, classes).

    found: as `contributions_of_rows` returns it; of two classes the only column is `mean`.
    """
    first = found.columns.tolist().index("log_odds") + 1
    sizes = found.iloc[:, first:].abs()
    if "class" not in found.columns[:first]:
        return sizes.mean().to_frame("mean")
    return sizes.groupby(found["class"], sort=False).mean().T
