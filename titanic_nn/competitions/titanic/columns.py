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

_COUNT = partial(whole_numbers, low=0, high=LARGEST)
_A_COUNT = f"a whole number from 0 to {LARGEST}"
_A_NUMBER = f"a number from 0 to {LARGEST}"

# An unknown port is accepted (it is encoded as none of the known ones); an unknown sex is an error.
SCHEMA = TableSchema(
    id=Column(
        "PassengerId",
        "int64",
        partial(whole_numbers, low=0, high=LARGEST_ID),
        f"a whole number from 0 to {LARGEST_ID}",
    ),
    target=Column("Survived", "int64", partial(whole_numbers, low=0, high=1), "0 or 1"),
    columns=(
        Column("Pclass", "int64", partial(whole_numbers, low=1, high=3), "1, 2 or 3"),
        Column("Name", "str", any_text, "a name"),
        Column("Sex", "str", partial(one_of, allowed=("male", "female")), "male or female"),
        Column("Age", "float64", numbers, f"{_A_NUMBER}, or nothing", may_be_missing=True),
        Column("SibSp", "int64", _COUNT, _A_COUNT),
        Column("Parch", "int64", _COUNT, _A_COUNT),
        Column("Ticket", "str", any_text, "a ticket"),
        Column("Fare", "float64", numbers, f"{_A_NUMBER}, or nothing", may_be_missing=True),
        Column("Cabin", "str", any_text, "a cabin, or nothing", may_be_missing=True),
        Column("Embarked", "str", any_text, "a port, or nothing", may_be_missing=True),
    ),
    row_name="passenger",
    labels=("0", "1"),
    class_names=("died", "survived"),
)
