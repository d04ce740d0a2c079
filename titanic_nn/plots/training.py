"""Learning curves: over epochs, and over training rows."""

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from titanic_nn.plots.style import (
    CHOICE_COLOURS,
    colour,
    legend_above,
    panels,
    shade,
    spoken,
    styled,
)

TRAINING, HELD_OUT = "--", "-"
Y_LABELS = {"loss": "loss (nats)", "accuracy": "accuracy"}


@styled
def learning_curves(history: pd.DataFrame, score: str = "loss") -> Figure:
    """Training and held-out loss over epochs, a panel per net.

    Args:
        history: a run's history.csv.
        score: "loss" or "accuracy".
    """
    title = f"{score.capitalize()} by epoch"
    return _curves(history, score, title, x="epoch", x_label="epochs", of="single nets")


@styled
def rows_curve(learning_curve: pd.DataFrame, score: str = "loss") -> Figure:
    """Training and held-out loss over the number of training rows, a panel per model.

    Args:
        learning_curve: a learning_curve.csv.
        score: "loss" or "accuracy".
    """
    # Folds of one fraction can differ by a row.
    rows = learning_curve.groupby("train_fraction")["rows"].transform("mean")
    title, table = f"Learning curve: {score} by training rows", learning_curve.assign(rows=rows)
    return _curves(table, score, title, x="rows", x_label="training rows", of="models")


@styled
def compare_curves(curves: Mapping[str, pd.DataFrame], title: str, score: str = "loss") -> Figure:
    """Training (dashed) and held-out (solid) curves of several choices, on one pair of axes.

    Args:
        curves: by the choice's name: epoch, training_loss and held_out_loss (or accuracy).
        title: what differs between them.
        score: "loss" or "accuracy".
    """
    figure, (axes,) = panels(
        title, "Solid: held-out rows; dashed: training rows; mean over folds and nets.", height=3.2
    )
    for (name, curve), own in zip(curves.items(), cycle(CHOICE_COLOURS), strict=False):
        axes.plot(curve["epoch"], curve[f"training_{score}"], TRAINING, color=own, alpha=0.7)
        axes.plot(curve["epoch"], curve[f"held_out_{score}"], HELD_OUT, color=own, label=name)
    axes.set(xlabel="epochs", ylabel=Y_LABELS[score])
    legend_above(axes, 3)
    return figure


def _curves(
    table: pd.DataFrame, score: str, title: str, *, x: str, x_label: str, of: str
) -> Figure:
    models = [str(model) for model in table["model"].unique()]
    figure, every = panels(
        title,
        f"Solid: held-out rows; dashed: training rows; {of}, mean over folds. Band: the middle "
        "80 % of folds. The distance between the two lines is the generalization gap.",
        count=len(models),
        height=2.3,
        y_label=Y_LABELS[score],
    )
    for axes, model in zip(every, models, strict=True):
        rows = table[table["model"] == model]
        for side, line in ((f"training_{score}", TRAINING), (f"held_out_{score}", HELD_OUT)):
            at = rows.groupby(x)[side]
            mean = at.mean()
            label = side.removesuffix(f"_{score}").replace("held_out", "held out")
            axes.plot(mean.index, mean, line, color=colour(model), label=label)
            if line == HELD_OUT:
                shade(axes, mean.index, at.quantile(0.1), at.quantile(0.9), colour(model))
        axes.set_title(spoken(model))
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    # One scale for all, so that panels can be compared.
    lows, highs = zip(*(axes.get_ylim() for axes in every), strict=True)
    for axes in every:
        axes.set_ylim(min(lows), max(highs))
    return figure
