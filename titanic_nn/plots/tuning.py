"""How a study went, and what its parameters did."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from titanic_nn.plots.style import (
    BLUE,
    FAINT,
    METRIC_NAMES,
    RED,
    name_rows,
    panels,
    spoken,
    styled,
)

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


@styled
def study_importances(importances: Mapping[str, float]) -> Figure:
    """How much of the trials' differences each parameter explains.

    Args:
        importances: parameter -> share, as a study's summary.json has them.
    """
    ranked = sorted(importances.items(), key=lambda item: -item[1])
    figure, (axes,) = panels(
        "Which parameters mattered",
        "Share of the variance of the losses that a parameter explains, over the ranges that were "
        "searched (fANOVA). A narrow range makes any parameter unimportant.",
        height=0.7 + 0.3 * len(ranked),
    )
    axes.barh(range(len(ranked)), [share for _, share in ranked], color=BLUE, height=0.6)
    name_rows(axes, [spoken(name) for name, _ in ranked])
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("share of the variance")
    return figure


@styled
def study_optimism(log_loss: Mapping[str, Mapping[str, float]]) -> Figure:
    """What the search's folds say of its winner and the shipped settings, and what fresh ones say.

    Args:
        log_loss: "searched" and "fresh" -> settings' name -> mean log loss (summary.json).
    """
    searched, fresh = log_loss["searched"], log_loss["fresh"]
    figure, (axes,) = panels(
        "How much the search flatters its winner",
        "Mean log loss on the folds that chose the winner, and on fresh ones, of the same "
        "passengers. The shipped settings were chosen by neither: where the winner's line climbs "
        "more than theirs, it was flattered.",
        height=3.0,
    )
    for name, own_colour in (("tuned", RED), ("shipped", BLUE)):
        axes.plot([0, 1], [searched[name], fresh[name]], "o-", color=own_colour, label=name)
    axes.set_xticks([0, 1], ["the search's folds", "fresh folds"])
    axes.set_xlim(-0.2, 1.2)
    axes.set_xlabel("what scored the settings")
    axes.set_ylabel(METRIC_NAMES["log_loss"])
    axes.legend()
    return figure
