"""The sex rule: survival rates by sex, on the side of one half that the rule demands."""

import numpy as np
import pytest
from numpy.typing import NDArray

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.sex_rule import SexRule
from titanic_nn.evaluation.metrics import accuracy


def probabilities(women: list[int], y: list[int]) -> NDArray[np.float64]:
    """Of all rows, (rows,), where the first ones, those with a label, are the training rows."""
    x = np.array(women, dtype=np.float64)[:, None]  # (rows, 1)
    rule = SexRule(["sex=female"]).fit(x[: len(y)], np.array(y))
    return rule.predict_proba(x)[:, 1]


def test_each_sex_has_the_survival_rate_of_its_training_rows() -> None:
    # Women: 2 of 3 survived. Men: 1 of 4. The last two rows are unlabelled.
    probability = probabilities([1, 1, 1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 0, 0, 1, 0])
    assert probability == pytest.approx([2 / 3] * 3 + [1 / 4] * 5 + [2 / 3])


def test_the_rule_prevails_where_the_rates_contradict_it() -> None:
    # No woman of two survived, and one man of two did.
    women = [1, 1, 0, 0]
    assert accuracy(women, probabilities(women, [0, 0, 0, 1])) == 1  # women, and nobody else


def test_where_the_sexes_cannot_be_told_apart_everyone_has_the_overall_rate() -> None:
    # Women only among the training rows: one of the two survived.
    assert probabilities([1, 1], [1, 0]) == pytest.approx(0.5)
    # The column is not encoded.
    x, y = np.zeros((5, 2)), np.array([1, 0, 0, 1, 0])
    rule = SexRule(["age", "fare"]).fit(x, y)
    assert rule.predict_proba(x) == pytest.approx(np.tile([0.6, 0.4], (5, 1)))


def test_it_is_the_competitions_rule() -> None:
    assert TITANIC.rule.name == "sex_rule"
    assert isinstance(TITANIC.rule.make(["sex=female"]), SexRule)
