"""What the models have learnt, and which rows they misclassify."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.plots.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    class_colours,
    colour,
    legend_above,
    name_rows,
    panels,
    spoken,
    styled,
)


@styled
def coefficients(
    table: pd.DataFrame, class_names: Sequence[str] = ("0", "1"), top: int = 20
) -> Figure:
    """The linear net's coefficients, the largest first.

    Args:
        table: a coefficients.csv: feature, mean, sd, low, high over folds.
        class_names: of the classes.
        top: how many to show.
    """
    of_logit = "the log-odds of the positive class"
    if len(class_names) > 2:
        of_logit = "a class's logit, less the mean over classes"
    largest = table.loc[table["mean"].abs().sort_values(ascending=False).index].head(top)
    figure, (axes,) = panels(
        "Coefficients of the linear net",
        f"Weight of each encoded column on {of_logit}; numbers are in "
        f"standard deviations. Line: 95 % interval; none where fewer than two folds of a repeat "
        f"have the column. The {len(largest)} largest of {len(table)}.",
        height=0.8 + 0.21 * len(largest),
    )
    axes.axvline(0, color=INK, linewidth=1)
    places = range(len(largest))
    colours = [POSITIVE if weight > 0 else NEGATIVE for weight in largest["mean"]]
    axes.hlines(places, largest["low"], largest["high"], colors=colours, linewidth=2)
    axes.scatter(largest["mean"], places, s=25, c=colours, zorder=3)
    name_rows(axes, [str(name) for name in largest["feature"]])
    axes.set_xlabel(f"weight on {of_logit}")
    return figure


@styled
def ablation(variants: pd.DataFrame, model: str, group: str = "", top: int = 15) -> Figure:
    """The change of the log loss when a net is trained without a feature.

    Args:
        variants: those of an ablation.json: model, kind, feature, change, low, high.
        model: whose to draw.
        group: the name of the group of features that is dropped as a whole, if there is one.
        top: how many features to show, the largest change first.
    """
    of_model = variants[variants["model"] == model]
    dropped = of_model[of_model["kind"] == "drop"].sort_values("change", ascending=False)
    whole_group = of_model[of_model["kind"] == "plain"].assign(feature=f"all of {group}")
    shown = pd.concat([whole_group, dropped.head(top)])
    figure, (axes,) = panels(
        f"Ablation of {spoken(model)}",
        f"Change of the held-out log loss when {spoken(model)} is trained without a feature, with "
        "its 95 % interval (corrected resampled t-test). To the right: it was better with it. "
        f"Grey: practically equivalent (at most {ROPES['log_loss']:g}). The "
        f"{min(top, len(dropped))} largest changes of {len(dropped)}.",
        height=0.8 + 0.21 * len(shown),
    )
    axes.axvspan(-ROPES["log_loss"], ROPES["log_loss"], color=FAINT, alpha=0.2, linewidth=0)
    axes.axvline(0, color=INK, linewidth=1)
    places = range(len(shown))
    axes.hlines(places, shown["low"], shown["high"], colors=colour(model), linewidth=2)
    axes.scatter(shown["change"], places, s=25, color=colour(model), zorder=3)
    name_rows(axes, [spoken(str(name)) for name in shown["feature"]])
    axes.set_xlabel("change of the log loss (nats per row)")
    return figure


@styled
def importance(table: pd.DataFrame, top: int = 10) -> Figure:
    """Permutation importance: the rise of the log loss when a feature is shuffled.

    Args:
        table: an importance.csv: model, feature, repeat, fold, log_loss_increase.
        top: how many features to show.
    """
    over_folds = table.groupby(["feature", "model"])["log_loss_increase"]
    mean = over_folds.mean().unstack()
    mean = mean.loc[mean.mean(axis=1).sort_values(ascending=False).index].head(top)
    low, high = over_folds.quantile(0.1).unstack(), over_folds.quantile(0.9).unstack()
    models = [str(model) for model in table["model"].unique()]
    figure, (axes,) = panels(
        "Permutation importance",
        "Rise of the held-out log loss when a feature is shuffled among the held-out rows; line: "
        "the middle 80 % of folds. Correlated features replace each other, so each of them looks "
        "less important than it is.",
        height=0.8 + (0.15 + 0.07 * len(models)) * len(mean),
    )
    axes.axvline(0, color=INK, linewidth=1)
    for i, model in enumerate(models):
        places = np.arange(len(mean)) + 0.7 * ((i + 0.5) / len(models) - 0.5)
        bounds = (low.loc[mean.index, model], high.loc[mean.index, model])
        axes.hlines(places, *bounds, color=colour(model), alpha=0.5)
        axes.plot(mean[model], places, "o", color=colour(model), label=spoken(model), markersize=4)
    name_rows(axes, [spoken(str(name)) for name in mean.index])
    axes.set_xlabel("rise of the log loss (nats per row)")
    legend_above(axes, len(models))
    return figure


@styled
def hidden_units(
    w1: NDArray[np.floating],
    w2: NDArray[np.floating],
    feature_names: Sequence[str],
    class_names: Sequence[str] = ("0", "1"),
    top: int = 6,
) -> Figure:
    """The largest incoming weights of the hidden units that matter most.

    Args:
        w1: weights into the hidden units, (features, units).
        w2: weights from them to the logit, (units, 1), or to those of the classes (units, classes).
        feature_names: of the encoded columns, (features,).
        class_names: of the classes.
        top: how many units to show.
    """
    multiclass = len(class_names) > 2
    outgoing = np.asarray(w2)
    if multiclass:  # a probability depends on differences of logits alone
        outgoing = outgoing - outgoing.mean(axis=1, keepdims=True)
    colours = class_colours(len(class_names)) if multiclass else [NEGATIVE, POSITIVE]
    strength = np.linalg.norm(outgoing, axis=1) * np.linalg.norm(w1, axis=0)  # (units,)
    units = np.argsort(-strength)[:top]
    figure, every = panels(
        "Hidden units",
        f"The {len(units)} of {len(outgoing)} units with the largest product of outgoing and "
        "incoming weights. Bars: the five largest incoming weights. A unit is active for rows with "
        "high values of the columns to the right and low ones of those to the left; an active "
        "unit raises the probability of the class in its title"
        f"{' most' * multiclass}.",
        count=len(units),
        height=2.0,
    )
    for axes, unit in zip(every, units, strict=True):
        largest = np.argsort(-np.abs(w1[:, unit]))[:5]
        label = int(outgoing[unit].argmax() if multiclass else outgoing[unit, 0] > 0)
        axes.barh(range(len(largest)), w1[largest, unit], color=colours[label])
        # In lines short enough to leave the bars half of the width.
        name_rows(axes, [textwrap.fill(feature_names[i], 18) for i in largest], fontsize=8)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_title(f"unit {unit} → {class_names[label]}")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.grid(axis="y", visible=False)
    return figure


@styled
def misclassified(
    table: pd.DataFrame,
    models: Sequence[str],
    display_columns: Sequence[str] = (),
    class_names: Sequence[str] = ("0", "1"),
    top: int = 12,
) -> Figure:
    """The rows that all models misclassify, the largest mean error on top.

    Args:
        table: a misclassified.csv: id, label, a probability per model, the table's columns; of
            more than two classes `predicted` too, and probabilities are of the row's own class.
        models: its models.
        display_columns: columns that label a row, the first as its name; the id by default.
        class_names: of the classes.
        top: how many to show.
    """
    shown, multiclass = table.head(top), len(class_names) > 2
    of_own = " for the row's own class, which stands below its name, with the predicted one"
    figure, (axes,) = panels(
        "Misclassified by all models",
        f"Mean out-of-fold probability of each model{of_own * multiclass}."
        f"{' Cross: the true class.' * (not multiclass)}",
        height=0.8 + 0.36 * len(shown),
    )
    axes.axvline(0.5, color=FAINT, linewidth=1)
    places = range(len(shown))
    for model in models:
        axes.plot(shown[model], places, "o", color=colour(model), alpha=0.8, label=spoken(model))
    if not multiclass:
        axes.plot(shown["label"], places, "x", color=INK, markersize=8, clip_on=False)
    columns = list(display_columns) or [str(table.columns[0])]
    texts = shown[columns].map(_text).itertuples(index=False)
    outcomes = [class_names[int(label)] for label in shown["label"]]
    if multiclass:
        predicted = [class_names[int(code)] for code in shown["predicted"]]
        outcomes = [f"{own}, not {code}" for own, code in zip(outcomes, predicted, strict=True)]
    labels = [
        f"{name}\n{', '.join([*map(' '.join, zip(columns[1:], others, strict=True)), outcome])}"
        for (name, *others), outcome in zip(texts, outcomes, strict=True)
    ]
    name_rows(axes, labels, fontsize=8)
    of = "the row's own class" if multiclass else f"class {class_names[1]}"
    axes.set(xlim=(-0.03, 1.03))
    axes.set_xlabel(f"Predicted probability of {of}", loc="right")  # longer than a narrow axis
    legend_above(axes, 4)
    return figure


def _text(value: Any) -> str:
    """A value of a table, in 32 characters at most."""
    text = "unknown" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 32 else f"{text[:31]}…"
