"""A study's history, and the effect of its parameters."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, PercentFormatter

from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.plots.style import BLUE, FAINT, RED, legend_above, name_rows, panels, spoken, styled

NOT_PARAMETERS = ("number", "state", "log_loss", "splits")
# From this ratio of the largest to the smallest value on, an axis is logarithmic.
WIDE = 30


@styled
def study_history(trials: pd.DataFrame) -> Figure:
    """Every trial's loss by number, and the best so far.

    Args:
        trials: a study's trials.csv: number, state, log_loss, splits, a column per parameter.
    """
    complete = trials[trials["state"] == "complete"].sort_values("number")
    figure, (axes,) = panels(
        f"The best of {len(trials)} trials: {complete['log_loss'].min():.4f}",
        "Grey trials were pruned; their loss is the mean over the folds that scored them. "
        "The worst tenth of the trials lies above the plot.",
    )
    _dots(axes, trials, trials["number"])
    best = np.minimum.accumulate(complete["log_loss"])
    axes.step(complete["number"], best, where="post", color=RED, label="best so far")
    axes.set(xlabel="trial", ylabel=METRICS["log_loss"].label)
    legend_above(axes)
    return figure


@styled
def study_slices(trials: pd.DataFrame) -> Figure:
    """Every trial's loss over each of its parameters, a panel each; argument of `study_history`."""
    parameters = [str(name) for name in trials if name not in NOT_PARAMETERS]
    figure, every = panels(
        "Loss by parameter",
        "Blue trials are complete, grey ones were pruned. The sampler proposes more trials where "
        "losses were low. The worst tenth of the trials lies above the plot.",
        count=len(parameters),
        height=2.2,
        y_label="log loss",
    )
    for axes, name in zip(every, parameters, strict=True):
        values = trials[name]
        if not pd.api.types.is_numeric_dtype(values):
            choices = sorted(set(values))
            values = values.map(choices.index)
            axes.set_xticks(range(len(choices)), choices, rotation=20 if len(choices) > 3 else 0)
            axes.set_xlim(-0.5, len(choices) - 0.5)
        elif values.min() > 0 and values.max() > WIDE * values.min():
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(LogFormatter())
        _dots(axes, trials, values)
        axes.set_xlabel(name)
    return figure


def _dots(axes: Axes, trials: pd.DataFrame, x: "pd.Series[float]") -> None:
    """A dot per trial, complete ones in front."""
    complete = trials["state"] == "complete"
    losses = trials["log_loss"]
    axes.scatter(x[~complete], losses[~complete], s=6, color=FAINT, alpha=0.5, label="pruned")
    axes.scatter(x[complete], losses[complete], s=9, color=BLUE, label="complete")
    low, high = losses.min(), losses.quantile(0.9)
    margin = max(0.08 * (high - low), 1e-4)
    axes.set_ylim(low - margin, high + margin)


@styled
def study_importances(importances: Mapping[str, float]) -> Figure:
    """How much of the losses' variance each parameter explains.

    Args:
        importances: parameter -> fraction, from a study's summary.json.
    """
    ranked = sorted(importances.items(), key=lambda item: -item[1])
    figure, (axes,) = panels(
        "Parameter importances",
        "Fraction of the losses' variance that a parameter explains, over the ranges that were "
        "searched (fANOVA). In a narrow range any parameter is unimportant.",
        height=0.7 + 0.3 * len(ranked),
    )
    axes.barh(range(len(ranked)), [fraction for _, fraction in ranked], color=BLUE, height=0.6)
    name_rows(axes, [spoken(name) for name, _ in ranked])
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("fraction of the variance")
    return figure


@styled
def study_optimism(log_loss: Mapping[str, Mapping[str, float]]) -> Figure:
    """The loss of the best and the shipped settings, on the search's folds and on fresh ones.

    Args:
        log_loss: "search_folds" and "fresh_folds" -> name of the settings -> mean log loss, from a
            study's summary.json.
    """
    search, fresh = log_loss["search_folds"], log_loss["fresh_folds"]
    figure, (axes,) = panels(
        "The optimism of the search",
        "Mean log loss on the folds that selected the best settings, and on fresh folds of the "
        "same rows. The shipped settings were selected on neither. Where the best rises by "
        "more than they do, the search was optimistic.",
        height=3.0,
    )
    for name, own_colour in (("best", RED), ("shipped", BLUE)):
        axes.plot([0, 1], [search[name], fresh[name]], "o-", color=own_colour, label=name)
    axes.set_xticks([0, 1], ["the search's folds", "fresh folds"])
    axes.set(xlim=(-0.2, 1.2), xlabel="scored on", ylabel=METRICS["log_loss"].label)
    legend_above(axes)
    return figure
