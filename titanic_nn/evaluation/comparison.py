"""Is one model better than another, or is the difference noise?

Cross-validated scores are not independent: any two training sets share most of their rows. The
plain t-test assumes independence, underestimates the variance of the mean, and finds differences
that are noise. The correction is a single number. With J = folds * repeats scores of variance s^2,
the mean's variance is taken to be

    (1/J + n_test/n_train) * s^2        instead of        (1/J) * s^2

which gives the corrected resampled t-test (Nadeau and Bengio 2003, "Inference for the
Generalization Error", Machine Learning 52) and, read as a posterior with the correlation
rho = n_test / (n_train + n_test) between folds, the Bayesian correlated t-test (Benavoli, Corani,
Demsar and Zaffalon 2017, "Time for a Change", JMLR 18(77)). Since rho / (1 - rho) = n_test/n_train
the two are one Student t, with J - 1 degrees of freedom: its central 95 % is both the confidence
interval and the credible one.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit  # of scipy.stats, which takes half a second to load

from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.metrics import METRICS

# Each metric's region of practical equivalence: the only threshold of what matters.
ROPES = {name: metric.rope for name, metric in METRICS.items()}
# Posterior probability from which a sentence is a statement.
DECISIVE = 0.95
DRAWS = 50_000  # a probability from so many draws is right to about 0.004 (two standard errors)


@dataclass(frozen=True)
class Interval:
    """A mean over folds, and the interval that it lies in at the level asked for."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """Model a's score minus model b's, in the metric's unit; `p_...` are probabilities."""

    p_value: float  # two-sided, of the corrected resampled t-test: "there is no difference"
    p_better: float  # posterior probability that a beats b by more than the rope
    p_equivalent: float  # ... that they differ by the rope at most
    p_worse: float  # ... that b beats a by more than the rope


def interval(scores: ArrayLike, *, test_fraction: float, level: float = 0.95) -> Interval:
    """The mean of one model's scores (J,), one a fold, with its corrected t interval.

    `test_fraction` is n_test / (n_train + n_test), 1/folds in cross-validation; 0 leaves the
    correction out. The interval covers the variation of the mean over other training and held-out
    rows; most of it is common to all models, so compare models with `compare`. Raises DataError
    for fewer than two scores or one that is not finite, ConfigError for a fraction or level out of
    range.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}: choose one between 0 and 1, such as 0.95")
    mean, scale, dof = _posterior(scores, test_fraction)
    reach = float(stdtrit(dof, (1 + level) / 2)) * scale
    return Interval(mean, mean - reach, mean + reach)


def summarize_folds(scores: pd.DataFrame, folds: int) -> dict[str, float]:
    """Of each metric, a column of `scores` with a row per fold: mean, `_sd`, `_low` and `_high`.

    `_sd` is over folds; `_low` to `_high` is `interval`, whose errors it raises.
    """
    summary: dict[str, float] = {}
    for metric in METRICS:
        around = interval(scores[metric], test_fraction=1 / folds)
        summary |= {metric: around.mean, f"{metric}_sd": float(scores[metric].std())}
        summary |= {f"{metric}_low": around.low, f"{metric}_high": around.high}
    return summary


def compare(
    a: ArrayLike,
    b: ArrayLike,
    *,
    test_fraction: float,
    rope: float,
    lower_is_better: bool = False,
    level: float = 0.95,
) -> Difference:
    """Compare two models' scores (J,) on the same folds, paired by position.

    `rope` is the largest difference that does not matter, in the metric's unit. `test_fraction`,
    `level` and errors are those of `interval`: a fraction of 0 gives the naive paired t-test.
    Raises also DataError for scores of unequal number, ConfigError for a rope out of range.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise DataError(f"a has {a.shape} scores and b {b.shape}: give one a fold, same folds")
    if not 0 <= rope < np.inf:
        raise ConfigError(f"rope is {rope}: choose 0 or a small positive number")
    around = interval(a - b, test_fraction=test_fraction, level=level)
    mean, scale, dof = _posterior(a - b, test_fraction)
    below = _beyond(mean + rope, scale, dof)
    above = _beyond(rope - mean, scale, dof)
    return Difference(
        **asdict(around),
        # Where every fold differs by the same amount, t is undefined.
        p_value=2 * _beyond(abs(mean), scale, dof) if scale else float(mean == 0),
        p_better=below if lower_is_better else above,
        p_equivalent=max(0.0, 1 - below - above),  # rounding can leave -1e-17
        p_worse=above if lower_is_better else below,
    )


def compare_losses(a: ArrayLike, b: ArrayLike, folds: int) -> Difference:
    """`compare` log losses (J,) of cross-validation with so many folds, by the log loss's rope."""
    return compare(a, b, test_fraction=1 / folds, rope=ROPES["log_loss"], lower_is_better=True)


