import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.baselines import BASELINES, baseline_probabilities
from titanic_nn.evaluation.metrics import accuracy, log_loss
from titanic_nn.tables.splits import Split, final_split, repeated_stratified_splits

NAMES = ["age", "sex=female", "sex=male", "fare"]
LABELLED, TEST = 300, 60

Table = tuple[NDArray[np.float32], NDArray[np.int64], list[Split]]


@pytest.fixture(scope="module")
def table() -> Table:
    """Survivors are mostly women, and the well-to-do: x (splits, rows, features), y, splits."""
    rng = np.random.default_rng(0)
    rows = LABELLED + TEST
    women = rng.random(rows) < 0.4
    age, fare = rng.normal(size=(2, rows))
    y = (3 * women - 2 + fare + rng.logistic(size=rows) > 0).astype(np.int64)[:LABELLED]
    splits = [*repeated_stratified_splits(y, 3, 1, seed=0), final_split(LABELLED, TEST)]
    scales = np.arange(1, len(splits) + 1)  # every split scales its numbers in its own way
    x = np.stack([np.stack([age / s, women, ~women, fare / s], axis=1) for s in scales])
    return x.astype(np.float32), y, splits


@pytest.mark.parametrize("name", BASELINES)
def test_every_row_of_every_split_gets_a_probability(name: str, table: Table) -> None:
    x, y, splits = table
    with warnings.catch_warnings(action="error"):
        probability = baseline_probabilities(name, x, y, splits, NAMES, seed=0)
    assert probability.shape == (4, LABELLED + TEST)
    assert probability.dtype == np.float64
    assert ((probability > 0) & (probability < 1)).all()
    again = baseline_probabilities(name, x, y, splits, NAMES, seed=0)
    np.testing.assert_array_equal(probability, again)


def test_every_split_is_fitted_on_its_own_rows_and_matrix(table: Table) -> None:
    x, y, splits = table
    probability = baseline_probabilities("logistic_regression", x, y, splits, NAMES, seed=0)
    for split, matrix, ours in zip(splits, x.astype(np.float64), probability, strict=True):
        referee = LogisticRegression().fit(matrix[split.train], y[split.train])
        np.testing.assert_allclose(ours, referee.predict_proba(matrix)[:, 1], rtol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_held_out_labels_are_never_read(name: str, table: Table) -> None:
    x, y, splits = table
    lies = y.copy()
    lies[splits[0].held_out] = 1 - lies[splits[0].held_out]
    honest, lied_to = (
        baseline_probabilities(name, x[:1], labels, splits[:1], NAMES, seed=0)
        for labels in (y, lies)
    )
    np.testing.assert_array_equal(honest, lied_to)


@pytest.mark.parametrize("name", ["logistic_regression", "gradient_boosting"])
def test_the_classifiers_beat_the_sex_rule_where_fare_matters(name: str, table: Table) -> None:
    x, y, splits = table
    held_out = splits[0].held_out
    losses = {
        model: log_loss(
            y[held_out], baseline_probabilities(model, x, y, splits, NAMES, 0)[0, held_out]
        )
        for model in ("sex_rule", name)
    }
    assert losses[name] < losses["sex_rule"]


def _by_hand(women: list[int], y: list[int]) -> NDArray[np.float64]:
    """The sex rule's probabilities when it trains on all these rows."""
    x = np.array(women, dtype=np.float32).reshape(1, -1, 1)
    split = final_split(len(y), len(women) - len(y))
    return baseline_probabilities(
        "sex_rule", x, np.array(y), [split], ["sex=female"], seed=0
    ).ravel()


def test_the_sex_rule_gives_the_survival_rates_of_the_training_rows() -> None:
    # Women: 2 of 3 lived. Men: 1 of 4. The last two rows are unlabelled.
    probability = _by_hand([1, 1, 1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 0, 0, 1, 0])
    assert probability == pytest.approx([2 / 3] * 3 + [1 / 4] * 5 + [2 / 3])


def test_the_sex_rule_stays_the_rule_where_the_rates_would_not() -> None:
    # No woman of two lived, and one man of two did.
    women = [1, 1, 0, 0]
    probability = _by_hand(women, [0, 0, 0, 1])
    assert accuracy(women, probability) == 1  # at 0.5 it says: the women, and nobody else


def test_where_the_sexes_cannot_be_told_apart_everyone_has_the_rate_of_all(table: Table) -> None:
    x, y, splits = table
    probability = baseline_probabilities("sex_rule", x[..., [0, 3]], y, splits, ["age", "fare"], 0)
    for split, given in zip(splits, probability, strict=True):
        assert given == pytest.approx(y[split.train].mean())
    # Women only among the training rows: one of the two survived.
    assert _by_hand([1, 1], [1, 0]) == pytest.approx(0.5)


def test_an_unknown_baseline_is_refused_with_the_known_ones(table: Table) -> None:
    x, y, splits = table
    with pytest.raises(ConfigError, match="'forest': choose from sex_rule, logistic_regression"):
        baseline_probabilities("forest", x, y, splits, NAMES, 0)
