"""Why the models say what they say, and whom they get wrong."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from titanic_nn.plots.style import (
    DIED,
    FAINT,
    INK,
    MODEL_COLOURS,
    SURVIVED,
    colour,
    name_rows,
    panels,
    spoken,
    styled,
)

CLASSES = {1: "1st class", 2: "2nd class", 3: "3rd class"}


@styled
def coefficients(table: pd.DataFrame, most: int = 20) -> Figure:
    """The linear net's weights, the heaviest first.

    Args:
        table: a coefficients.csv: feature, mean, sd, low, high over folds.
        most: how many to show.
    """
    heavy = table.loc[table["mean"].abs().sort_values(ascending=False).index].head(most)
    figure, (axes,) = panels(
        "What the linear net weighs",
        "Weight of each encoded column on the log-odds of surviving; numbers count in standard "
        f"deviations. Line: 95 % interval. The {len(heavy)} heaviest of {len(table)}.",
        height=0.8 + 0.21 * len(heavy),
    )
    axes.axvline(0, color=INK, linewidth=1)
    places = range(len(heavy))
    towards = [SURVIVED if weight > 0 else DIED for weight in heavy["mean"]]
    axes.hlines(places, heavy["low"], heavy["high"], colors=towards, linewidth=2)
    axes.scatter(heavy["mean"], places, s=25, c=towards, zorder=3)
    name_rows(axes, [str(name) for name in heavy["feature"]])
    axes.set_xlabel("weight on the log-odds: ← died | survived →")
    return figure


@styled
def importance(table: pd.DataFrame, most: int = 10) -> Figure:
    """How much worse each model gets when a feature's values are dealt out at random.

    Args:
        table: an importance.csv: model, feature, repeat, fold, log_loss_increase.
        most: how many features to show.
    """
    over_folds = table.groupby(["feature", "model"])["log_loss_increase"]
    mean = over_folds.mean().unstack()
    mean = mean.loc[mean.mean(axis=1).sort_values(ascending=False).index].head(most)
    low, high = over_folds.quantile(0.1).unstack(), over_folds.quantile(0.9).unstack()
    models = [str(model) for model in table["model"].unique()]
    figure, (axes,) = panels(
        "Permutation importance: what the models lean on",
        "Rise of the held-out log loss when a feature is shuffled among the held-out rows; line: "
        "the middle 80 % of folds. Features that say the same stand in for each other, so each of "
        "them looks less important than it is.",
        height=0.8 + (0.15 + 0.07 * len(models)) * len(mean),
    )
    axes.axvline(0, color=INK, linewidth=1)
    for i, model in enumerate(models):
        places = np.arange(len(mean)) + 0.7 * ((i + 0.5) / len(models) - 0.5)
        bounds = (low.loc[mean.index, model], high.loc[mean.index, model])
        axes.hlines(places, *bounds, color=colour(model), alpha=0.5)
        axes.plot(mean[model], places, "o", color=colour(model), label=spoken(model), markersize=4)
    name_rows(axes, [spoken(str(name)) for name in mean.index])
    axes.set_xlabel("rise of the log loss (nats per passenger)")
    axes.legend(loc="lower right")
    return figure


@styled
def hidden_units(
    w1: NDArray[np.floating],
    w2: NDArray[np.floating],
    feature_names: Sequence[str],
    most: int = 6,
) -> Figure:
    """What the hidden units that matter most look for: their heaviest incoming weights.

    Args:
        w1: weights into the hidden units, (features, units).
        w2: weights from them to the logit, (units, 1).
        feature_names: of the encoded columns, (features,).
        most: how many units to show.
    """
    outgoing = np.asarray(w2).ravel()  # (units,)
    strength = np.abs(outgoing) * np.linalg.norm(w1, axis=0)  # (units,)
    units = np.argsort(-strength)[:most]
    figure, every = panels(
        "What the hidden units look for",
        f"The {len(units)} of {len(outgoing)} units with the largest outgoing times incoming "
        "weights. Bars: a unit's heaviest incoming weights; it wakes up for passengers who have "
        "what points right and lack what points left, and then pushes the way its title says.",
        count=len(units),
        columns=2,
        height=1.55,
    )
    for axes, unit in zip(every, units, strict=True):
        heavy = np.argsort(-np.abs(w1[:, unit]))[:5]
        lives = outgoing[unit] > 0
        axes.barh(range(len(heavy)), w1[heavy, unit], color=SURVIVED if lives else DIED)
        name_rows(axes, [feature_names[i] for i in heavy], fontsize=8)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_title(f"unit {unit} → {'survival' if lives else 'death'}")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.grid(axis="y", visible=False)
    return figure


@styled
def hard_passengers(hard: pd.DataFrame, most: int = 12) -> Figure:
    """The passengers whom the models, on average, get wrong with the most conviction.

    Args:
        hard: a hard.csv: PassengerId, Survived, a probability per model, the raw columns.
        most: how many to show.
    """
    models = [name for name in MODEL_COLOURS if name in hard and name != "sex_rule"]
    said = hard[models].mean(axis=1)
    miss = (hard["Survived"] - said).abs()
    shown = hard.loc[miss.sort_values(ascending=False).index].head(most)
    figure, (axes,) = panels(
        "The hard passengers",
        "Mean out-of-fold probability of each model, for those whose fate surprised them most. "
        "The cross marks what happened.",
        height=0.8 + 0.36 * len(shown),
    )
    axes.axvline(0.5, color=FAINT, linewidth=1)
    for model in models:
        places = range(len(shown))
        axes.plot(shown[model], places, "o", color=colour(model), alpha=0.8, label=spoken(model))
    axes.plot(shown["Survived"], range(len(shown)), "x", color=INK, markersize=8, clip_on=False)
    name_rows(axes, [_described(row) for _, row in shown.iterrows()], fontsize=8)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("predicted probability of surviving")
    axes.legend(loc="center", labelcolor=INK)
    return figure


def _described(row: "pd.Series[str]") -> str:
    """Who it is, in two lines: the name, then sex, age and class."""
    name = str(row["Name"])
    name = name if len(name) <= 32 else f"{name[:31]}…"
    age = "age unknown" if pd.isna(row["Age"]) else f"{float(row['Age']):g} years"
    fate = "survived" if int(row["Survived"]) else "died"
    return f"{name}\n{row['Sex']}, {age}, {CLASSES[int(row['Pclass'])]}: {fate}"