def comparison_table(
    metrics: pd.DataFrame, metric: str = "log_loss", *, rope: float | None = None
) -> pd.DataFrame:
    """Every model against the one with the best mean score, best first, indexed by model.

    `metrics` has one row per model, repeat and fold, with those three columns and the metric's.
    `rope` defaults to the metric's in ROPES. Columns: `mean` (score), `difference` (this model's
    minus the best's) with its interval `low` and `high`, `p_value`, `p_better`, `p_equivalent`,
    `p_worse` (see Difference), and `p_best`, the probability that the model is the best of all.
    The best model was selected on the same folds, which biases its score a little, the more so the
    more models there are.

    Raises DataError where a column or a fold is missing or there twice, or a score is not finite.
    """
    scores = _paired(metrics, metric)  # (repeats * folds, models)
    lower_is_better = METRICS[metric].lower_is_better
    # The sort is stable, so equally good models keep their alphabetical order.
    order = scores.mean().sort_values(ascending=lower_is_better, kind="stable").index
    scores = scores[order]
    test_fraction = 1 / scores.index.get_level_values("fold").nunique()
    rows = []
    for model in order:
        difference = compare(
            scores[model],
            scores[order[0]],
            test_fraction=test_fraction,
            rope=ROPES[metric] if rope is None else rope,
            lower_is_better=lower_is_better,
        )
        fields = asdict(difference)
        rows.append({"mean": scores[model].mean(), "difference": fields.pop("mean"), **fields})
    table = pd.DataFrame(rows, index=order)
    sign = -1 if lower_is_better else 1
    table["p_best"] = _probability_best(sign * scores.to_numpy(), test_fraction)
    return table


def _posterior(scores: NDArray[np.float64], test_fraction: float) -> tuple[float, float, int]:
    """Location, scale and degrees of freedom of the Student t that the true mean follows."""
    if not 0 <= test_fraction < 1:
        raise ConfigError(f"test_fraction is {test_fraction}: give 1/folds, 0.2 for five folds")
    if scores.ndim != 1 or len(scores) < 2:
        raise DataError(f"scores have shape {scores.shape}: give one score a fold, at least two")
    if not np.isfinite(scores).all():
        raise DataError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not a finite number")
    variance = _variance_factor(len(scores), test_fraction) * scores.var(ddof=1)
    return float(scores.mean()), float(np.sqrt(variance)), len(scores) - 1


def _variance_factor(n_scores: int, test_fraction: float) -> float:
    """By what to multiply the scores' variance to get their mean's: 1/J + n_test/n_train."""
    return 1 / n_scores + test_fraction / (1 - test_fraction)


def _beyond(distance: float, scale: float, dof: int) -> float:
    """P(scale * T > distance) for T of Student's t; with scale 0 all mass lies at 0."""
    if scale == 0:
        return float(distance < 0)
    return float(stdtr(dof, -distance / scale))


def _paired(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The metric's scores as (repeat and fold, model), complete and finite, or a DataError."""
    if metric not in ROPES:
        raise ConfigError(f"unknown metric {metric!r}: choose from {', '.join(ROPES)}")
    for column in ("model", "repeat", "fold", metric):
        if column not in metrics:
            raise DataError(f"the metrics have no column {column!r}")
    if metrics["fold"].nunique() < 2:
        raise DataError("the metrics hold fewer than two folds: cross-validate over more")
    keys = metrics[["model", "repeat", "fold"]]
    if keys.duplicated().any():
        model, repeat, fold = keys[keys.duplicated()].iloc[0]
        raise DataError(f"model {model!r} is scored twice on repeat {repeat}, fold {fold}")
    scores = metrics.pivot(index=["repeat", "fold"], columns="model", values=metric)
    # Every fold of every repeat, also one that no model has.
    numbers = [sorted(metrics[key].unique()) for key in ("repeat", "fold")]
    scores = scores.reindex(pd.MultiIndex.from_product(numbers, names=["repeat", "fold"]))
    missing = ~np.isfinite(scores.to_numpy(dtype=np.float64))
    if missing.any():
        row, column = np.argwhere(missing)[0]
        repeat, fold = scores.index[row]
        raise DataError(
            f"model {scores.columns[column]!r} has no {metric} for repeat {repeat}, fold {fold}: "
            "models are compared on the same folds, score it there or leave the model out"
        )
    return scores


def _probability_best(scores: NDArray[np.float64], test_fraction: float) -> NDArray[np.float64]:
    """For each model (models,), the share of posterior draws in which its mean score is highest.

    Scores (J, models), higher is better; models that tie split the draw. All models are equally
    likely a priori.
    """
    means = mean_draws(scores, test_fraction=test_fraction, draws=DRAWS, seed=0)
    # Identical models must tie, though a matrix product may round their columns differently.
    wins = means >= means.max(axis=1, keepdims=True) - 1e-12  # (draws, models)
    shares = wins / wins.sum(axis=1, keepdims=True)
    return np.asarray(shares.mean(axis=0))


def mean_draws(
    scores: NDArray[np.float64], *, test_fraction: float, draws: int, seed: int
) -> NDArray[np.float64]:
    """Draws from what is known of several mean scores together, (draws, models).

    For scores (J, models), one row a fold, the means are drawn from a multivariate Student t: J - 1
    degrees of freedom, location the mean scores, scale matrix (1/J + n_test/n_train) * S with S the
    models' sample covariance over folds. Each mean then has the very posterior of `interval`, and
    each pair's difference that of `compare`. It assumes roughly normal scores and folds that all
    correlate alike.
    """
    rng = np.random.default_rng(seed)
    n_scores = len(scores)
    centred = scores - scores.mean(axis=0)  # (J, models)
    # Normals times the centred scores have covariance (J - 1) * S, also where models outnumber
    # folds and S has no inverse; the root of a chi^2 with J - 1 degrees of freedom makes them t.
    noise = rng.standard_normal((draws, n_scores)) @ centred  # (draws, models)
    noise /= np.sqrt(rng.chisquare(n_scores - 1, (draws, 1)))
    factor = np.sqrt(_variance_factor(n_scores, test_fraction))
    return np.asarray(scores.mean(axis=0) + factor * noise)
