"""The rows that every model of a run misclassifies, and the rows of the same group."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import DataError
from titanic_nn.tables.schema import TableSchema
from titanic_nn.tables.sources import Tables

# Columns of oof.csv between the id and the models.
KEYS = ("label", "repeat", "fold")


def models_of(oof: pd.DataFrame) -> list[str]:
    """The models of an oof.csv: the columns after `fold`."""
    columns = [str(column) for column in oof]
    return columns[columns.index("fold") + 1 :]


def misclassified(oof: pd.DataFrame, train: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """The rows that all models misclassify, by each one's mean out-of-fold probability.

    Args:
        oof: a run's oof.csv: a line per labelled row and repeat.
        train: the labelled table.
        schema: the table's columns.

    Returns:
        The id, `label`, a column of mean probabilities per model, and the other columns of
        `train`; the row with the largest mean error comes first.

    Raises:
        DataError: the two tables do not hold the same ids and labels.
    """
    models, id = models_of(oof), schema.id.name
    mean = oof.astype({id: train[id].dtype}).groupby(id)[["label", *models]].mean()
    labels = train.set_index(id)[schema.target.name].astype(float).rename("label")
    if not mean["label"].sort_index().equals(labels.sort_index()):
        raise DataError(
            f"oof.csv: its {schema.row_names} or labels are not those of train.csv; train again"
        )
    positive = mean["label"].to_numpy() == 1  # (rows,)
    predicted = mean[models].to_numpy() >= 0.5  # (rows, models)
    wrong = mean[(predicted != positive[:, None]).all(axis=1)]
    error = (wrong["label"] - wrong[models].mean(axis=1)).abs()
    order = error.sort_values(ascending=False, kind="stable").index
    others = [column.name for column in schema.columns if column.name not in mean]
    found: pd.DataFrame = wrong.loc[order].astype({"label": int}).join(train.set_index(id)[others])
    return found.reset_index()


def related_rows(ids: Iterable[Any], tables: Tables, competition: Competition) -> pd.DataFrame:
    """The other rows of each row's group, as the competition defines groups.

    Args:
        ids: of the rows asked for.
        tables: both tables; rows without a label are related too.
        competition: whose groups; where it has none, no rows are related.

    Returns:
        A line per row asked for and related row: `of`, the id of the former, and the latter's
        columns, its target as `label`, which is missing where it is not known.
    """
    everyone = pd.concat([tables.train, tables.test], ignore_index=True)
    known = everyone[tables.schema.id.name].to_numpy()
    groups = competition.groups(everyone) if competition.groups else np.arange(len(everyone))
    everyone = everyone.rename(columns={tables.schema.target.name: "label"})
    parts = [everyone.head(0).assign(of=known[:0])]
    for row_id in ids:
        of_group = groups == groups[known == row_id]  # (rows,)
        parts.append(everyone[of_group & (known != row_id)].assign(of=row_id))
    return pd.concat([part for part in parts if len(part)] or parts)
