"""The form in which a person describes a passenger, and what the nets read of the group."""

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titanic_nn.competitions.form import (
    Control,
    Expression,
    Form,
    choice_control,
    expression,
    likely_alike,
    number_control,
)
from titanic_nn.competitions.spaceship.features import BILL_FEATURES, GOODS, SERVICES
from titanic_nn.tables.columns import Columns

if TYPE_CHECKING:
    from titanic_nn.tables.encode import Encoder

YES_OR_NO = {"True": "yes", "False": "no"}
DEAREST = 30_000.0  # of a bill's slider; a number that is typed may be larger
LARGEST_GROUP = 8


def _sum(names: tuple[str, ...]) -> Expression:
    """The sum of the numbers of these names."""
    terms: list[Expression] = [["name", name] for name in names]
    return reduce(lambda total, term: ["+", total, term], terms)


BILLS = tuple(BILL_FEATURES.values())
DERIVED: dict[str, Expression] = {
    "total": _sum(BILLS),
    "cryosleep": expression('"False" if missing(cryosleep) and 0 < total else cryosleep'),
    "cabin_missing": expression("missing(cabin_number)"),
    "age_missing": expression("missing(age)"),
    "child": expression("age < 13"),
    **{name: ["log1p", ["name", bill]] for name, bill in BILL_FEATURES.items()},
    "log_services": ["log1p", _sum(SERVICES)],
    "log_goods": ["log1p", _sum(GOODS)],
    "log_total": expression("log1p(total)"),
    **{
        f"{bill} paid": ["if", ["<", ["value", 0], ["name", bill]], ["value", 1], ["value", 0]]
        for bill in BILLS
    },
    "bills": _sum(tuple(f"{bill} paid" for bill in BILLS)),
    "no_bill": expression("total == 0"),
    "no_bill_from_13": expression("no_bill and not child"),
    "alone": expression("group_size == 1"),
    "group_asleep": expression('(others_asleep + (1 if cryosleep == "True" else 0)) / group_size'),
    "log_group_total": expression("log1p(total + others_total)"),
}


def passenger_form(encoder: "Encoder", rows: Columns, y: NDArray[np.int64]) -> Form:
    """The form of an encoder and the training rows that it was fitted on."""
    numbers = encoder.plain(rows)
    most = float(LARGEST_GROUP)
    controls = (
        choice_control("home_planet", "Home planet", rows),
        choice_control("cryosleep", "In cryosleep", rows, YES_OR_NO, start="False"),
        choice_control("destination", "Destination", rows),
        number_control("age", "Age", numbers["age"], low=0.0),
        choice_control("deck", "Deck", rows),
        choice_control("side", "Side", rows, {"P": "port", "S": "starboard"}),
        number_control("cabin_number", "Cabin number", numbers["cabin_number"]),
        Control("vip", "VIP", "flag", False),
        *(
            Control(bill, f"Bill: {bill}", "number", 0.0, high=DEAREST, logarithmic=True)
            for bill in BILLS
        ),
        Control("group_size", "Passengers of the group", "number", 1.0, low=1.0, high=most),
        Control("family_size", "of these, with the surname", "number", 1.0, low=1.0, high=most),
        Control("others_asleep", "Others of the group in cryosleep", "number", 0.0, high=most - 1),
        Control(
            "others_total", "Bills of the others", "number", 0.0, high=DEAREST, logarithmic=True
        ),
        number_control(
            "group", "Number of the group", numbers["group"], note="in order of booking"
        ),
    )
    alike = likely_alike(encoder, rows, y)
    return Form(controls, DERIVED, alike)
