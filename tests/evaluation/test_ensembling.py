"""Calibration and ensemble weights: planted values are recovered, no held-out label is read."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax
from scipy.stats import norm

from titanic_nn.config import Config
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.evaluation.ensembling import (
    INNER,
    CalibratedEnsemble,
    calibrated,
    calibration_table,
    ensemble_weights,
    inner_splits,
)
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.splits import Split, final_split, repeated_stratified_splits

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.02, 0.98, 20_000)
Y = (RNG.random(TRUTH.size) < TRUTH).astype(np.int64)


def test_a_planted_overconfidence_is_corrected() -> None:
    too_sure = expit(2 * logit(TRUTH) + 1)  # so truth = sigmoid(logit / 2 - 1/2)
    calibration = Calibration.fit(too_sure, Y)
    assert calibration.slope == pytest.approx(0.5, abs=0.02)
    assert calibration.intercept == pytest.approx(-0.5, abs=0.05)
    assert log_loss(Y, calibration(too_sure)) < log_loss(Y, too_sure)


def test_calibration_maximizes_the_likelihood() -> None:
    p, y = TRUTH[:300] ** 2, Y[:300]
    found = Calibration.fit(p, y)

    def loss(ab: NDArray[np.float64]) -> float:
        return float(log_loss(y, expit(ab[0] * logit(p) + ab[1])))

    referee = minimize(loss, x0=np.array([1.0, 0.0]), tol=1e-10)
    assert (found.slope, found.intercept) == pytest.approx(tuple(referee.x), abs=1e-3)


def _three_classes(rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """True probabilities (rows, 3), and one-hot labels drawn from them."""
    rng = np.random.default_rng(1)
    p = rng.dirichlet([2.0, 1.0, 1.0], rows)
    return p, np.eye(3, dtype=np.int64)[(rng.random((rows, 1)) > p.cumsum(1)[:, :2]).sum(1)]


def test_of_three_classes_a_planted_temperature_is_found() -> None:
    p, y = _three_classes(20_000)
    too_sure = softmax(2 * np.log(p), axis=1)
    calibration = Calibration.fit(too_sure, y)
    assert calibration.slope == pytest.approx(0.5, abs=0.02)
    assert calibration.intercept == 0
    np.testing.assert_allclose(calibration(too_sure), p, atol=0.02)
    assert log_loss(y, calibration(too_sure)) < log_loss(y, too_sure)


def test_the_temperature_maximizes_likelihood_times_prior() -> None:
    p, y = _three_classes(200)
    found = Calibration.fit(p, y)

    def loss(slope: NDArray[np.float64]) -> float:
        of_prior = float(norm.logpdf(np.log(slope[0])))
        return 200 * float(log_loss(y, softmax(slope[0] * np.log(p), axis=1))) - of_prior

    referee = minimize(loss, x0=np.array([1.0]), bounds=[(0.1, 10)])
    assert found.slope == pytest.approx(referee.x[0], abs=1e-3)


def test_where_all_rows_are_right_the_temperature_stays_finite() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [1, 0, 0]])
    calibration = Calibration.fit(p, np.eye(3, dtype=np.int64)[[0, 1, 2, 0]])
    assert 1 < calibration.slope < 10
    assert np.isfinite(calibration(p)).all()
    assert Calibration()(p) == pytest.approx(p, abs=1e-9)


def test_of_two_classes_without_an_intercept_the_temperature_is_the_slope() -> None:
    p = np.stack([1 - TRUTH, TRUTH], axis=1)
    np.testing.assert_allclose(Calibration(1.7)(p)[:, 1], Calibration(1.7)(TRUTH))


def test_weights_of_three_classes_are_those_of_the_least_log_loss() -> None:
    p, y = _three_classes(2000)
    noise = np.random.default_rng(2).normal(size=(2, *p.shape))
    models = [softmax(np.log(p) + sd * n, axis=1) for sd, n in zip((0.5, 1), noise, strict=True)]
    found = ensemble_weights(models, y)
    losses = [log_loss(y, w * models[0] + (1 - w) * models[1]) for w in np.linspace(0, 1, 101)]
    assert found[0] == pytest.approx(np.argmin(losses) / 100, abs=0.02)
    assert found.sum() == pytest.approx(1)


def test_certain_probabilities_can_be_calibrated() -> None:
    p = np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    after = Calibration.fit(p, np.array([0, 1, 1, 0, 1]))(p)
    assert np.isfinite(after).all()
    assert Calibration()(p) == pytest.approx(p, abs=1e-9)


def test_weights_are_those_of_the_least_log_loss() -> None:
    models = [expit(logit(TRUTH) + RNG.normal(0, noise, TRUTH.size)) for noise in (0.5, 1.0, 3.0)]

    def loss(w: NDArray[np.float64]) -> float:
        return float(log_loss(Y, np.clip(w @ np.stack(models), 0, 1)))

    found = ensemble_weights(models, Y)
    referee = minimize(  # type: ignore[call-overload]
        loss,
        x0=np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-10,
    )
    assert found.sum() == pytest.approx(1)
    assert loss(found) == pytest.approx(loss(referee.x), abs=1e-5)
    assert found[0] > found[1] > found[2]


def test_without_inner_splits_nets_are_unchanged_and_weights_equal() -> None:
    ensemble = CalibratedEnsemble.fit({"linear": {}, "relu": {}}, [], Y)
    predictions = ensemble.predict({"linear": TRUTH, "relu": 1 - TRUTH})
    assert predictions["linear"] == pytest.approx(TRUTH)
    assert predictions["ensemble"] == pytest.approx(0.5)


def test_an_ensemble_is_fitted_on_the_held_out_rows_of_all_splits_together() -> None:
    y, p = Y[:300], {"a": TRUTH[:300] ** 2, "b": np.sqrt(TRUTH[:300])}
    splits = repeated_stratified_splits(y, folds=3, repeats=1, seed=0)
    held_out = {net: {split: of[split.held_out] for split in splits} for net, of in p.items()}
    ensemble = CalibratedEnsemble.fit(held_out, splits, y)
    order = np.concatenate([split.held_out for split in splits])
    fitted = {net: Calibration.fit(of[order], y[order]) for net, of in p.items()}
    assert ensemble.calibrations == fitted
    weights = ensemble_weights([fitted[net](p[net][order]) for net in p], y[order])
    assert list(ensemble.weights.values()) == pytest.approx(weights.tolist())


def test_one_net_has_no_ensemble() -> None:
    everyone = Split(0, 0, train=np.arange(100), held_out=np.arange(100))
    ensemble = CalibratedEnsemble.fit({"relu": {everyone: TRUTH[:100]}}, [everyone], Y[:100])
    assert list(ensemble.predict({"relu": TRUTH})) == ["relu"]


def test_each_split_is_calibrated_by_its_own_fit() -> None:
    splits = [Split(0, f, train=np.arange(4), held_out=np.arange(2)) for f in (0, 1)]
    p = np.array([0.2, 0.7])
    held_out = {net: dict.fromkeys(splits, p) for net in ("a", "b")}
    first = CalibratedEnsemble({"a": Calibration(2.0, 1.0), "b": Calibration()}, {"a": 1, "b": 0})
    second = CalibratedEnsemble({"a": Calibration(), "b": Calibration()}, {"a": 0.5, "b": 0.5})
    found = calibrated(held_out, dict(zip(splits, (first, second), strict=True)))
    assert list(found) == ["a", "b", "ensemble"]
    assert found["a"][splits[0]] == pytest.approx(expit(2 * logit(p) + 1))
    assert found["ensemble"][splits[0]] == pytest.approx(found["a"][splits[0]])
    for net in ("a", "b", "ensemble"):
        assert found[net][splits[1]] == pytest.approx(p)


# --- Splits within splits ---


def test_inner_folds_split_the_training_rows_only() -> None:
    y = Y[:200]
    outer = [*repeated_stratified_splits(y, folds=4, repeats=2, seed=0), final_split(200, 50)]
    identities = set()
    for split in outer:
        inner = inner_splits(split, y, Config(folds=4, inner_folds=3))
        assert len(inner) == 3
        held_out = np.concatenate([s.held_out for s in inner])
        assert sorted(held_out) == split.train.tolist()
        for s in inner:
            assert sorted([*s.train, *s.held_out]) == split.train.tolist()
            assert y[s.held_out].mean() == pytest.approx(y[split.train].mean(), abs=0.03)
            identities.add((s.repeat, s.fold))
    # Random numbers depend on the identity: none occurs twice, and none is an outer split's.
    assert len(identities) == 3 * len(outer)
    assert min(repeat for repeat, _ in identities) >= INNER


def test_more_repeats_leave_the_inner_folds_of_the_first_as_they_were() -> None:
    y = Y[:200]
    found = []
    for repeats in (1, 3):
        first = repeated_stratified_splits(y, folds=4, repeats=repeats, seed=0)[2]
        (inner, *_) = inner_splits(first, y, Config(folds=4, inner_folds=3))
        found.append((inner.repeat, inner.held_out.tolist()))
    assert found[0] == found[1]


def test_with_no_inner_folds_or_a_single_row_of_a_class_there_are_none() -> None:
    split = Split(0, 0, train=np.arange(5), held_out=np.arange(5, 8))
    y = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    assert inner_splits(split, y, Config(folds=2, inner_folds=3)) == []
    assert inner_splits(split, np.arange(8) % 2, Config(folds=2, inner_folds=0)) == []


def test_a_splits_ensemble_does_not_depend_on_labels_that_it_holds_out() -> None:
    y = Y[:120]
    outer = repeated_stratified_splits(y, folds=3, repeats=1, seed=0)
    inner = [inner_splits(split, y, Config(folds=3, inner_folds=4)) for split in outer]
    held_out = {
        net: {split: RNG.uniform(0.1, 0.9, len(split.held_out)) for of in inner for split in of}
        for net in ("a", "b")
    }

    def ensembles(labels: NDArray[np.int64]) -> list[CalibratedEnsemble]:
        return [CalibratedEnsemble.fit(held_out, of, labels) for of in inner]

    before = ensembles(y)
    for i, split in enumerate(outer):
        flipped = y.copy()
        flipped[split.held_out] = 1 - flipped[split.held_out]
        after = ensembles(flipped)
        assert after[i] == before[i]
        assert all(after[j] != before[j] for j in range(3) if j != i)  # it trains those


def test_the_table_compares_before_and_after() -> None:
    y = np.array([0, 1, 0, 1])
    folds = [Split(0, f, train=np.arange(4), held_out=np.arange(2 * f, 2 * f + 2)) for f in (0, 1)]
    ensembles = {
        fold: CalibratedEnsemble({"a": Calibration(2.0, 1.0)}, {"a": weight})
        for fold, weight in zip(folds, (0.2, 0.6), strict=True)
    }
    before = {"a": dict.fromkeys(folds, np.array([0.5, 0.5]))}
    after = {"a": dict.fromkeys(folds, np.array([0.2, 0.8]))}
    row = calibration_table(y, folds, ensembles, before, after).loc["a"]
    assert row["log_loss_before"] == pytest.approx(np.log(2))
    assert row["log_loss_after"] == pytest.approx(-np.log(0.8))
    # All at 0.5, and half are positive: no error. Then 0.2 where none is, and 0.8 where all are.
    assert (row["ece_before"], row["ece_after"]) == pytest.approx((0, 0.2))
    assert (row["slope"], row["intercept"], row["weight"]) == pytest.approx((2, 1, 0.4))


def test_rows_at_which_every_net_is_wrong_with_certainty_leave_the_weights_finite() -> None:
    y = np.array([0, 1, 0, 1])
    certain, even = np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.5, 0.5, 0.5])
    weights = ensemble_weights([certain, even], y)
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1)
