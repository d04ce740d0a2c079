"""The training loss over a sweep of learning rates."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from titanic_nn.plots.style import FAINT, INK, colour, panels, shade, spoken, styled

LEGEND = 0.3  # of a panel's height


@styled
def learning_rate_sweep(
    losses: pd.DataFrame, suggested: Mapping[str, float | None], now: Mapping[str, float]
) -> Figure:
    """Training loss by learning rate, a panel per net.

    Args:
        losses: a lr_find.csv: model, learning_rate, training_loss of each net; NaN: diverged.
        suggested: model -> the learning rate that the sweep suggests, if it does.
        now: model -> the learning rate of the net's settings.
    """
    models = [str(model) for model in losses["model"].unique()]
    figure, every = panels(
        "Training loss by learning rate",
        "Loss after a few epochs, mean over folds; band: the middle 80 % of nets. Each rate has "
        "nets of its own. Grey: at least one net diverged. Losses far above the first are cut off.",
        count=len(models),
        height=2.4,
        y_label="training loss",
    )
    for axes, model in zip(every, models, strict=True):
        at = losses[losses["model"] == model].groupby("learning_rate")["training_loss"]
        mean = at.agg(lambda loss: loss.mean(skipna=False))
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(LogFormatter())
        axes.plot(mean.index, mean, color=colour(model))
        shade(axes, mean.index, at.quantile(0.1), at.quantile(0.9), colour(model))
        low, high = float(mean.min()), float(mean.dropna().iloc[0])
        margin = max(0.15 * (high - low), 0.02)
        axes.set_ylim(low - 4 * margin, high + margin)
        lost = mean.index[mean.isna()]
        if len(lost):
            axes.axvspan(lost[0], lost[-1], color=FAINT, alpha=0.2, linewidth=0)
        # Below the marks there is the legend.
        axes.axvline(
            now[model], LEGEND, color=FAINT, linestyle="--", label=f"now: {now[model]:.2g}"
        )
        if (rate := suggested[model]) is not None:
            axes.axvline(rate, LEGEND, color=INK, label=f"suggested: {rate:.2g}")
        axes.set_title(spoken(model))
        axes.set_xlabel("learning rate")
        axes.legend(loc="lower left", labelcolor=INK)
    return figure
