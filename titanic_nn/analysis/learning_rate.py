"""Which learning rate? The training loss after a few epochs, over a sweep of learning rates.

In the learning rate range test the rate rises from step to step while one net trains (Smith 2017,
"Cyclical Learning Rates for Training Neural Networks", WACV, section 3.3; fastai's `lr_find`). Here
each rate trains nets of its own from their first weights, so that a loss belongs to one rate: the
rate is a setting of each net, and all of them are trained in one program. All other settings are
the net's own, its schedule too, over fewer epochs.

The rate that is suggested is a tenth of the one with the lowest loss, fastai's `minimum`. The
lowest loss marks the rate that is fastest in a few epochs, not far below those that diverge; a full
training takes more epochs and needs a smaller one. It assumes that the first epochs are a guide to
the others, and it does not look at held-out rows. Where the curve is flat, so is the choice: it is
right to a factor of a few. `tune` searches the rate together with weight decay and epochs.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.config import Config
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.experiment import Experiment, Progress, no_progress
from titanic_nn.tables.sources import Tables

LOWEST, HIGHEST = 1e-5, 10.0
PER_DECADE = 10  # rates
LARGEST_SWEEP = 30  # decades
EPOCHS = 5
FRACTION = 0.1  # of the rate with the lowest loss


@dataclass(frozen=True)
class Suggestion:
    """One net's sweep.

    Attributes:
        now: the net's learning_rate.
        suggested: FRACTION of `lowest_at`; None where that is an end of the sweep.
        lowest_at, lowest: the rate with the lowest mean training loss, and that loss.
        diverged_from: the lowest rate with a net that diverged; None where none did.
    """

    now: float
    suggested: float | None
    lowest_at: float
    lowest: float
    diverged_from: float | None


@dataclass(frozen=True, eq=False)
class LearningRates:
    """The result of a sweep.

    Attributes:
        device: where the nets were trained.
        losses: a row per model, learning rate, repeat, fold and seed: `training_loss` after the
            last epoch, NaN for a net that diverged, and `diverged`, the epoch by which it did, or
            0. The columns of lr_find.csv.
        suggestions: each model's.
    """

    device: str
    losses: pd.DataFrame
    suggestions: dict[str, Suggestion]


def learning_rates(
    data: Path | Tables | None = None,
    *,
    rates: NDArray[np.float64] | None = None,
    epochs: int = EPOCHS,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> LearningRates:
    """Train every net with every learning rate, rising, (rates,); `sweep()` by default.

    Other arguments and errors are those of `compare_models`, except that a net may diverge; a
    ConfigError says so where all nets of a model do.
    """
    rates = sweep() if rates is None else rates
    run = Experiment.start(data, config, overrides, on_progress)
    encoders = run.encoders(run.folds)
    tables = []
    for model in run.config.models:
        net = run.config.nets[model]
        nets = train_nets(
            SplitData(encoders, run.tables.targets, run.folds),
            Members(
                [replace(net, learning_rate=float(rate), epochs=epochs) for rate in rates],
                run.config.n_seeds,
            ),
            seed=run.config.seed,
            device=run.device,
            keep_diverged=True,
            on_progress=partial(run.on_progress, model),
        )
        loss = nets.loss[:, :, -1, 0].double().cpu().numpy()  # (splits, rates * seeds)
        diverged = nets.diverged.cpu().numpy()
        lost = np.where(np.isfinite(loss), diverged, np.where(diverged, diverged, epochs))
        for split, of_split, by in zip(run.folds, loss, lost, strict=True):
            keys: dict[str, Any] = {
                "model": model,
                "learning_rate": np.repeat(rates, run.config.n_seeds),
            }
            keys |= {"repeat": split.repeat, "fold": split.fold}
            seeds = np.tile(np.arange(run.config.n_seeds), len(rates))
            of_split = np.where(by > 0, np.nan, of_split)
            values = {"seed": seeds, "training_loss": of_split, "diverged": by}
            tables.append(pd.DataFrame(keys | values))
    losses = pd.concat(tables, ignore_index=True)
    suggestions = {
        model: _suggestion(model, losses, run.config.nets[model].learning_rate)
        for model in run.config.models
    }
    return LearningRates(str(run.device), losses, suggestions)


def sweep(lowest: float = LOWEST, highest: float = HIGHEST) -> NDArray[np.float64]:
    """PER_DECADE learning rates to each factor of 10, both ends included, (rates,).

    Raises ConfigError where they are not rising positive numbers, or too far apart.
    """
    if not 0 < lowest < highest < np.inf:
        raise ConfigError(
            f"learning rates from {lowest:g} to {highest:g}: give two positive numbers, the lower "
            "one first"
        )
    decades = np.log10(highest) - np.log10(lowest)
    if decades > LARGEST_SWEEP:
        raise ConfigError(
            f"learning rates from {lowest:g} to {highest:g} are {decades:.0f} powers of ten: "
            f"choose {LARGEST_SWEEP} at most"
        )
    return np.geomspace(lowest, highest, max(2, round(decades * PER_DECADE)) + 1)


def _suggestion(model: str, losses: pd.DataFrame, now: float) -> Suggestion:
    own = losses[losses["model"] == model]
    # Where one net of a rate diverged, the rate has no mean.
    mean = own.groupby("learning_rate")["training_loss"].agg(lambda loss: loss.mean(skipna=False))
    if mean.isna().all():
        raise ConfigError(
            f"{model} diverged at every learning rate from {mean.index[0]:g} on: sweep lower ones"
        )
    lowest_at = float(mean.index[int(mean.argmin())])
    diverged = own.loc[own["diverged"] > 0, "learning_rate"]
    inside = mean.index[0] < lowest_at < mean.index[-1]
    return Suggestion(
        now=now,
        suggested=FRACTION * lowest_at if inside else None,
        lowest_at=lowest_at,
        lowest=float(mean.min()),
        diverged_from=float(diverged.min()) if len(diverged) else None,
    )
