"""The learning curve: nested stratified prefixes, and power laws that are recovered."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls
from titanic_tables import bundled

from titanic_nn.analysis.learning_curve import (
    LearningCurve,
    extrapolate,
    learning_curve,
    nested_splits,
    power_law,
)
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import repeated_stratified_splits

COLUMNS = ["model", "train_fraction", "rows", "repeat", "fold", "training_loss", "held_out_loss"]
COLUMNS += ["training_accuracy", "held_out_accuracy"]
FRACTIONS = (0.1, 0.25, 0.5, 1.0)
SMALL: dict[str, Any] = {"folds": 3, "repeats": 2, "n_seeds": 2}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return bundled()


@pytest.fixture(scope="module")
def curve(tables: Tables) -> LearningCurve:
    return learning_curve(tables, train_fractions=FRACTIONS, models=["linear", "relu"], **SMALL)


def test_smaller_fractions_are_subsets_of_larger_ones_and_stratified() -> None:
    y = np.repeat([0, 1], [61, 39])
    identities = set()
    for split in repeated_stratified_splits(y, folds=5, repeats=2, seed=0):
        splits = nested_splits(split, y, [0.15, 0.4, 0.7, 1.0], seed=0)
        # 80 training rows, of which 0.15 is 12, 0.4 is 32 and 0.7 is 56.
        assert [len(s.train) for s in splits] == [12, 32, 56, 80]
        for less, more in pairwise(splits):
            assert set(less.train) < set(more.train)
        for s in splits:
            assert y[s.train].mean() == pytest.approx(y[split.train].mean(), abs=1 / len(s.train))
            assert s.held_out.tolist() == split.held_out.tolist()
            assert not set(s.train) & set(s.held_out)
        assert splits[-1].train.tolist() == split.train.tolist()
        assert (splits[-1].repeat, splits[-1].fold) == (split.repeat, split.fold)
        identities |= {(s.repeat, s.fold) for s in splits}
    assert len(identities) == 5 * 2 * 4


def test_a_fractions_rows_depend_on_the_seed_and_not_on_other_fractions() -> None:
    y = np.repeat([0, 1], 50)
    (split,) = repeated_stratified_splits(y, folds=2, repeats=1, seed=0)[:1]
    (alone,) = nested_splits(split, y, [0.5], seed=0)
    _, among, _ = nested_splits(split, y, [0.3, 0.5, 1.0], seed=0)
    assert alone.train.tolist() == among.train.tolist()
    (other,) = nested_splits(split, y, [0.5], seed=1)
    assert other.train.tolist() != alone.train.tolist()


def test_a_row_for_every_net_fraction_repeat_and_fold(curve: LearningCurve) -> None:
    assert list(curve.scores) == COLUMNS
    keys = curve.scores[["model", "train_fraction", "repeat", "fold"]]
    assert not keys.duplicated().any()
    assert len(keys) == 2 * len(FRACTIONS) * 3 * 2
    assert np.isfinite(curve.scores[COLUMNS[2:]]).all().all()
    # 891 rows in 3 folds leave 594 to train.
    assert curve.scores.groupby("train_fraction")["rows"].unique().explode().tolist() == [
        59,
        148,
        297,
        594,
    ]


def test_all_rows_score_as_in_a_comparison_of_models(curve: LearningCurve, tables: Tables) -> None:
    """Random numbers are the same; the columns can differ in those that only few rows have."""
    result = compare_models(tables, models=["linear", "relu"], inner_folds=0, **SMALL)
    all_rows = curve.summary[curve.summary["train_fraction"] == 1].set_index("model")
    for model in ("linear", "relu"):
        found, expected = all_rows.loc[model], result.summary.loc[model]
        assert found["held_out_loss"] == pytest.approx(expected["log_loss"], abs=0.002)
        assert found["low"] == pytest.approx(expected["log_loss_low"], abs=0.004)
        assert found["held_out_accuracy"] == pytest.approx(expected["accuracy"], abs=0.01)


def test_more_rows_lower_the_loss_and_close_the_gap(curve: LearningCurve) -> None:
    for _, of_model in curve.summary.groupby("model"):
        fewest, most = of_model.iloc[0], of_model.iloc[-1]
        assert most["held_out_loss"] < fewest["held_out_loss"] - 0.02
        gaps = of_model["held_out_loss"] - of_model["training_loss"]
        assert gaps.iloc[-1] < gaps.iloc[0]


def test_shuffled_labels_are_never_learnt(tables: Tables) -> None:
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(tables.y)
    unlearnable = replace(tables, train=tables.train.assign(Survived=shuffled))
    found = learning_curve(unlearnable, train_fractions=FRACTIONS, models=["linear"], **SMALL)
    rate = shuffled.mean()
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert (found.summary["held_out_loss"] > entropy).all()


def test_a_power_law_is_recovered() -> None:
    rows = np.array([50, 100, 200, 400, 800])
    laws = [(0.4, 0.1, 0.5), (0.0, 0.3, 0.2), (0.3, 0.02, 1.3)]
    losses = [a + b * (rows / 800) ** -c for a, b, c in laws]
    a, b, c = power_law(rows, losses)
    for found, law in zip(zip(a, b, c, strict=True), laws, strict=True):
        assert found == pytest.approx(law, rel=0.15, abs=0.02)
    fitted = a[:, None] + b[:, None] * (rows / 800) ** -c[:, None]
    assert fitted == pytest.approx(np.array(losses), abs=0.002)


def test_given_the_exponent_the_law_is_scipys_non_negative_least_squares() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([80, 160, 320, 640])
    for _ in range(50):
        losses = rng.uniform(0.1, 0.6, 4)  # many of them rise, some want a negative floor
        a, b, c = power_law(rows, losses)
        z = (rows / rows[-1]) ** -c
        (floor, factor), _ = nnls(np.stack([np.ones(4), z], axis=1), losses)
        assert (a, b) == pytest.approx((floor, factor), abs=1e-6)


def test_losses_that_do_not_fall_give_no_gain() -> None:
    a, b, _ = power_law([100, 200, 300, 400], [0.40, 0.41, 0.42, 0.43])
    assert b == 0
    assert a == pytest.approx(0.415)


def _scores(floor: float, factor: float, noise: float) -> pd.DataFrame:
    """Scores of 10 folds x 2 repeats: floor + factor * (n / 800)^-1, plus noise."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "train_fraction": fraction,
            "rows": 800 * fraction,
            "repeat": repeat,
            "fold": fold,
            "held_out_loss": floor + factor / fraction + noise * rng.normal(),
        }
        for repeat in range(2)
        for fold in range(10)
        for fraction in np.linspace(0.1, 1, 10)
    ]
    return pd.DataFrame(rows)


