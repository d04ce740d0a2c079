"""Is there enough data? The score with more and more rows, extrapolated to twice the rows.

Every fold's training rows are put in an order in which each prefix is stratified: the first 20 %
contain the first 10 %. A net trained on a prefix is one more split, so all train fractions, folds,
repeats and seeds are one batched program. The held-out rows stay the same, and the encoder is
fitted on the fewer rows only.

A power law is fitted to the mean held-out losses: loss = a + b n^-c for n training rows, which
describes the learning curves of many models (Viering and Loog 2023, "The Shape of Learning Curves:
a Review", IEEE TPAMI 45).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from titanic_nn.config import Config
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.comparison import DECISIVE, ROPES, interval, mean_draws
from titanic_nn.evaluation.experiment import Experiment, Progress, mean_probabilities, no_progress
from titanic_nn.evaluation.metrics import accuracy, log_loss
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import Split

TRAIN_FRACTIONS = tuple(percent / 100 for percent in range(10, 101, 10))
# The power law has three unknowns; only a fourth point can contradict it.
FEWEST_FRACTIONS = 4
FEWEST_ROWS = 10  # fewer training rows are refused
# Exponents c that are tried: 0.1 is almost flat, 3 is level long before the last row.
EXPONENTS = np.geomspace(0.1, 3, 200)
DRAWS = 4000

# Repeats of different train fractions are numbered apart by multiples of this.
_FAR = 10**6


@dataclass(frozen=True)
class Extrapolation:
    """The power law of one net, extrapolated to twice the rows.

    Attributes:
        rows: training rows at the largest train fraction, the mean over folds.
        a, b, c: held-out log loss = a + b * n^-c for n training rows.
        misfit: the largest distance of a mean held-out loss from the law.
        gain: by how much the held-out log loss would fall with twice the rows.
        low, high: the gain's 95 % interval, corrected for overlapping folds (see `mean_draws`).
        p_matters: the probability that the gain is more than ROPES["log_loss"].
    """

    rows: float
    a: float
    b: float
    c: float
    misfit: float
    gain: float
    low: float
    high: float
    p_matters: float

    @property
    def fits(self) -> bool:
        """Whether the law is close enough to the means to be used."""
        return self.misfit <= ROPES["log_loss"]

    @property
    def enough(self) -> Literal["yes", "no", "unknown"]:
        """Whether twice the rows would make no difference that matters."""
        if self.fits and self.p_matters <= 1 - DECISIVE:
            return "yes"
        if self.fits and self.p_matters >= DECISIVE:
            return "no"
        return "unknown"


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The result of a learning curve.

    Attributes:
        device: where the nets were trained.
        scores: a row per model, train fraction, repeat and fold, with the columns of
            learning_curve.csv. Losses are log losses of the probabilities averaged over seeds.
        summary: a row per model and train fraction: rows, mean scores, and the held-out loss's
            corrected 95 % interval `low` to `high`.
        extrapolation: each model's power law.
    """

    device: str
    scores: pd.DataFrame
    summary: pd.DataFrame
    extrapolation: dict[str, Extrapolation]

    @property
    def best(self) -> str:
        """The net with the lowest held-out loss at the largest train fraction."""
        largest = self.summary["train_fraction"] == self.summary["train_fraction"].max()
        losses = self.summary[largest].set_index("model")["held_out_loss"]
        return str(losses[list(self.extrapolation)].idxmin())


