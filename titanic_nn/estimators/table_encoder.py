"""A competition's fitted encoder, from its tables to numbers; scikit-learn is not loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import ModelError
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.schema import check_frame
from titanic_nn.tables.state import STRICT, check_state


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _State:
    """The state of a TableEncoder."""

    competition: Annotated[str, Field(max_length=100)] | dict[str, Any]
    columns: list[str]
    encoder: dict[str, Any]


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """An encoder, and the columns of the table that it was fitted on.

    Attributes:
        competition: whose tables.
        columns: names of the fitted table's columns.
        encoder_: the fitted encoder.
    """

    competition: Competition
    columns: Sequence[str]
    encoder_: Encoder

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The encoder with the state of a CompetitionFeatures.

        Raises ConfigError for a competition unknown, ModelError where `state` gives no such state.
        """
        checked = check_state(_State, state, "features")
        competition = get_competition(checked.competition)
        for column in competition.schema.columns:
            if column.name not in checked.columns:
                raise ModelError(f"features.columns: {column.name} is missing")
        encoder = Encoder.from_state(competition.features, checked.encoder)
        return cls(competition, checked.columns, encoder)

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:  # noqa: N803
        """Encode any rows, (rows, features). Raises DataError where X breaks the schema."""
        return self.encoder_.transform(checked_columns(self.competition, X)[0])


def checked_columns(
    competition: Competition,
    X: pd.DataFrame,  # noqa: N803
) -> tuple[Columns, bool]:
    """The row features of a table, which is checked, and whether it has the id column."""
    schema = competition.schema
    with_ids = isinstance(X, pd.DataFrame) and schema.id.name in X.columns
    columns = schema.test_columns if with_ids else schema.columns
    table = check_frame(X, name="X", columns=columns)
    if not with_ids:  # negative numbers, or text with a leading blank: no checked id is like it
        new = -1 - np.arange(len(table))
        ids = [f" {number}" for number in new] if schema.id.dtype == "str" else new
        table = table.assign(**{schema.id.name: ids})
    return competition.features.columns(table), with_ids
