"""Forms: expressions, controls from a table's values, and what companions of a scenario make."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from titanic_tables import bundled
from toads import TOADS, toads

from titanic_nn.competitions.form import Value, evaluate, expression, number_control, plain_form
from titanic_nn.competitions.titanic.companions import Companions
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.competitions.titanic.form import SCENARIOS, scenario_features
from titanic_nn.config import FeatureConfig
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + 2 * b - 1", 6.0),
        ("log1p(a / b)", np.log1p(1.0 / 3)),
        ("a < b and not missing(a)", True),
        ('"few" if a < 1 or b < 1 else "many"', "many"),
        ('word + ", " + class_ == "x, y"', True),
        ("nothing + 1", None),
        ("nothing < 1", False),
        ("nothing == nothing", False),
        ("missing(log1p(nothing))", True),
    ],
)
def test_an_expression_has_its_value(text: str, value: Any) -> None:
    values: dict[str, Value] = {"a": 1.0, "b": 3.0, "word": "x", "class": "y", "nothing": None}
    assert evaluate(expression(text), values) == value


def test_an_expression_looks_up() -> None:
    tree = ["lookup", "table", ["+", ["name", "a"], ["value", "!"]]]
    assert evaluate(tree, {"a": "x"}, {"table": {"x!": 7.0}}) == 7.0
    assert evaluate(tree, {"a": "y"}, {"table": {"x!": 7.0}}) is None


@pytest.mark.parametrize("text", ["a.b", "a[0]", "f(a)", "__import__('os')", "a ** 2", "[a]"])
def test_no_other_code_is_an_expression(text: str) -> None:
    with pytest.raises(ValueError, match="is no expression of a form"):
        expression(text)


def test_a_control_of_a_number_covers_the_training_rows() -> None:
    nan = float("nan")
    whole = number_control("n", "n", np.array([3.0, 1, 7, nan]))
    assert (whole.low, whole.high, whole.step, whole.start) == (1, 7, 1, 3)
    assert whole.may_be_unknown
    small = number_control("n", "n", np.array([0.1234, 0.22, 0.31]))
    assert (small.low, small.high, small.step, small.start) == (0.123, 0.31, 0.001, 0.22)
    assert not small.may_be_unknown
    for constant in (np.array([2.0, 2.0]), np.array([nan, nan])):
        control = number_control("n", "n", constant)
        assert control.low < control.high


def test_any_competition_has_a_form() -> None:
    table = toads(200)
    y = np.array([TOADS.schema.labels.index(kind) for kind in table["Kind"]], np.int64)
    rows = TOADS.features.columns(table)
    encoder = Encoder(TOADS.features, FeatureConfig()).fit(rows, y)
    form = plain_form(encoder, rows, y)
    assert [(c.name, c.kind) for c in form.controls] == [
        ("length", "number"),
        ("warts", "number"),
        ("back", "choice"),
    ]
    assert list(form.alike) == ["warts", "back"]
    assert evaluate(form.alike["warts"], {"warts": 2.0}) == "below 19"


@pytest.mark.parametrize("key", SCENARIOS)
@pytest.mark.parametrize("sex", ["female", "male"])
def test_a_scenario_has_the_features_of_such_a_party(key: str, sex: str) -> None:
    """A party is put into the training rows; one more of its members has these features."""
    scenario, train = SCENARIOS[key], bundled().train
    far = "9000000"  # no other ticket number is near
    party = train.head(len(scenario.companions) + 1).assign(
        Pclass=2, Ticket=far, Fare=999.0, PassengerId=range(5000, 5001 + len(scenario.companions))
    )
    party["Name"] = [f"Novel, Mx. {i}" for i in range(len(party))]
    party["Sex"] = [*(who[0] for who in scenario.companions), sex]
    party["Age"] = [*(4.0 if who[1] == "child" else 40.0 for who in scenario.companions), 30.0]
    survived = [int(who[2]) for who in scenario.companions]

    known = pd.concat([train, party.iloc[:-1]], ignore_index=True)
    y = np.array([*train["Survived"], *survived])

    def columns(table: pd.DataFrame) -> Columns:
        return Columns.of(passenger_features(table), TITANIC.features.text_columns)

    companions = Companions().fit(columns(known), y)
    rows = columns(party.iloc[-1:])
    companions.expected[:] = companions.expected.mean(axis=0)  # as for a name that is not known
    expected = companions.transform(rows)
    found = scenario_features(companions)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name][f"{key}: {sex}, 2, adult"] == pytest.approx(values[0]), name
