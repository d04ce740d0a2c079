"""The columns of Titanic's tables, as Kaggle writes them."""

from functools import partial

from titanic_nn.tables.schema import (
    LARGEST,
    LARGEST_ID,
    Column,
    TableSchema,
    any_text,
    numbers,
    one_of,
    whole_numbers,
)

_NUMBER = f"a number from 0 to {LARGEST}, or nothing"


def _whole(name: str, low: int, high: int, expected: str | None = None) -> Column:
    parse = partial(whole_numbers, low=low, high=high)
    return Column(name, "int64", parse, expected or f"a whole number from {low} to {high}")


# An unknown port is accepted (it is encoded as none of the known ones); an unknown sex is an error.
SCHEMA = TableSchema(
    id=_whole("PassengerId", 0, LARGEST_ID),
    target=_whole("Survived", 0, 1, "0 or 1"),
    columns=(
        _whole("Pclass", 1, 3, "1, 2 or 3"),
        Column("Name", "str", any_text, "a name"),
        Column("Sex", "str", partial(one_of, allowed=("male", "female")), "male or female"),
        Column("Age", "float64", numbers, _NUMBER, may_be_missing=True),
        _whole("SibSp", 0, LARGEST),
        _whole("Parch", 0, LARGEST),
        Column("Ticket", "str", any_text, "a ticket"),
        Column("Fare", "float64", numbers, _NUMBER, may_be_missing=True),
        Column("Cabin", "str", any_text, "a cabin, or nothing", may_be_missing=True),
        Column("Embarked", "str", any_text, "a port, or nothing", may_be_missing=True),
    ),
    row_name="passenger",
    labels=("0", "1"),
    class_names=("died", "survived"),
)
