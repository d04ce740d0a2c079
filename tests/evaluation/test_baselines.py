"""Baselines are fitted on each split's training rows, and predict its held-out rows."""

import warnings
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.evaluation.baselines import baseline_probabilities, baselines
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.encode import EncodedSplits
from titanic_nn.tables.splits import Split, final_split, repeated_stratified_splits

NAMES = ["age", "sex=female", "sex=male", "fare"]
LABELLED, TEST = 300, 60
BASELINES = baselines(TITANIC)

Table = tuple[EncodedSplits, NDArray[np.int64]]


@pytest.fixture(scope="module")
def table() -> Table:
    """Survivors are mostly women, and the well-to-do: splits with their matrices, and labels."""
    rng = np.random.default_rng(0)
    rows = LABELLED + TEST
    women = rng.random(rows) < 0.4
    age, fare = rng.normal(size=(2, rows))
    y = (3 * women - 2 + fare + rng.logistic(size=rows) > 0).astype(np.int64)[:LABELLED]
    splits = [*repeated_stratified_splits(y, 3, 1, seed=0), final_split(LABELLED, TEST)]
    scales = np.arange(1, len(splits) + 1)  # every split scales its numbers differently
    x = np.stack([np.stack([age / s, women, ~women, fare / s], axis=1) for s in scales])
    return EncodedSplits(splits, x.astype(np.float32)), y


def probabilities(
    name: str, encoded: EncodedSplits, y: NDArray[np.int64]
) -> dict[Split, NDArray[np.float64]]:
    return baseline_probabilities(partial(BASELINES[name], NAMES, 0), encoded, y)


def test_the_competitions_rule_comes_first() -> None:
    assert list(BASELINES) == ["sex_rule", "logistic_regression", "gradient_boosting"]


@pytest.mark.parametrize("name", BASELINES)
def test_every_held_out_row_of_every_split_gets_a_probability(name: str, table: Table) -> None:
    encoded, y = table
    with warnings.catch_warnings(action="error", category=UserWarning):
        found = probabilities(name, encoded, y)
    assert list(found) == encoded.splits
    again = probabilities(name, encoded, y)
    for split, p in found.items():
        assert p.shape == split.held_out.shape
        assert p.dtype == np.float64
        assert ((p > 0) & (p < 1)).all()
        np.testing.assert_array_equal(p, again[split])


def test_every_split_is_fitted_on_its_own_rows_and_matrix(table: Table) -> None:
    encoded, y = table
    found = probabilities("logistic_regression", encoded, y)
    for split, matrix in zip(encoded.splits, encoded.x.astype(np.float64), strict=True):
        referee = LogisticRegression().fit(matrix[split.train], y[split.train])
        expected = referee.predict_proba(matrix[split.held_out])[:, 1]
        np.testing.assert_allclose(found[split], expected, rtol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_held_out_labels_are_never_read(name: str, table: Table) -> None:
    encoded, y = table
    split = encoded.splits[0]
    first = EncodedSplits([split], encoded.x[:1])
    flipped = y.copy()
    flipped[split.held_out] = 1 - flipped[split.held_out]
    before, after = (probabilities(name, first, labels)[split] for labels in (y, flipped))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["logistic_regression", "gradient_boosting"])
def test_the_classifiers_beat_the_sex_rule_where_fare_matters(name: str, table: Table) -> None:
    encoded, y = table
    split = encoded.splits[0]
    losses = {
        model: log_loss(y[split.held_out], probabilities(model, encoded, y)[split])
        for model in ("sex_rule", name)
    }
    assert losses[name] < losses["sex_rule"]


def test_where_the_rules_column_is_not_encoded_every_row_has_the_overall_rate(
    table: Table,
) -> None:
    encoded, y = table
    make = partial(BASELINES["sex_rule"], ["age", "fare"], 0)
    without_sex = EncodedSplits(encoded.splits, encoded.x[..., [0, 3]])
    for split, p in baseline_probabilities(make, without_sex, y).items():
        assert p == pytest.approx(y[split.train].mean())
