"""The columns of Spaceship Titanic's tables, as Kaggle writes them."""

from functools import partial

from titanic_nn.tables.schema import (
    Column,
    TableSchema,
    Text,
    any_text,
    class_codes,
    numbers,
    one_of,
)

OLDEST = 120  # years
BILLS = ("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
LABELS = ("False", "True")


def _matching(text: Text, pattern: str) -> Text:
    """Text that matches the whole pattern; anything else becomes NaN."""
    return text.where(text.str.fullmatch(pattern))


def _flag(name: str) -> Column:
    parse = partial(one_of, allowed=LABELS)
    return Column(name, "str", parse, "True, False, or nothing", may_be_missing=True)


def _place(name: str) -> Column:
    return Column(name, "str", any_text, "a place, or nothing", may_be_missing=True)


def _bill(name: str) -> Column:
    return Column(name, "float64", numbers, "a bill from 0, or nothing", may_be_missing=True)


SCHEMA = TableSchema(
    id=Column(
        "PassengerId",
        "str",
        partial(_matching, pattern=r"\d{1,9}_\d{1,9}"),
        "a group and a number in it, such as 0001_01",
    ),
    target=Column("Transported", "int64", partial(class_codes, labels=LABELS), "True or False"),
    columns=(
        _place("HomePlanet"),
        _flag("CryoSleep"),
        Column(
            "Cabin",
            "str",
            partial(_matching, pattern=r"[A-Z]/\d{1,9}/[PS]"),
            "deck/number/side, such as B/0/P, or nothing",
            may_be_missing=True,
        ),
        _place("Destination"),
        Column(
            "Age",
            "float64",
            partial(numbers, high=OLDEST),
            f"years from 0 to {OLDEST}, or nothing",
            may_be_missing=True,
        ),
        _flag("VIP"),
        *(_bill(name) for name in BILLS),
        Column("Name", "str", any_text, "a name, or nothing", may_be_missing=True),
    ),
    row_name="passenger",
    labels=LABELS,
    class_names=("left behind", "transported"),
)
