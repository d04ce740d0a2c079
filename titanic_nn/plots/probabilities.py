"""The quality of out-of-fold probabilities: ranking, calibration, thresholds."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from titanic_nn.evaluation.metrics import expected_calibration_error, roc_auc
from titanic_nn.evaluation.predictions import (
    models_of,
    most_probable,
    probabilities,
    scored_rows,
)
from titanic_nn.plots.style import (
    BLUE,
    FAINT,
    INK,
    colour,
    legend_above,
    panels,
    shade,
    spoken,
    styled,
)

Floats = NDArray[np.float64]
Curve = Callable[[Floats, Floats], Any]

GRID: Floats = np.linspace(0, 1, 201)
FEW_CLASSES = 5  # whose confusion matrix has room for per cents
REPEATS_NOTE = "Band: range over the repeats of the cross-validation."
FOLDS_NOTE = f"Mean of the folds' curves. Dotted: chance. {REPEATS_NOTE}"


@styled
def roc(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """True against false positive rate over all thresholds, a curve per model.

    Every fold has its own model, whose probabilities rank the rows of that fold only. So a fold has
    its own curve, and the mean of their true positive rates is drawn (vertical averaging, Fawcett
    2006). One curve of all folds' probabilities would rank rows by fold. Of more than two classes
    it is the mean of the classes' curves, each against all others.

    Args:
        oof: a run's oof.csv.
        models: which to draw; all by default.
    """

    def curve(y: Floats, probability: Floats) -> Floats:
        true, false = _positives(y, probability)
        drawn = np.interp(GRID, np.append(0, false) / false[-1], np.append(0, true) / true[-1])
        return np.append(drawn, roc_auc(y, probability))

    note = f"{_folds_note(oof)} AUC: mean over folds."
    figure, (axes,) = panels("ROC curve", note, height=3.9)
    axes.plot([0, 1], [0, 1], ":", color=FAINT)
    axes.set(xlabel="False positive rate", ylabel="True positive rate")
    _draw_curves(axes, GRID, oof, models, curve, "AUC")
    return figure


@styled
def precision_recall(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """Precision against recall over all thresholds, a curve per model; arguments as in `roc`.

    A fold's precision between two recalls is that of the higher one, the steps whose area is the
    average precision; the mean of the folds' steps is drawn.
    """
    recalls = GRID[1:]  # without positive predictions there is no precision

    def curve(y: Floats, probability: Floats) -> Floats:
        true, false = _positives(y, probability)
        precision, recall = true / (true + false), true / true[-1]
        # At each of `recalls`, the highest threshold that reaches it, rounded.
        first = np.searchsorted(recall, recalls - 1e-9)
        average_precision = (np.diff(recall, prepend=0) * precision).sum()
        return np.append(precision[first], average_precision)

    note = f"{_folds_note(oof)} AP: average precision, mean over folds."
    figure, (axes,) = panels("Precision-recall curve", note, height=3.9)
    y, _ = scored_rows(oof, models_of(oof)[0])
    axes.axhline(y.mean(), linestyle=":", color=FAINT)
    axes.set(xlabel="Recall", ylabel="Precision", ylim=(0, 1.02))
    _draw_curves(axes, recalls, oof, models, curve, "AP")
    return figure


@styled
def calibration(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """Fraction of positives against predicted probability in ten bins, a panel per model.

    Of more than two classes the fraction of rows whose predicted class is right, against its
    probability.
    """
    names = models or models_of(oof)
    multiclass = _is_multiclass(oof)
    figure, every = panels(
        "Calibration",
        "Dotted: perfectly calibrated. Ten equally wide bins of all out-of-fold probabilities; "
        "lines: 95 % interval (Wilson) for the rows in a bin; ECE: expected calibration error, the "
        "mean distance from the dotted line over rows.",
        count=len(names),
        height=2.3,
        y_label="Fraction that is right" if multiclass else "Fraction of positives",
    )
    repeats = oof["repeat"].nunique()
    for axes, model in zip(every, names, strict=True):
        labels, of_model = scored_rows(oof, model)
        error = float(expected_calibration_error(labels, of_model))
        y, p = labels.astype(np.float64), of_model.astype(np.float64)
        if multiclass:
            y, p = (y.argmax(1) == p.argmax(1)).astype(np.float64), p.max(1)
        bins = pd.DataFrame({"y": y, "p": p}).groupby(np.minimum((p * 10).astype(int), 9))
        predicted, observed = bins["p"].mean(), bins["y"].mean()
        # A row occurs once a repeat, and counts once.
        low, high = wilson(observed.to_numpy(), bins.size().to_numpy() / repeats)
        axes.plot([0, 1], [0, 1], ":", color=FAINT)
        axes.vlines(predicted, low, high, color=colour(model), alpha=0.6)
        axes.plot(predicted, observed, "o-", color=colour(model), markersize=4)
        axes.set_title(f"{spoken(model)}, ECE {error:.3f}")
        x_label = "Probability of the predicted class" if multiclass else "Predicted probability"
        axes.set(xlabel=x_label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure


def wilson(fraction: Floats, count: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of a fraction of `count` rows (Wilson 1927): never outside 0 to 1."""
    z = 1.96
    centre = (fraction + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = fraction * (1 - fraction) / count + z**2 / (4 * count**2)
    reach = z * np.sqrt(spread) / (1 + z**2 / count)
    return centre - reach, centre + reach


@styled
def confusion_matrix(
    oof: pd.DataFrame, model: str, class_names: Sequence[str] = ("0", "1")
) -> Figure:
    """True against predicted class, of two at probability 0.5: rows, as a mean over repeats."""
    label, classes = oof["label"].to_numpy(), len(class_names)
    predicted = most_probable(probabilities(oof, model))
    counts = np.zeros((classes, classes))  # (true, predicted)
    np.add.at(counts, (label, predicted), 1 / oof["repeat"].nunique())
    of_class = counts / counts.sum(axis=1, keepdims=True)

    few = classes <= FEW_CLASSES
    figure, (axes,) = panels(
        f"Confusion matrix of {spoken(model)}",
        f"Out-of-fold predictions{' at probability 0.5' * (classes == 2)}; mean over repeats. "
        f"{'Per cent: of' if few else 'Colour: the fraction of'} the true class.",
        height=min(1.2 + 0.8 * classes, 5),
    )
    # A tint of whatever is behind it, so that the numbers are legible on a light and a dark page.
    tint = LinearSegmentedColormap.from_list("tint", [to_rgba(BLUE, 0.0), to_rgba(BLUE, 0.6)])
    places = range(classes)
    axes.pcolormesh(places, places, of_class, cmap=tint, vmin=0, vmax=1)
    axes.invert_yaxis()
    for row, column in np.ndindex(classes, classes):
        text = f"{counts[row, column]:.0f}"
        if few:
            text += f"\n{of_class[row, column]:.0%}"
        elif text == "0":
            continue
        axes.text(column, row, text, ha="center", va="center", fontsize=min(13, 90 / classes))
    turned: Any = {"rotation": 30, "ha": "right"} if classes > 4 else {}
    axes.set_xticks(places, class_names, **turned)
    axes.set_yticks(places, class_names)
    axes.set(xlabel="Predicted class (rows)", ylabel="True class (rows)")
    axes.grid(visible=False)
    return figure


@styled
def threshold(oof: pd.DataFrame, model: str) -> Figure:
    """Accuracy by decision threshold of two classes, and where it is highest."""
    cuts = np.linspace(0.02, 0.98, 97)

    def curve(y: Floats, probability: Floats) -> Floats:
        order = np.argsort(probability)
        below = np.searchsorted(probability[order], cuts)  # (cuts,): predicted negatives
        false_negatives = np.append(0, np.cumsum(y[order]))[below]
        correct = (below - false_negatives) + (y.sum() - false_negatives)
        return np.asarray(correct / len(y))

    curves = _by_repeat(oof, model, curve)  # (repeats, cuts)
    mean = curves.mean(axis=0)
    best, half = int(mean.argmax()), int(np.abs(cuts - 0.5).argmin())
    figure, (axes,) = panels(
        f"Decision threshold of {spoken(model)}",
        f"Best at {cuts[best]:.2f}: {mean[best]:.3f}; at 0.50: {mean[half]:.3f}. The best one was "
        f"selected on the same rows, so its accuracy is biased upwards. {REPEATS_NOTE}",
        height=3.0,
    )
    _mean_and_range(axes, cuts, curves, model)
    axes.axvline(0.5, color=INK, linewidth=1)
    axes.plot(cuts[best], mean[best], "o", color=colour(model))
    axes.set(xlabel="Threshold on the predicted probability", ylabel="Accuracy")
    return figure


def _positives(y: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """True and false positives by threshold: each distinct probability, the highest first."""
    order = np.argsort(-probability, kind="stable")
    last = np.flatnonzero(np.diff(probability[order], append=-np.inf))  # of equal ones
    true = y[order].cumsum()[last]
    return true, last + 1 - true


def _draw_curves(
    axes: Axes, x: Floats, oof: pd.DataFrame, models: Sequence[str] | None, curve: Curve, area: str
) -> None:
    """Each model's curve over x, the mean of its folds'; `curve` appends the area to the points."""
    for model in models or models_of(oof):
        found = _by_fold(oof, model, curve)  # (repeats, points and the area)
        label = f"{spoken(model)}, {area} {found[:, -1].mean():.3f}"
        _mean_and_range(axes, x, found[:, :-1], model, label)
    legend_above(axes)


def _by_repeat(oof: pd.DataFrame, model: str, curve: Curve) -> Floats:
    """The curve of a model's labels and probabilities in each repeat, (repeats, ...)."""
    return np.stack(_of_each("repeat", oof, model, curve))


def _by_fold(oof: pd.DataFrame, model: str, curve: Curve) -> Floats:
    """The mean of the curves of a repeat's folds, (repeats, ...)."""
    repeats = [part for _, part in oof.groupby("repeat")]
    return np.stack([np.mean(_of_each("fold", part, model, curve), axis=0) for part in repeats])


def _of_each(key: str, oof: pd.DataFrame, model: str, curve: Curve) -> list[Any]:
    """The curve of each part; of more than two classes the mean of the classes' curves."""
    found = []
    for _, part in oof.groupby(key):
        y, p = (array.astype(np.float64) for array in scored_rows(part, model))
        classes = [(y, p)] if p.ndim == 1 else zip(y.T, p.T, strict=True)
        found.append(np.mean([curve(*of_class) for of_class in classes], axis=0))
    return found


def _is_multiclass(oof: pd.DataFrame) -> bool:
    return probabilities(oof, models_of(oof)[0]).ndim == 2


def _folds_note(oof: pd.DataFrame) -> str:
    return f"{'Mean over classes, each against all others. ' * _is_multiclass(oof)}{FOLDS_NOTE}"


def _mean_and_range(axes: Axes, x: Floats, curves: Floats, model: str, label: str = "") -> None:
    """The mean of the repeats' curves, and a band from the lowest to the highest."""
    shade(axes, x, curves.min(axis=0), curves.max(axis=0), colour(model))
    axes.plot(x, curves.mean(axis=0), color=colour(model), label=label)
