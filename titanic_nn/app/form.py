"""The form of one row, from a competition's columns and a table: a field per column."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pandas as pd
from pydantic.dataclasses import dataclass

from titanic_nn.errors import ConfigError, DataError
from titanic_nn.tables.schema import Column, TableSchema, check_frame
from titanic_nn.tables.state import STRICT, Finite

MOST_CHOICES = 12  # values of a text column that are offered as a list
MOST_FIELDS = 200  # of a form

Kind: TypeAlias = Literal["number", "choice", "text"]


@dataclass(frozen=True, config=STRICT)
class Field:
    """One column of the form; `None` and "" stand for a missing value."""

    column: str
    kind: Kind
    expected: str  # what the column accepts
    default: Finite | str | None
    choices: tuple[str, ...] = ()


def fields_of(
    schema: TableSchema, table: pd.DataFrame, examples: pd.DataFrame | None
) -> tuple[Field, ...]:
    """A field per column but the id.

    Args:
        schema: of the table.
        table: checked; a text column with few values becomes a choice of them.
        examples: rows that the model was not trained on; the most typical one makes the defaults.
            None: medians and most frequent values do, and a text is empty.

    Raises:
        ConfigError: there are more columns than a form can hold.
    """
    if len(schema.columns) > MOST_FIELDS:
        raise ConfigError(
            f"the table has {len(schema.columns)} columns, more than the {MOST_FIELDS} that a form "
            "can hold; use `titanic-nn predict`"
        )
    choices = {c.name: _choices(table[c.name]) for c in schema.columns if c.dtype == "str"}
    # Of numbers, and of texts with few values.
    typical = {
        c.name: _typical(table[c.name], c)
        for c in schema.columns
        if c.dtype != "str" or choices[c.name]
    }
    defaults = typical if examples is None else _nearest(typical, examples)
    fields = []
    for column in schema.columns:
        default: Any = defaults.get(column.name)
        missing = default is None or pd.isna(default)
        if column.dtype != "str":
            number = None if missing else float(default)
            fields.append(Field(column.name, "number", column.expected, number))
            continue
        text = "" if missing else str(default)
        offered = choices[column.name]
        if offered:
            offered = tuple(dict.fromkeys([*offered, text, *([""] * column.may_be_missing)]))
        kind: Kind = "choice" if offered else "text"
        fields.append(Field(column.name, kind, column.expected, text, offered))
    return tuple(fields)


def checked_row(
    values: Sequence[Any], fields: Sequence[Field], schema: TableSchema
) -> pd.DataFrame:
    """The form's values as a checked table of one row, without an id.

    Raises DataError, in one line, which names the column.
    """
    cells = {}
    for field, value in zip(fields, values, strict=True):
        if value is not None and not isinstance(value, str | int | float):
            raise DataError(f"column {field.column}: is no text and no number")
        cells[field.column] = [str("" if value is None else value)]
    try:
        return check_frame(pd.DataFrame(cells, dtype=str), name="form", columns=schema.columns)
    except DataError as error:
        raise DataError(str(error).removeprefix("form, row 0, ")) from None


def _choices(texts: "pd.Series[str]") -> tuple[str, ...]:
    """The values of a column that has few, in order; none of one that has many."""
    values = texts.dropna().unique().tolist()
    return tuple(sorted(values)) if len(values) <= min(MOST_CHOICES, len(texts) // 2) else ()


def _typical(values: pd.Series, column: Column) -> Any:
    """The median of numbers, the most frequent one of texts, of which "" is a missing one."""
    if column.dtype == "str":
        return str(values.fillna("").mode().iloc[0])
    median = values.median()
    return round(median) if column.dtype == "int64" else median


def _nearest(typical: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, Any]:
    """The row with the most of the typical texts; of several the one with the nearest numbers."""
    score = pd.Series(0.0, rows.index)
    for name, value in typical.items():
        if isinstance(value, str):
            score += rows[name].fillna("") == value
        else:  # at most 1/2 for all numbers together
            far = (rows[name] - value).abs().rank(pct=True).fillna(1)
            score -= far / (2 * len(typical))
    return {str(name): value for name, value in rows.iloc[int(score.argmax())].items()}