def learning_curve(
    data: Path | Tables | None = None,
    *,
    train_fractions: Sequence[float] = TRAIN_FRACTIONS,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> LearningCurve:
    """Train every net on growing fractions of each fold's training rows.

    There are at least four train fractions, above 0 and up to 1. Other arguments and errors are
    those of `compare_models`.
    """
    train_fractions = _checked(train_fractions)
    run = Experiment.start(data, config, overrides, on_progress)
    y, seed, folds = run.tables.y, run.config.seed, run.config.folds
    targets = run.tables.targets
    # Prefix -> its train fraction and the fold that it was taken from.
    origin: dict[Split, tuple[float, Split]] = {}
    for fold in run.folds:
        splits = nested_splits(fold, y, train_fractions, seed)
        origin |= {s: (fraction, fold) for s, fraction in zip(splits, train_fractions, strict=True)}
    rows = []
    for model, encoded, nets in run.trained(run.encoders(list(origin))):
        for split, p in zip(encoded.splits, mean_probabilities(nets), strict=True):
            fraction, fold = origin[split]
            rows.append(
                {"model": model, "train_fraction": fraction, **_scores(fold, split, targets, p)}
            )
    scores = pd.DataFrame(rows).sort_values(["model", "train_fraction", "repeat", "fold"])
    of_model = {model: scores[scores["model"] == model] for model in run.config.models}
    return LearningCurve(
        device=str(run.device),
        scores=pd.concat(of_model.values(), ignore_index=True),
        summary=_summary(scores, folds),
        extrapolation={model: extrapolate(own, folds, seed) for model, own in of_model.items()},
    )


def nested_splits(
    split: Split, y: NDArray[np.int64], train_fractions: Sequence[float], seed: int
) -> list[Split]:
    """One split with fractions of its training rows: stratified, each contained in the next.

    Each class's rows are shuffled and spread evenly over 0 to 1; every prefix of the sorted rows is
    then stratified. All rows together keep the split's identity, by which random numbers are drawn;
    fewer rows get another.

    Raises:
        ConfigError: a fraction leaves too few rows, or none of a class.
    """
    key = (2, split.repeat + 1, split.fold + 1)  # the engine's keys start with 0 and 1
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    shuffled = rng.permutation(split.train)
    place = np.empty(len(shuffled))
    classes = np.unique(y)
    for label in classes:
        of_class = y[shuffled] == label
        count = of_class.sum()
        place[of_class] = (np.arange(count) + 0.5) / count
    order = shuffled[np.argsort(place, kind="stable")]

    splits = []
    for fraction in train_fractions:
        rows = np.sort(order[: round(fraction * len(order))])
        if len(rows) < FEWEST_ROWS or len(np.unique(y[rows])) < len(classes):
            raise ConfigError(
                f"train fractions: {fraction:g} leaves {len(rows)} training rows; at least "
                f"{FEWEST_ROWS} are needed, some of each class"
            )
        left_out = len(order) - len(rows)
        repeat = split.repeat + _FAR * left_out
        splits.append(Split(repeat, split.fold, rows, split.held_out, within=split))
    return splits


def power_law(
    rows: ArrayLike, losses: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The law a + b (n / n_last)^-c, with a and b not negative, of least squared distance.

    For each exponent that is tried the rest is linear in two unknowns, so no optimizer can get
    stuck, and many curves are fitted at once.

    Args:
        rows: n, ascending, (points,).
        losses: (..., points).

    Returns:
        a, b, c, each (...,). Where the losses do not fall, b is 0.
    """
    n, losses = np.asarray(rows, np.float64), np.asarray(losses, np.float64)
    best = np.full(losses.shape[:-1], np.inf)
    a, b, c = (np.zeros_like(best) for _ in range(3))
    mean = losses.mean(-1)
    for exponent in EXPONENTS:
        z = (n / n[-1]) ** -exponent  # (points,)
        centred = z - z.mean()
        slope = losses @ centred / (centred @ centred)
        level = mean - slope * z.mean()
        # A bound that is crossed is where the best of what is allowed lies.
        slope = np.where(level < 0, losses @ z / (z @ z), slope)
        level = np.where(slope < 0, mean, np.maximum(level, 0))
        slope = np.maximum(slope, 0)
        distance = ((level[..., None] + slope[..., None] * z - losses) ** 2).sum(-1)
        new, old = (distance, level, slope, exponent), (best, a, b, c)
        best, a, b, c = (np.where(distance < best, *pair) for pair in zip(new, old, strict=True))
    return a, b, c


def extrapolate(scores: pd.DataFrame, folds: int, seed: int) -> Extrapolation:
    """Fit one model's power law, and extrapolate it to twice the rows.

    scores: columns train_fraction, rows, repeat, fold and held_out_loss, as in learning_curve.csv.
    """
    rows = scores.groupby("train_fraction")["rows"].mean().to_numpy()
    losses = scores.set_index(["repeat", "fold", "train_fraction"])["held_out_loss"].unstack()
    by_fold = losses.to_numpy(np.float64)  # (repeats * folds, fractions)
    means = by_fold.mean(0)
    a, b, c = (float(value) for value in power_law(rows, means))

    draws = mean_draws(by_fold, test_fraction=1 / folds, draws=DRAWS, seed=seed)
    _, b_drawn, c_drawn = power_law(rows, draws)
    gains = b_drawn * (1 - 2**-c_drawn)
    low, high = np.quantile(gains, [0.025, 0.975])
    return Extrapolation(
        rows=float(rows[-1]),
        a=a,
        b=b * float(rows[-1]) ** c,
        c=c,
        misfit=float(np.abs(a + b * (rows / rows[-1]) ** -c - means).max()),
        gain=b * (1 - 2**-c),
        low=float(low),
        high=float(high),
        p_matters=float((gains > ROPES["log_loss"]).mean()),
    )


def _checked(fractions: Sequence[float]) -> list[float]:
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise ConfigError(f"train fractions: {fraction:g} is not above 0 and up to 1")
    if len(set(fractions)) < FEWEST_FRACTIONS:
        raise ConfigError(
            f"train fractions: there are {len(set(fractions))}; give at least {FEWEST_FRACTIONS} "
            "different ones, since the power law has three unknowns"
        )
    return sorted(set(fractions))


def _scores(
    fold: Split, split: Split, y: NDArray[np.int64], probability: NDArray[np.float64]
) -> dict[str, float]:
    """One split's rows and scores, by every row's probabilities, under the fold's own name."""
    found: dict[str, float] = {"rows": len(split.train), "repeat": fold.repeat, "fold": fold.fold}
    for name, metric in (("loss", log_loss), ("accuracy", accuracy)):
        for side, rows in (("training", split.train), ("held_out", split.held_out)):
            found[f"{side}_{name}"] = float(metric(y[rows], probability[rows]))
    return found


def _summary(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """A row per model and train fraction."""
    means = ["training_loss", "held_out_loss", "training_accuracy", "held_out_accuracy"]
    rows = []
    for (model, fraction), part in scores.groupby(["model", "train_fraction"], sort=False):
        around = interval(part["held_out_loss"], test_fraction=1 / folds)
        row = {"model": model, "train_fraction": fraction, "rows": part["rows"].mean()}
        rows.append({**row, **part[means].mean(), "low": around.low, "high": around.high})
    return pd.DataFrame(rows)