def test_twice_the_rows_halve_the_distance_to_the_floor() -> None:
    # At 800 rows 0.3 + 0.02 / 1 = 0.32, at 1600 0.3 + 0.02 / 2 = 0.31: lower by 0.01.
    law = extrapolate(_scores(0.3, 0.02, noise=1e-4), folds=10, seed=0)
    assert law.gain == pytest.approx(0.01, abs=1e-3)
    assert law.low < law.gain < law.high
    assert law.a + law.b * 800**-law.c == pytest.approx(0.32, abs=1e-3)
    assert law.enough == "no"


def test_there_is_enough_or_it_is_unknown() -> None:
    assert extrapolate(_scores(0.3, 0.002, noise=1e-4), folds=10, seed=0).enough == "yes"
    unsure = extrapolate(_scores(0.3, 0.01, noise=0.02), folds=10, seed=0)
    assert unsure.enough == "unknown"
    assert unsure.low < ROPES["log_loss"] < unsure.high
    # A step is no power law: the means are far from any.
    step = _scores(0.3, 0, noise=1e-4)
    step["held_out_loss"] += 0.1 * (step["train_fraction"] < 0.55)
    misled = extrapolate(step, folds=10, seed=0)
    assert not misled.fits
    assert misled.enough == "unknown"


def test_the_best_net_has_the_lowest_loss_at_the_largest_train_fraction(
    curve: LearningCurve,
) -> None:
    largest = curve.summary[curve.summary["train_fraction"] == 1].set_index("model")
    assert curve.best == largest["held_out_loss"].idxmin()


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([0, 0.2, 0.5, 1], "train fractions: 0 is not above 0 and up to 1"),
        ([0.1, 0.2, 0.5, 10], "train fractions: 10 is not above 0 and up to 1"),
        ([float("nan"), 0.2, 0.5, 1], "train fractions: nan is not"),
        ([0.5, 0.5, 1, 1], "train fractions: there are 2; give at least 4 different ones"),
        ([0.01, 0.2, 0.5, 1], "train fractions: 0.01 leaves 6 training rows"),  # of 594
    ],
)
def test_train_fractions_out_of_range_get_one_line(
    fractions: list[float], message: str, tables: Tables
) -> None:
    with pytest.raises(ConfigError) as caught:
        learning_curve(tables, train_fractions=fractions, **SMALL)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
