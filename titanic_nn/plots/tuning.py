"""How a study went, and what its parameters did."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from titanic_nn.plots.style import BLUE, FAINT, METRIC_NAMES, RED, panels, styled

NO_PARAMETERS = ("number", "state", "log_loss", "splits")
# A range whose ends are further apart than this is drawn on a log scale.
WIDE = 30


@styled
def study_history(trials: pd.DataFrame) -> Figure:
    """Every trial's loss in the order of their numbers, and the best so far.

    Args:
        trials: a study's trials.csv: number, state, log_loss, splits, a column per parameter.
    """
    scored = trials[trials["state"] == "scored"].sort_values("number")
    figure, (axes,) = panels(
        f"The best of {len(trials)} trials: {scored['log_loss'].min():.4f}",
        "Grey trials were stopped as weak after some of the folds, and have the mean of those. "
        "The worst tenth is above the picture.",
    )
    _dots(axes, trials, trials["number"])
    best = np.minimum.accumulate(scored["log_loss"])
    axes.step(scored["number"], best, where="post", color=RED, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(METRIC_NAMES["log_loss"])
    axes.legend(loc="upper right")
    return figure


@styled
def study_slices(trials: pd.DataFrame) -> Figure:
    """Every trial's loss over each of its parameters, a panel each.

    Args:
        trials: a study's trials.csv: number, state, log_loss, splits, a column per parameter.
    """
    parameters = [str(name) for name in trials if name not in NO_PARAMETERS]
    figure, every = panels(
        "What each parameter did",
        "Blue trials were scored on all folds, grey ones stopped as weak. The search looks where "
        "it is good, so a crowd is a finding too. The worst tenth is above the picture.",
        count=len(parameters),
        columns=2,
        height=2.2,
    )
    for place, (axes, name) in enumerate(zip(every, parameters, strict=True)):
        values = trials[name]
        if not pd.api.types.is_numeric_dtype(values):
            choices = sorted(set(values))
            values = values.map(choices.index)
            axes.set_xticks(range(len(choices)), choices, rotation=20 if len(choices) > 3 else 0)
            axes.set_xlim(-0.5, len(choices) - 0.5)
        elif values.min() > 0 and values.max() > WIDE * values.min():
            axes.set_xscale("log")
        _dots(axes, trials, values)
        axes.set_xlabel(name)
        if place % 2 == 0:
            axes.set_ylabel("log loss")
    return figure


def _dots(axes: Axes, trials: pd.DataFrame, x: "pd.Series[float]") -> None:
    """A dot per trial, those that were scored in front."""
    scored = trials["state"] == "scored"
    losses = trials["log_loss"]
    axes.scatter(x[~scored], losses[~scored], s=6, color=FAINT, alpha=0.5, label="stopped as weak")
    axes.scatter(x[scored], losses[scored], s=9, color=BLUE, label="scored")
    low, high = losses.min(), losses.quantile(0.9)
    margin = max(0.08 * (high - low), 1e-4)
    axes.set_ylim(low - margin, high + margin)
