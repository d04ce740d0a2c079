"""Do I have enough data? The score at more and more rows, and what twice the rows would give.

Every fold's training rows are put in an order of which each beginning is stratified: the first 20 %
contain the first 10 %, and a net that is trained on them is one more split, so all shares, folds,
repeats and seeds are one batched program. The held-out rows stay the same, and the encoder too is
fitted on the fewer rows only.

To the mean held-out losses a power law is fitted, loss = a + b n^-c for n training rows, which
learning curves of many models follow well (Viering and Loog 2023, "The Shape of Learning Curves: a
Review", IEEE TPAMI 45).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import scaled, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.comparison import ROPES, interval, mean_draws
from titanic_nn.evaluation.compare_models import Progress
from titanic_nn.evaluation.metrics import accuracy, log_loss
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import Split, repeated_stratified_splits
from titanic_nn.tables.sources import Passengers, labelled_passengers
from titanic_nn.config import Model, Config

SHARES = tuple(percent / 100 for percent in range(10, 101, 10))
# The power law has three unknowns; with a fourth point it can be wrong, and so be trusted.
FEWEST_SHARES = 4
# Below this a net has nothing to learn from.
FEWEST_ROWS = 10
# Exponents c that are tried: 0.1 is all but flat, 3 is level long before the last row.
EXPONENTS = np.geomspace(0.1, 3, 200)
DRAWS = 4000
# A smaller difference in log loss is no difference to anyone.
MATTERS = ROPES["log_loss"]

# Repeats of unlike shares are kept apart by multiples of this: nobody cuts folds so often.
_FAR = 10**6


@dataclass(frozen=True)
class Extrapolation:
    """The power law of one net, and what it says of twice the rows.

    Attributes:
        rows: training rows at the largest share, the mean over folds.
        a, b, c: held-out log loss = a + b * n^-c for n training rows.
        misfit: the largest distance of a mean held-out loss from the law.
        gain: by how much the held-out log loss would fall with twice the rows.
        low, high: the gain's 95 % interval, corrected for overlapping folds (see `mean_draws`).
        p_matters: the probability that the gain is more than 0.005, compare.py's smallest
            difference that matters.
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
        """Does the law pass so near to the means that its word counts?"""
        return self.misfit <= MATTERS

    @property
    def enough(self) -> Literal["yes", "no", "cannot tell"]:
        """Do I have enough data: would twice the rows make no difference that matters?"""
        if self.fits and self.p_matters <= 0.05:
            return "yes"
        if self.fits and self.p_matters >= 0.95:
            return "no"
        return "cannot tell"


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What was found.

    Attributes:
        settings: what the nets were made of.
        passengers: the tables, and where they came from.
        device: what the nets were trained on.
        scores: a row per model, share, repeat and fold, with the columns of learning_curve.csv.
            Losses are log losses of the probabilities averaged over seeds, as in `train`.
        summary: a row per model and share: rows, mean scores, and the held-out loss's corrected
            95 % interval `low` to `high`.
        extrapolation: each model's power law.
    """

    config: Config
    passengers: Passengers
    device: str
    scores: pd.DataFrame
    summary: pd.DataFrame
    extrapolation: dict[Model, Extrapolation]

    @property
    def best(self) -> Model:
        """The net with the lowest held-out loss at the largest share."""
        largest = self.summary[self.summary["share"] == self.summary["share"].max()]
        models = largest.set_index("model")["held_out_loss"]
        return min(self.config.models, key=models.to_dict().__getitem__)

    @property
    def answer(self) -> str:
        """One sentence that answers for the best net: do I have enough data?"""
        law = self.extrapolation[self.best]
        if not law.fits:
            of_best = self.summary[self.summary["model"] == self.best]
            (rows, loss), (all_rows, end) = of_best[["rows", "held_out_loss"]].to_numpy()[-2:]
            return (
                "Do I have enough data? This cannot tell: the power law misses the held-out log "
                f"loss of {self.best}, the best net here, by up to {law.misfit:.3f}, more than "
                f"the {MATTERS} that would matter; from {rows:.0f} training rows to "
                f"{all_rows:.0f} it went from {loss:.3f} to {end:.3f}."
            )
        said = {
            "yes": "Yes, twice as much would hardly help",
            "no": "No, more would help",
            "cannot tell": f"This cannot tell for sure (more would help: {law.p_matters:.0%})",
        }[law.enough]
        return (
            f"Do I have enough data? {said}: with {2 * law.rows:.0f} training rows instead of "
            f"{law.rows:.0f}, the log loss of {self.best}, the best net here, would be lower by "
            f"about {law.gain:.3f} (95 % interval {law.low:.3f} to {law.high:.3f}; {MATTERS} "
            "would matter)."
        )


def learning_curve(
    data: Path | Passengers | None = None,
    *,
    shares: Sequence[float] = SHARES,
    config: Config | None = None,
    on_progress: Progress = lambda stage, share: None,
    **overrides: Any,
) -> LearningCurve:
    """Train every net on growing shares of each fold's training rows.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        shares: of each fold's training rows, above 0 and up to 1, at least four of them.
        settings: what the nets are made of; the shipped settings by default.
        on_progress: is called as work is done.
        overrides: single settings, such as `folds=5`, instead of `settings`.

    Raises:
        DataError, SettingsError, DeviceError: a mistake that one line explains.
    """
    config = config or Config.from_toml(**overrides)
    shares = _checked(shares)
    device = choose_device(config.device)
    passengers, y = labelled_passengers(data, config.folds)

    folds = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
    subsets = [(share, fold) for fold in folds for share in shares]
    nested = [s for fold in folds for s in nested_splits(fold, y, shares, config.seed)]
    features = passenger_features(passengers.train)
    encoders = SplitEncoders(features, y, nested, config.features)

    rows = []
    for which in encoders.in_turn():
        part = nested[which.start : which.stop]
        x = encoders.encode(which)  # (splits, rows, features)
        for model in config.models:
            nets = train_nets(
                x,
                y,
                part,
                Members([config.net(model)], config.n_seeds),
                seed=config.seed,
                device=device,
                on_progress=scaled(partial(on_progress, model), len(part) / len(nested)),
            )
            probability = nets.probability.mean(1).cpu().numpy()  # (splits, rows)
            for (share, fold), split, p in zip(
                subsets[which.start :], part, probability, strict=False
            ):
                rows.append({"model": model, "share": share, **_scores(fold, split, y, p)})

    scores = pd.DataFrame(rows).sort_values(["model", "share", "repeat", "fold"])
    scores = pd.concat([scores[scores["model"] == model] for model in config.models])
    return LearningCurve(
        config=config,
        passengers=passengers,
        device=str(device),
        scores=scores.reset_index(drop=True),
        summary=_summary(scores, config.folds),
        extrapolation={
            model: extrapolate(scores[scores["model"] == model], config.folds, config.seed)
            for model in config.models
        },
    )


def nested_splits(
    split: Split, y: NDArray[np.int64], shares: Sequence[float], seed: int
) -> list[Split]:
    """One split with shares of its training rows: stratified, each share within the next.

    A class's rows are shuffled and laid out evenly from 0 to 1; read from the left, both classes
    come in proportion, whatever the share. All rows together keep the split's identity, by which
    random numbers are drawn; fewer rows get one of their own.

    Raises:
        SettingsError: a share leaves too few rows, or none of a class.
    """
    key = (2, split.repeat + 1, split.fold + 1)  # members.py draws by keys that start with 0 and 1
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    shuffled = rng.permutation(split.train)
    place = np.empty(len(shuffled))
    for label in (0, 1):
        of_class = y[shuffled] == label
        count = of_class.sum()
        place[of_class] = (np.arange(count) + 0.5) / count
    order = shuffled[np.argsort(place, kind="stable")]

    splits = []
    for share in shares:
        rows = np.sort(order[: round(share * len(order))])
        if len(rows) < FEWEST_ROWS or len(np.unique(y[rows])) < 2:
            raise ConfigError(
                f"shares: {share:g} leaves {len(rows)} training rows; a share needs at least "
                f"{FEWEST_ROWS}, some of them with Survived = 0 and some with 1"
            )
        left_out = len(order) - len(rows)
        splits.append(Split(split.repeat + _FAR * left_out, split.fold, rows, split.held_out))
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
        better = distance < best
        best, a, b = (
            np.where(better, new, old) for new, old in ((distance, best), (level, a), (slope, b))
        )
        c = np.where(better, exponent, c)
    return a, b, c


def extrapolate(scores: pd.DataFrame, folds: int, seed: int) -> Extrapolation:
    """Fit one model's power law, and read off twice the rows.

    scores: columns share, rows, repeat, fold and held_out_loss, as in learning_curve.csv.
    """
    rows = scores.groupby("share")["rows"].mean().to_numpy()
    losses = scores.pivot(index=["repeat", "fold"], columns="share", values="held_out_loss")
    by_fold = losses.to_numpy(np.float64)  # (repeats * folds, shares)
    means = by_fold.mean(0)
    a, b, c = (float(value) for value in power_law(rows, means))

    draws = mean_draws(by_fold, held_out_share=1 / folds, draws=DRAWS, seed=seed)
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
        p_matters=float((gains > MATTERS).mean()),
    )


def _checked(shares: Sequence[float]) -> list[float]:
    for share in shares:
        if not 0 < share <= 1:
            raise ConfigError(f"shares: {share:g} is not above 0 and up to 1")
    if len(set(shares)) < FEWEST_SHARES:
        raise ConfigError(
            f"shares: there are {len(set(shares))}; give at least {FEWEST_SHARES} different ones, "
            "for the curve has three unknowns"
        )
    return sorted(set(shares))


def _scores(
    fold: Split, split: Split, y: NDArray[np.int64], probability: NDArray[np.float64]
) -> dict[str, float]:
    """One split's rows and scores, (rows,) probabilities given, under the fold's own name."""
    sides = {"training": split.train, "held_out": split.held_out}
    return {
        "rows": len(split.train),
        "repeat": fold.repeat,
        "fold": fold.fold,
        **{f"{side}_loss": float(log_loss(y[r], probability[r])) for side, r in sides.items()},
        **{f"{side}_accuracy": float(accuracy(y[r], probability[r])) for side, r in sides.items()},
    }


def _summary(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """A row per model and share."""
    means = ["training_loss", "held_out_loss", "training_accuracy", "held_out_accuracy"]
    rows = []
    for (model, share), part in scores.groupby(["model", "share"], sort=False):
        around = interval(part["held_out_loss"], held_out_share=1 / folds)
        row = {"model": model, "share": share, "rows": part["rows"].mean()}
        rows.append({**row, **part[means].mean(), "low": around.low, "high": around.high})
    return pd.DataFrame(rows)
