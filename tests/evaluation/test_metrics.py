"""Metrics, against scikit-learn and sums done by hand."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from numpy.typing import NDArray

from titanic_nn.errors import DataError
from titanic_nn.evaluation.metrics import (
    METRICS,
    accuracy,
    expected_calibration_error,
    f1,
    fold_metrics,
    log_loss,
    roc_auc,
)

Floats = NDArray[np.float64]

REFEREES: dict[str, Callable[[Floats, Floats], float]] = {
    "accuracy": lambda y, p: sklearn.metrics.accuracy_score(y, p >= 0.5),
    "log_loss": lambda y, p: sklearn.metrics.log_loss(y, p, labels=[0, 1]),
    "roc_auc": sklearn.metrics.roc_auc_score,
    "brier": sklearn.metrics.mean_squared_error,
    "f1": lambda y, p: sklearn.metrics.f1_score(y, p >= 0.5, zero_division=0),
}


def _cases() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 179).astype(np.float64)
    return {
        "random": (y, rng.random(179)),
        "tied": (y, rng.integers(0, 5, 179) / 4),
        "all tied, at the threshold": (y, np.full(179, 0.5)),
        "only 0 and 1": (y, rng.integers(0, 2, 179).astype(np.float64)),
        "perfect": (y, y),
        "two rows": (np.array([0.0, 1.0]), np.array([0.7, 0.2])),
        "none predicted positive": (y, np.full(179, 0.1)),
    }


SCORES = [*(metric.score for metric in METRICS.values()), expected_calibration_error]


@pytest.mark.parametrize("case", _cases())
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_agrees_with_scikit_learn(name: str, case: str) -> None:
    y, probability = _cases()[case]
    ours = METRICS[name].score(y, probability)
    assert ours == pytest.approx(REFEREES[name](y, probability), rel=1e-12, abs=1e-12)


def _three_classes() -> dict[str, tuple[NDArray[np.int64], Floats]]:
    rng = np.random.default_rng(2)
    y = np.concatenate([[0, 1, 2], rng.integers(0, 3, 97)])
    of_two = np.column_stack([rng.dirichlet(np.ones(2), 100), np.zeros(100)])
    return {
        "random": (y, rng.dirichlet(np.ones(3), 100)),
        "tied": (y, rng.multinomial(4, np.ones(3) / 3, 100) / 4),
        "all tied": (y, np.full((100, 3), 1 / 3)),
        "perfect": (y, np.eye(3)[y]),
        "certain and wrong": (y, np.eye(3)[(y + 1) % 3]),
        "no row is predicted as 2": (y, of_two),
    }


MULTICLASS_REFEREES: dict[str, Callable[[NDArray[np.int64], Floats], float]] = {
    "accuracy": lambda y, p: sklearn.metrics.accuracy_score(y, p.argmax(1)),
    "log_loss": lambda y, p: sklearn.metrics.log_loss(y, p, labels=[0, 1, 2]),
    "roc_auc": lambda y, p: sklearn.metrics.roc_auc_score(y, p, multi_class="ovr", average="macro"),
    "brier": lambda y, p: 3 * sklearn.metrics.mean_squared_error(np.eye(3)[y], p),
    "f1": lambda y, p: sklearn.metrics.f1_score(y, p.argmax(1), average="macro", zero_division=0),
}


@pytest.mark.parametrize("case", _three_classes())
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_three_classes_agrees_with_scikit_learn(name: str, case: str) -> None:
    y, p = _three_classes()[case]
    ours = METRICS[name].score(np.eye(3)[y], p)
    assert ours == pytest.approx(MULTICLASS_REFEREES[name](y, p), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("metric", SCORES)
def test_many_nets_of_three_classes_score_as_one_by_one(metric: Callable[..., Floats]) -> None:
    rng = np.random.default_rng(3)
    y = np.eye(3)[rng.integers(0, 3, 3)]  # as many rows as classes, which must not be confused
    p = rng.dirichlet(np.ones(3), (2, 4, 3))
    p[1, 2, 0] = np.nan
    together = metric(y, p)
    assert together.shape == (2, 4)
    for net in np.ndindex(2, 4):
        np.testing.assert_allclose(together[net], metric(y, p[net]), rtol=1e-12)
    assert np.isnan(together[1, 2])


@pytest.mark.parametrize("metric", SCORES)
def test_many_nets_at_once_score_as_one_by_one(metric: Callable[..., Floats]) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 30)
    probability = rng.integers(0, 11, (2, 3, 30)) / 10
    together = metric(y, probability)
    assert together.shape == (2, 3)
    for net in np.ndindex(2, 3):
        assert together[net] == pytest.approx(metric(y, probability[net]), rel=1e-12)


@pytest.mark.parametrize("metric", SCORES)
def test_a_diverged_net_scores_nan_and_the_others_are_unaffected(
    metric: Callable[..., Floats],
) -> None:
    y = np.array([0, 1, 1])
    healthy = [0.2, 0.7, 0.4]
    scores = metric(y, [healthy, [0.2, math.nan, 0.4]])
    assert scores[0] == metric(y, healthy)
    assert np.isnan(scores[1])


def test_scores_worked_by_hand() -> None:
    # Predicted at 0.5: 1, 0, 1, 0.  Truth: 1, 1, 0, 0.  Two of four right; TP 1, FP 1, FN 1.
    # AUC: positives 0.8 and 0.4, negatives 0.5 and 0.1: 0.8 exceeds both, 0.4 exceeds one: 3/4.
    # Log loss: -(ln 0.8 + ln 0.4 + ln 0.5 + ln 0.9) / 4 = -ln 0.144 / 4.
    # Brier: (0.2^2 + 0.6^2 + 0.5^2 + 0.1^2) / 4 = (0.04 + 0.36 + 0.25 + 0.01) / 4 = 0.165.
    scores = fold_metrics([1, 1, 0, 0], [0.8, 0.4, 0.5, 0.1])
    assert list(scores) == ["accuracy", "log_loss", "roc_auc", "brier", "f1"]
    assert scores == pytest.approx(
        {
            "accuracy": 0.5,
            "log_loss": -math.log(0.144) / 4,
            "roc_auc": 0.75,
            "brier": 0.165,
            "f1": 0.5,
        }
    )


def test_a_certain_mistake_costs_much_but_not_infinitely_much() -> None:
    assert log_loss([1], [0.0]) == pytest.approx(52 * math.log(2))  # the floor is 2^-52


def test_with_one_class_the_auc_is_nan_and_without_positives_f1_is_0() -> None:
    with warnings.catch_warnings(action="error"):
        assert np.isnan(roc_auc([0, 0], [0.1, 0.2]))
        assert f1([0, 0], [0.1, 0.2]) == 0


def test_calibration_error_is_the_sum_worked_by_hand() -> None:
    # Bin [0.2, 0.3): 0.2, 0.25 -> one of two is positive, mean 0.225: 2/5 * |0.5 - 0.225| = 0.11
    # Bin [0.9, 1.0]: 0.9, 1.0 and 1.0 -> two of three are positive, mean 2.9/3:
    #                                     3/5 * |2/3 - 2.9/3| = 3/5 * 0.3 = 0.18
    error = expected_calibration_error([1, 0, 1, 1, 0], [0.2, 0.25, 0.9, 1.0, 1.0])
    assert error == pytest.approx(0.29)
    # Of three classes: 0.6 and 0.6 for the predicted one, of which one is right, and 0.9, right:
    # 2/3 * |0.5 - 0.6| + 1/3 * |1 - 0.9| = 0.1.
    p = [[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.05, 0.05, 0.9]]
    assert expected_calibration_error(np.eye(3)[[0, 2, 2]], p) == pytest.approx(0.1)
    # In a single bin: |3/5 - 3.35/5| = 0.07.
    in_one = expected_calibration_error([1, 0, 1, 1, 0], [0.2, 0.25, 0.9, 1.0, 1.0], bins=1)
    assert in_one == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("y", "probability", "complaint"),
    [
        ([0, 1], [0.5], r"shape \(2,\) and probability \(1,\)"),
        ([], [], "at least one row"),
        ([0, 2], [0.5, 0.5], r"y holds 2\.0"),
        ([0, 1], [0.5, 1.7], r"probability holds 1\.7.*sigmoid of the logits"),
        ([[1, 0, 0]], [0.5], r"shape \(1, 3\) and probability \(1,\)"),
        ([[1, 0, 0], [0, 1, 1]], [[1, 0, 0], [1, 0, 0]], "y, row 1: is of 2 classes"),
    ],
)
def test_labels_and_probabilities_that_do_not_fit_are_refused(
    y: list[Any], probability: list[Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        accuracy(y, probability)
