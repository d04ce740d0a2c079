"""The form in which a person describes a passenger.

A name, ticket number and cabin are not asked for: of them the nets read title, holders of the
ticket, and deck. Companions are unknown at first. A scenario says who they were and who survived;
its features are those of the fitted `Companions`, for a passenger whose party and ticket
neighbours are exactly these companions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titanic_nn.competitions.form import (
    Control,
    Form,
    Value,
    choice_control,
    expression,
    number_control,
)
from titanic_nn.competitions.titanic.companions import CODE_OF_PEERS, Companions, PassengerGroups
from titanic_nn.competitions.titanic.features import PEERS
from titanic_nn.tables.columns import Columns

if TYPE_CHECKING:
    from titanic_nn.tables.encode import Encoder

UNKNOWN, USUAL = "unknown", "usual"
PORTS = {"C": "Cherbourg", "Q": "Queenstown", "S": "Southampton"}
CLASSES = {"1": "first", "2": "second", "3": "third"}
DEAREST = 600.0  # pounds; the tables' dearest ticket cost 512


@dataclass(frozen=True)
class Scenario:
    """Companions, each as sex, "adult" or "child", and whether they survived; and their number."""

    label: str
    companions: tuple[tuple[str, str, bool], ...]
    siblings_spouses: int
    parents_children: int

    def counts(self, pclass: str) -> NDArray[np.int32]:
        """How many died and survived, (peers, 2)."""
        counts = np.zeros((len(PEERS), 2), np.int32)
        for sex, age, survived in self.companions:
            counts[CODE_OF_PEERS[f"{sex}, {pclass}, {age}"], int(survived)] += 1
        return counts


def _family(mother: bool, sister: bool, father: bool) -> tuple[tuple[str, str, bool], ...]:
    return ("female", "adult", mother), ("female", "child", sister), ("male", "adult", father)


SCENARIOS = {
    "mother_saved": Scenario(
        "a family of four: mother and sister saved, father lost", _family(True, True, False), 1, 2
    ),
    "family_saved": Scenario("a family of four: all others saved", _family(True, True, True), 1, 2),
    "family_lost": Scenario(
        "a family of four: all others lost", _family(False, False, False), 1, 2
    ),
    "wife_saved": Scenario("a couple: the wife saved", (("female", "adult", True),), 1, 0),
    "wife_lost": Scenario("a couple: the wife lost", (("female", "adult", False),), 1, 0),
    "husband_saved": Scenario("a couple: the husband saved", (("male", "adult", True),), 1, 0),
    "husband_lost": Scenario("a couple: the husband lost", (("male", "adult", False),), 1, 0),
    "friends_lost": Scenario("two friends, men: both lost", 2 * (("male", "adult", False),), 0, 0),
}

# The title that most of a sex and age have; those without relatives on board are seldom married.
TITLE = expression(
    f"""(
        ("Master" if age < 15 else "Mr") if sex == "male" else
        ("Miss" if age < 15 or siblings_spouses + parents_children == 0 else "Mrs")
    ) if title == "{USUAL}" else title"""
)
DERIVED = {
    "title": TITLE,
    "age_missing": expression("missing(age)"),
    "family_size": expression("siblings_spouses + parents_children + 1"),
    "alone": expression("family_size == 1"),
    "log_fare": expression("log1p(fare)"),
    "fare_per_head": expression("log1p(fare / ticket_shared_by)"),
    "fare_missing": expression("missing(fare)"),
    "embarked_missing": expression("missing(embarked)"),
    "cabin_known": expression("not missing(deck)"),
}
AGE_GROUP = expression('"child" if title == "Master" or age < 15 else "adult"')


def passenger_form(encoder: "Encoder", rows: Columns, y: NDArray[np.int64]) -> Form:
    """The form of an encoder and the training rows that it was fitted on."""
    assert isinstance(encoder.fitted, PassengerGroups)
    features = scenario_features(encoder.fitted.companions)
    numbers = encoder.plain(rows)
    fare = np.expm1(numbers["log_fare"])
    titles = ((USUAL, "the usual one"), *((t, t) for t in encoder.categories["title"]))
    scenarios = ((UNKNOWN, "not known"), *((key, s.label) for key, s in SCENARIOS.items()))
    controls = (
        Control("sex", "Sex", "choice", "female", choices=(("female", "female"), ("male", "male"))),
        choice_control("class", "Class", rows, CLASSES, start="3", may_be_unknown=False),
        number_control("age", "Age", numbers["age"], start=22.0, low=0.0, step=1.0),
        number_control(
            "siblings_spouses",
            "Siblings and spouse on board",
            numbers["siblings_spouses"],
            start=0.0,
        ),
        number_control(
            "parents_children",
            "Parents and children on board",
            numbers["parents_children"],
            start=0.0,
        ),
        number_control(
            "fare",
            "Fare",
            fare,
            start=8.0,
            low=0.0,
            high=DEAREST,
            step=1.0,
            logarithmic=True,
            may_be_unknown=True,
            note="pounds of 1912, for the whole ticket",
        ),
        number_control(
            "ticket_shared_by", "Holders of the ticket", numbers["ticket_shared_by"], start=1.0
        ),
        choice_control("embarked", "Boarded at", rows, PORTS, start="S", may_be_unknown=True),
        Control("title", "Title", "choice", USUAL, choices=titles),
        choice_control(
            "deck", "Deck", rows, start=None, may_be_unknown=True, note="unknown: no cabin recorded"
        ),
        Control(
            "companions",
            "Companions",
            "choice",
            UNKNOWN,
            choices=scenarios,
            sets={
                key: {
                    "siblings_spouses": float(s.siblings_spouses),
                    "parents_children": float(s.parents_children),
                    "ticket_shared_by": float(len(s.companions) + 1),
                }
                for key, s in SCENARIOS.items()
            },
            note="who survived of those who travelled together",
        ),
    )
    peers = expression(
        'sex + ", " + class_ + ", " + ("child" if title == "Master" or age < 15 else "adult")'
    )
    derived = {**DERIVED, "party": ["+", expression('companions + ": "'), peers]}
    derived |= {name: ["lookup", name, ["name", "party"]] for name in features}
    alike = {"sex": ["name", "sex"], "class": ["name", "class"], "age": AGE_GROUP}
    return Form(controls, derived, alike, features)


def scenario_features(companions: Companions) -> dict[str, dict[str, Value]]:
    """Each companions' feature, by "scenario: peers" of the passenger."""
    found: dict[str, dict[str, Value]] = {}
    # A passenger's half is that of the name, which is not known: the mean of both.
    expected = companions.expected.mean(axis=0, keepdims=True)  # (1, peers)
    for key, peers, counts in _cases():
        code = np.array([CODE_OF_PEERS[peers]])
        made = companions.surpluses(code, expected, counts[None], counts[None])
        for name, values in made.items():
            found.setdefault(name, {})[f"{key}: {peers}"] = values[0].item()
    return found


def _cases() -> Iterator[tuple[str, str, NDArray[np.int32]]]:
    """Every scenario and peers, with the companions' counts (peers, 2)."""
    for peers in PEERS:
        yield UNKNOWN, peers, np.zeros((len(PEERS), 2), np.int32)
        for key, scenario in SCENARIOS.items():
            yield key, peers, scenario.counts(peers.split(", ")[1])
