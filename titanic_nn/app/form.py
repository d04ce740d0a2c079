"""The form of one row, from a competition's columns and a table: a field per column."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import pandas as pd
from pydantic.dataclasses import dataclass

from titanic_nn.errors import DataError
from titanic_nn.tables.schema import TableSchema, check_frame
from titanic_nn.tables.state import STRICT, Finite

MOST_CHOICES = 12  # values of a text column that are offered as a list


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
    """
    numbers = [c.name for c in schema.columns if c.dtype != "str"]
    texts = [c.name for c in schema.columns if c.dtype == "str"]
    choices = {name: _choices(table[name]) for name in texts}
    typical: dict[str, Any] = {name: table[name].median() for name in numbers}
    typical |= {name: _most_frequent(table[name]) for name in texts if choices[name]}
    defaults = dict(typical)
    if examples is not None:
        categories = [name for name in typical if name not in numbers]
        same = sum((examples[n].fillna("") == typical[n]).astype(int) for n in categories)
        # Between 0 and 1, so that it decides between rows with equally many typical categories.
        far = (examples[numbers] - table[numbers].median()).abs().rank(pct=True).fillna(1)
        score = pd.Series(same, examples.index) - (far.mean(axis=1) / 2 if numbers else 0.0)
        defaults = examples.loc[score.idxmax()].to_dict()
    fields = []
    for column in schema.columns:
        name, default = column.name, defaults.get(column.name)
        if column.dtype == "str":
            kind: Kind = "choice" if choices[name] else "text"
            text = "" if default is None or pd.isna(default) else str(default)
            offered = (*choices[name], *([""] if column.may_be_missing and choices[name] else []))
            fields.append(Field(name, kind, column.expected, text, offered))
        else:
            number = None if pd.isna(default) else float(default)
            if number is not None and column.dtype == "int64":
                number = float(round(number))
            fields.append(Field(name, "number", column.expected, number))
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


def _most_frequent(texts: "pd.Series[str]") -> str:
    return str(texts.fillna("").mode().iloc[0])
