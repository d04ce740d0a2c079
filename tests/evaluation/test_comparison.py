"""Comparisons of cross-validated scores, against scipy and sums done by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.comparison import (
    Difference,
    compare,
    comparison_table,
    interval,
    mean_draws,
)


def test_a_small_example_worked_by_hand() -> None:
    # Two folds, a - b = 0.03 and 0.01: mean 0.02, s^2 = 2 * 0.01^2 / 1 = 0.0002.
    # Held out 1/2, so n_test/n_train = 1: variance of the mean (1/2 + 1) * 0.0002 = 0.0003,
    # scale sqrt(0.0003) = 0.0173205, t = 0.02 / 0.0173205 = 2/sqrt(3) = 1.154701.
    # One degree of freedom is Cauchy's law, P(T > t) = 1/2 - arctan(t)/pi:
    #   p value     2 * (1/2 - arctan(1.154701)/pi) = 2 * (0.5 - 0.272814) = 0.454371
    #   better      d > 0.02:  T > 0                  -> 1/2
    #   worse       d < -0.02: T < -0.04/0.0173205 = -2.309401
    #                          1/2 - 1.162158/pi      -> 0.130073
    #   equivalent  the rest, 0.369927
    # The 50 % interval reaches tan(pi/4) = 1 scale to each side.
    difference = compare([0.83, 0.81], [0.80, 0.80], test_fraction=1 / 2, rope=0.02, level=0.5)
    assert vars(difference) == pytest.approx(
        {
            "mean": 0.02,
            "low": 0.02 - 0.0173205,
            "high": 0.02 + 0.0173205,
            "p_value": 0.454371,
            "p_better": 0.5,
            "p_equivalent": 0.369927,
            "p_worse": 0.130073,
        },
        abs=1e-6,
    )


def test_without_the_correction_it_is_scipys_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.45, 0.03, 20), rng.normal(0.43, 0.03, 20)
    naive = compare(a, b, test_fraction=0, rope=0)
    referee = scipy.stats.ttest_rel(a, b)
    low, high = referee.confidence_interval(0.95)
    assert (naive.p_value, naive.low, naive.high) == pytest.approx((referee.pvalue, low, high))


def test_the_t_test_and_the_posterior_agree_by_construction() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.45, 0.03, (2, 30))
    difference = compare(a, b, test_fraction=0.2, rope=0)
    # Nadeau and Bengio's t, from its own formula: five folds test 1/4 of what they train on.
    d = a - b
    t = d.mean() / np.sqrt((1 / 30 + 1 / 4) * d.var(ddof=1))
    assert difference.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(t), 29))
    assert difference.p_value == pytest.approx(2 * min(difference.p_better, difference.p_worse))
    assert difference.p_equivalent == pytest.approx(0, abs=1e-12)


def test_swapping_the_models_or_the_direction_swaps_better_and_worse() -> None:
    a, b = [0.80, 0.83, 0.85], [0.79, 0.80, 0.84]
    forward = compare(a, b, test_fraction=1 / 3, rope=0.01)
    for mirrored in (
        compare(b, a, test_fraction=1 / 3, rope=0.01),
        compare(a, b, test_fraction=1 / 3, rope=0.01, lower_is_better=True),
    ):
        assert (mirrored.p_better, mirrored.p_worse) == pytest.approx(
            (forward.p_worse, forward.p_better)
        )
        assert mirrored.p_equivalent == pytest.approx(forward.p_equivalent)
    total = forward.p_better + forward.p_equivalent + forward.p_worse
    assert total == pytest.approx(1)


def test_equal_differences_give_certainty_and_no_nan() -> None:
    same = compare([0.5, 0.75], [0.5, 0.75], test_fraction=0.2, rope=0)
    assert same == Difference(
        mean=0, low=0, high=0, p_value=1, p_better=0, p_equivalent=1, p_worse=0
    )
    ahead = compare([0.75, 1.0], [0.5, 0.75], test_fraction=0.2, rope=0.01)
    assert ahead == Difference(
        mean=0.25, low=0.25, high=0.25, p_value=0, p_better=1, p_equivalent=0, p_worse=0
    )


def test_without_a_difference_the_corrected_test_rejects_one_time_in_twenty() -> None:
    # Differences that all correlate by rho share one common part: d = sqrt(rho) c + sqrt(1-rho) e.
    folds, repeats, rho, runs = 5, 6, 1 / 5, 2000
    rng = np.random.default_rng(2)
    common = rng.normal(size=(runs, 1))
    d = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(runs, folds * repeats))
    nothing = np.zeros(folds * repeats)
    corrected = [compare(run, nothing, test_fraction=rho, rope=0).p_value < 0.05 for run in d]
    naive = [compare(run, nothing, test_fraction=0, rope=0).p_value < 0.05 for run in d]
    # 2000 runs at 5 %: standard error sqrt(0.05 * 0.95 / 2000) = 0.005; four of them allowed.
    assert 0.03 < np.mean(corrected) < 0.07
    # The naive t is sqrt((1/30 + 1/4) / (1/30)) = 2.9 times too large.
    assert np.mean(naive) > 0.4


def test_interval_is_scipys_when_uncorrected_and_wider_when_corrected() -> None:
    scores = [0.80, 0.82, 0.85, 0.81, 0.79]
    naive = interval(scores, test_fraction=0)
    assert (naive.low, naive.high) == pytest.approx(
        scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    )
    corrected = interval(scores, test_fraction=0.2)
    # (1/5 + 1/4) / (1/5) = 2.25 times the variance: 1.5 times the width, about the same mean.
    assert corrected.high - corrected.low == pytest.approx(1.5 * (naive.high - naive.low))
    assert corrected.mean == naive.mean == pytest.approx(0.814)


def _metrics(repeats: int = 4, folds: int = 5) -> pd.DataFrame:
    """Three models on the same folds: two good ones and a worse one."""
    rng = np.random.default_rng(3)
    hardness = rng.normal(0, 0.03, repeats * folds)  # shared, as by folds
    centre = {"linear": 0.430, "relu": 0.425, "sex_rule": 0.520}
    return pd.DataFrame(
        {
            "model": model,
            "repeat": repeat,
            "fold": fold,
            "log_loss": loss + hardness[repeat * folds + fold] + rng.normal(0, 0.01),
            "accuracy": 1 - loss / 2 + rng.normal(0, 0.01),
        }
        for model, loss in centre.items()
        for repeat in range(repeats)
        for fold in range(folds)
    )


def test_the_table_compares_every_model_with_the_best() -> None:
    metrics = _metrics()
    table = comparison_table(metrics)
    assert list(table.index) == ["relu", "linear", "sex_rule"]
    assert table["p_best"].sum() == pytest.approx(1)
    assert table["p_best"].is_monotonic_decreasing

    best = table.loc["relu"]
    assert (best["difference"], best["p_value"], best["p_equivalent"]) == (0, 1, 1)

    linear, relu = (
        metrics.loc[metrics["model"] == model, "log_loss"] for model in table.index[1::-1]
    )
    assert table["mean"]["linear"] == pytest.approx(linear.mean())
    expected = compare(
        linear.to_numpy(), relu.to_numpy(), test_fraction=0.2, rope=0.005, lower_is_better=True
    )
    assert table["difference"]["linear"] == pytest.approx(expected.mean)
    for column in ("low", "high", "p_value", "p_better", "p_equivalent", "p_worse"):
        assert table[column]["linear"] == pytest.approx(getattr(expected, column))

    assert table["p_worse"]["sex_rule"] > 0.99
    assert table["p_best"]["sex_rule"] == 0


def test_higher_is_better_for_accuracy_and_its_rope_is_benavolis() -> None:
    table = comparison_table(_metrics(), "accuracy")
    assert table["mean"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(table, comparison_table(_metrics(), "accuracy", rope=0.01))
    assert table.index[-1] == "sex_rule"
    assert table["p_worse"]["sex_rule"] > 0.99


def test_folds_are_matched_by_name_not_by_position() -> None:
    metrics = _metrics()
    shuffled = metrics.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(comparison_table(shuffled), comparison_table(metrics))


def test_between_two_models_p_best_is_the_probability_of_being_better() -> None:
    metrics = _metrics().query("model != 'sex_rule'")
    table = comparison_table(metrics, rope=0)
    exact = table["p_better"]["linear"]  # without a rope, better than the best is best
    assert 0.02 < exact < 0.98
    assert table["p_best"]["linear"] == pytest.approx(exact, abs=0.01)


def test_identical_models_share_the_first_place() -> None:
    metrics = _metrics().query("model != 'sex_rule'")
    twin = metrics.query("model == 'relu'").assign(model="twin")
    table = comparison_table(pd.concat([metrics, twin]))
    assert table["p_best"]["twin"] == pytest.approx(table["p_best"]["relu"])
    assert table["p_best"].sum() == pytest.approx(1)


def test_there_may_be_more_models_than_folds() -> None:
    rng = np.random.default_rng(4)
    metrics = pd.DataFrame(
        {"model": f"net {model}", "repeat": 0, "fold": fold, "log_loss": rng.normal(0.45, 0.02)}
        for model in range(12)
        for fold in range(5)
    )
    table = comparison_table(metrics)
    assert len(table) == 12
    assert table["p_best"].sum() == pytest.approx(1)


def test_a_model_that_lacks_a_fold_is_an_error_that_names_it() -> None:
    metrics = _metrics()
    gap = (metrics["model"] == "relu") & (metrics["repeat"] == 2) & (metrics["fold"] == 3)
    with pytest.raises(DataError, match="'relu' has no log_loss for repeat 2, fold 3"):
        comparison_table(metrics[~gap])
    with pytest.raises(DataError, match="repeat 2, fold 3"):  # a fold that nobody has
        comparison_table(metrics[(metrics["repeat"] != 2) | (metrics["fold"] != 3)])
    with pytest.raises(DataError, match="repeat 2, fold 3"):  # a net that diverged
        comparison_table(metrics.assign(log_loss=metrics["log_loss"].mask(gap)))


def test_malformed_metrics_are_refused() -> None:
    metrics = _metrics()
    with pytest.raises(DataError, match="'linear' is scored twice on repeat 0, fold 0"):
        comparison_table(pd.concat([metrics, metrics.head(1)]))
    with pytest.raises(DataError, match="no column 'repeat'"):
        comparison_table(metrics.drop(columns="repeat"))
    with pytest.raises(DataError, match="fewer than two folds"):
        comparison_table(metrics[metrics["fold"] == 0])
    with pytest.raises(ConfigError, match="unknown metric 'loss': choose from accuracy"):
        comparison_table(metrics, "loss")


def test_scores_and_settings_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(2,\) scores and b \(3,\)"):
        compare([1, 2], [1, 2, 3], test_fraction=0.2, rope=0)
    with pytest.raises(DataError, match="at least two"):
        interval([0.8], test_fraction=0.2)
    with pytest.raises(DataError, match="score 1 is not a finite number"):
        interval([0.8, float("nan")], test_fraction=0.2)
    with pytest.raises(ConfigError, match=r"test_fraction is 5: give 1/folds"):
        interval([0.8, 0.9], test_fraction=5)
    with pytest.raises(ConfigError, match="level is 95"):
        interval([0.8, 0.9], test_fraction=0.2, level=95)
    with pytest.raises(ConfigError, match=r"rope is -0\.1"):
        compare([1, 2], [1, 3], test_fraction=0.2, rope=-0.1)


def test_draws_of_mean_scores_have_the_posteriors_of_interval_and_compare() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal([0.4, 0.5], 0.05, (20, 2)) + rng.normal(0, 0.05, (20, 1))
    draws = mean_draws(scores, test_fraction=0.1, draws=200_000, seed=0)
    for drawn, given in [(draws[:, 0], scores[:, 0]), (draws @ [1, -1], scores @ [1, -1])]:
        around = interval(given, test_fraction=0.1)
        assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx(
            [around.low, around.high], abs=0.02 * (around.high - around.low)
        )
