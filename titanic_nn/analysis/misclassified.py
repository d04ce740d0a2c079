"""The rows that every model of a run misclassifies, and the rows of the same group."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import DataError
from titanic_nn.evaluation.metrics import of_true_class
from titanic_nn.evaluation.predictions import (
    column_names,
    models_of,
    most_probable,
    probabilities,
)
from titanic_nn.tables.schema import TableSchema, as_targets
from titanic_nn.tables.sources import Tables

# Columns of oof.csv between the id and the models.
KEYS = ("label", "repeat", "fold")


def misclassified(oof: pd.DataFrame, train: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """The rows that all models misclassify, by each one's mean out-of-fold probability.

    Args:
        oof: a run's oof.csv: a line per labelled row and repeat.
        train: the labelled table.
        schema: the table's columns.

    Returns:
        The id, `label`, a column of mean probabilities per model, and the other columns of
        `train`; the row with the largest mean error comes first. Of two classes the probabilities
        are those of class 1. Of more they are those of the row's own class, and after `label`
        stands `predicted`, the class with the highest mean over models.

    Raises:
        DataError: the two tables do not hold the same ids and labels.
    """
    models, id = models_of(oof), schema.id.name
    columns = [c for model in models for c in column_names(model, schema.labels)]
    mean = oof.astype({id: train[id].dtype}).groupby(id)[["label", *columns]].mean()
    labels = train.set_index(id)[schema.target.name].astype(float).rename("label")
    if not mean["label"].sort_index().equals(labels.sort_index()):
        raise DataError(
            f"oof.csv: its {schema.row_names} or labels are not those of train.csv; train again"
        )
    p = [probabilities(mean, model) for model in models]
    codes = mean["label"].to_numpy().astype(np.int64)  # (rows,)
    all_wrong = np.all([most_probable(of_model) != codes for of_model in p], axis=0)
    perfect = mean["label"]
    if len(schema.labels) > 2:
        y = as_targets(codes, len(schema.labels))
        of_own = {m: of_true_class(y, of_model) for m, of_model in zip(models, p, strict=True)}
        predicted = np.mean(p, axis=0).argmax(axis=1)
        mean = mean[["label"]].assign(predicted=predicted, **of_own)
        perfect = perfect.clip(1, 1)
    wrong = mean[all_wrong]
    error = (perfect[all_wrong] - wrong[models].mean(axis=1)).abs()
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
