"""Calibration and ensemble weights: planted truths found again, and no held-out label seen."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from titanic_nn.estimators.calibration import Calibration
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.evaluation.ensembling import (
    INNER,
    Stack,
    calibration_table,
    ensemble_weights,
    fit_stacks,
    inner_splits,
)
from titanic_nn.tables.splits import Split, final_split, repeated_stratified_splits

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.02, 0.98, 20_000)
Y = (RNG.random(TRUTH.size) < TRUTH).astype(np.int64)


def test_a_planted_overconfidence_is_taken_back() -> None:
    too_sure = expit(2 * logit(TRUTH) + 1)  # so truth = sigmoid(logit / 2 - 1/2)
    calibration = Calibration.fit(too_sure, Y)
    assert calibration.slope == pytest.approx(0.5, abs=0.02)
    assert calibration.intercept == pytest.approx(-0.5, abs=0.05)
    assert log_loss(Y, calibration(too_sure)) < log_loss(Y, too_sure)


def test_calibration_is_where_the_likelihood_is_highest() -> None:
    p, y = TRUTH[:300] ** 2, Y[:300]
    found = Calibration.fit(p, y)

    def loss(ab: NDArray[np.float64]) -> float:
        return float(log_loss(y, expit(ab[0] * logit(p) + ab[1])))

    referee = minimize(loss, x0=np.array([1.0, 0.0]), tol=1e-10)
    assert (found.slope, found.intercept) == pytest.approx(tuple(referee.x), abs=1e-3)


def test_certain_probabilities_can_be_calibrated() -> None:
    p = np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    calibrated = Calibration.fit(p, np.array([0, 1, 1, 0, 1]))(p)
    assert np.isfinite(calibrated).all()
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


def test_a_stack_of_nothing_changes_nothing() -> None:
    stack = Stack.fit({"linear": TRUTH[:0], "relu": TRUTH[:0]}, Y[:0])
    said = stack({"linear": TRUTH, "relu": 1 - TRUTH})
    assert said["linear"] == pytest.approx(TRUTH)
    assert said["ensemble"] == pytest.approx(0.5)


def test_one_net_has_no_ensemble() -> None:
    assert list(Stack.fit({"relu": TRUTH}, Y)({"relu": TRUTH})) == ["relu"]


# --- Splits within splits ---


def test_inner_folds_cut_the_training_rows_alone() -> None:
    y = Y[:200]
    outer = [*repeated_stratified_splits(y, folds=4, repeats=2, seed=0), final_split(200, 50)]
    names = set()
    for split in outer:
        inner = inner_splits(split, y, folds=3, all_folds=4, seed=0)
        assert len(inner) == 3
        held_out = np.concatenate([s.held_out for s in inner])
        assert sorted(held_out) == split.train.tolist()
        for s in inner:
            assert sorted([*s.train, *s.held_out]) == split.train.tolist()
            assert y[s.held_out].mean() == pytest.approx(y[split.train].mean(), abs=0.03)
            names.add((s.repeat, s.fold))
    # Names decide the random numbers: none twice, and none of an outer split.
    assert len(names) == 3 * len(outer)
    assert min(repeat for repeat, _ in names) >= INNER


def test_more_repeats_leave_the_inner_folds_of_the_first_as_they_were() -> None:
    y = Y[:200]
    found = []
    for repeats in (1, 3):
        first = repeated_stratified_splits(y, folds=4, repeats=repeats, seed=0)[2]
        (inner, *_) = inner_splits(first, y, folds=3, all_folds=4, seed=0)
        found.append((inner.repeat, inner.held_out.tolist()))
    assert found[0] == found[1]


def test_without_folds_or_with_a_single_survivor_there_are_none() -> None:
    split = Split(0, 0, train=np.arange(5), held_out=np.arange(5, 8))
    y = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    assert inner_splits(split, y, folds=3, all_folds=2, seed=0) == []
    assert inner_splits(split, np.arange(8) % 2, folds=0, all_folds=2, seed=0) == []


def test_a_split_s_stack_hears_of_no_label_that_it_holds_out() -> None:
    y = Y[:120]
    outer = repeated_stratified_splits(y, folds=3, repeats=1, seed=0)
    inner = [inner_splits(split, y, folds=4, all_folds=3, seed=0) for split in outer]
    said = {
        name: [RNG.uniform(0.1, 0.9, len(split.held_out)) for of in inner for split in of]
        for name in ("a", "b")
    }
    before = fit_stacks(inner, y, said)
    for i, split in enumerate(outer):
        flipped = y.copy()
        flipped[split.held_out] = 1 - flipped[split.held_out]
        after = fit_stacks(inner, flipped, said)
        assert after[i] == before[i]
        assert all(after[j] != before[j] for j in range(3) if j != i)  # it trains those


def test_the_table_tells_before_from_after() -> None:
    y = np.array([0, 1, 0, 1])
    folds = [Split(0, f, train=np.arange(4), held_out=np.arange(2 * f, 2 * f + 2)) for f in (0, 1)]
    stacks = [Stack({"a": Calibration(2.0, 1.0)}, {"a": w}) for w in (0.2, 0.6)]
    before = {"a": [np.array([0.5, 0.5]), np.array([0.5, 0.5])]}
    after = {"a": [np.array([0.2, 0.8]), np.array([0.2, 0.8])]}
    row = calibration_table(y, folds, stacks, before, after).loc["a"]
    assert row["log_loss_before"] == pytest.approx(np.log(2))
    assert row["log_loss_after"] == pytest.approx(-np.log(0.8))
    # All at 0.5, of whom half survived: no error. Then 0.2 of whom none did, 0.8 of whom all did.
    assert (row["error_before"], row["error_after"]) == pytest.approx((0, 0.2))
    assert (row["slope"], row["intercept"], row["weight"]) == pytest.approx((2, 1, 0.4))
