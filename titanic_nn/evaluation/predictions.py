"""Predicted probabilities, as arrays and as the columns of oof.csv and test_predictions.csv.

Of two classes only the probability of class 1 is kept: (rows,), in a column with the model's name.
Of more classes all are: (rows, classes), in a column `model=label` per label, in the labels' order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.errors import ModelError
from titanic_nn.tables.schema import TableSchema, as_targets


def kept(p: NDArray[Any]) -> NDArray[Any]:
    """What is kept of probabilities (rows, classes), as scikit-learn's models give them."""
    return p[:, 1] if p.shape[1] == 2 else p


def most_probable(p: NDArray[np.floating]) -> NDArray[np.int64]:
    """The code of each row's most probable class, (rows,); of two at equal probability class 1."""
    return (p >= 0.5).astype(np.int64) if p.ndim == 1 else p.argmax(axis=1)


def column_names(model: str, labels: Sequence[str]) -> list[str]:
    """The columns of a model's probabilities."""
    return [model] if len(labels) == 2 else [f"{model}={label}" for label in labels]


def as_columns(
    model: str, p: NDArray[np.floating], labels: Sequence[str]
) -> dict[str, NDArray[np.floating]]:
    """A model's probabilities by column."""
    return dict(zip(column_names(model, labels), [p] if p.ndim == 1 else p.T, strict=True))


def models_of(oof: pd.DataFrame) -> list[str]:
    """The models of an oof.csv: those of the columns after `fold`."""
    columns = [str(column) for column in oof]
    names = (column.partition("=")[0] for column in columns[columns.index("fold") + 1 :])
    return list(dict.fromkeys(names))


def probabilities(table: pd.DataFrame, model: str) -> NDArray[np.float64]:
    """A model's probabilities in a table with such columns."""
    if model in table:
        return table[model].to_numpy()
    columns = [column for column in table if str(column).startswith(f"{model}=")]
    return table[columns or [model]].to_numpy()


def scored_rows(oof: pd.DataFrame, model: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """An oof.csv's labels and a model's probabilities, as metrics take both."""
    p = probabilities(oof, model)
    classes = 2 if p.ndim == 1 else p.shape[1]
    return as_targets(oof["label"].to_numpy(), classes), p


def predicted_table(model: Any, table: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Ids, if the table has them; probabilities, as in test_predictions.csv; the likeliest label.

    Args:
        model: from a checked table to probabilities (rows, classes).
        table: checked.
        schema: of the table.

    Raises:
        ModelError: the model does not predict the table.
    """
    try:
        p = kept(model.predict_proba(table))
    except ValueError as error:  # the table is checked: it is the model's numbers that overflow
        raise ModelError(f"the model does not predict this table: {error}") from None
    found = pd.DataFrame(as_columns("probability", p, schema.labels))
    found[schema.target.name] = [schema.labels[code] for code in most_probable(p)]
    if schema.id.name in table:
        found.insert(0, schema.id.name, table[schema.id.name].to_numpy())
    return found
