"""The columns of Titanic's tables, as Kaggle writes them."""

from functools import partial

from titanic_nn.tables.schema import (
    LARGEST_ID,
    Column,
    TableSchema,
    Text,
    any_text,
    numbers,
    one_of,
    whole_numbers,
)

OLDEST = 120  # years
MOST_RELATIVES = 100  # Kaggle's largest families are of eleven
DEAREST = 10_000  # pounds; Kaggle's dearest ticket cost 512
TICKET_DIGITS = 15  # of a number that a float64 holds exactly; Kaggle's have seven


def _number(name: str, high: int, what: str) -> Column:
    expected = f"{what} from 0 to {high}, or nothing"
    parse = partial(numbers, high=high)
    return Column(name, "float64", parse, expected, may_be_missing=True)


def _whole(name: str, low: int, high: int, expected: str | None = None) -> Column:
    parse = partial(whole_numbers, low=low, high=high)
    return Column(name, "int64", parse, expected or f"a whole number from {low} to {high}")


def _ticket(text: Text) -> Text:
    """Any text that does not end in a longer number; a ticket that does becomes NaN."""
    return text.where(~text.str.contains(rf"\d{{{TICKET_DIGITS + 1}}}$"))


# An unknown port is accepted (it is encoded as none of the known ones); an unknown sex is an error.
SCHEMA = TableSchema(
    id=_whole("PassengerId", 0, LARGEST_ID),
    target=_whole("Survived", 0, 1, "0 or 1"),
    columns=(
        _whole("Pclass", 1, 3, "1, 2 or 3"),
        Column("Name", "str", any_text, "a name"),
        Column("Sex", "str", partial(one_of, allowed=("male", "female")), "male or female"),
        _number("Age", OLDEST, "years"),
        _whole("SibSp", 0, MOST_RELATIVES),
        _whole("Parch", 0, MOST_RELATIVES),
        Column(
            "Ticket", "str", _ticket, f"a ticket, whose number has at most {TICKET_DIGITS} digits"
        ),
        _number("Fare", DEAREST, "a number"),
        Column("Cabin", "str", any_text, "a cabin, or nothing", may_be_missing=True),
        Column("Embarked", "str", any_text, "a port, or nothing", may_be_missing=True),
    ),
    row_name="passenger",
    labels=("0", "1"),
    class_names=("died", "survived"),
)
