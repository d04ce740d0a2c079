"""What the out-of-fold probabilities are worth: ranking, calibration, thresholds."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from titanic_nn.evaluation.metrics import expected_calibration_error
from titanic_nn.plots.style import FAINT, INK, colour, models_in, panels, shade, spoken, styled

Floats = NDArray[np.float64]

GRID: Floats = np.linspace(0, 1, 201)
REPEATS_NOTE = "Band: the range over repeats, that is, other folds of the same passengers."


@styled
def roc(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """True against false alarms over all thresholds, a curve per model.

    Args:
        oof: a run's oof.csv.
        models: which to draw; all by default.
    """

    def curve(y: Floats, probability: Floats) -> Floats:
        false_alarms, found, _ = roc_curve(y, probability)
        return np.asarray(np.interp(GRID, false_alarms, found))

    figure, (axes,) = panels(
        "ROC: survivors found against false alarms",
        "From all out-of-fold probabilities of a repeat. Dotted: guessing. AUC: the chance that a "
        f"survivor is ranked above a victim. {REPEATS_NOTE}",
        height=3.9,
    )
    axes.plot([0, 1], [0, 1], ":", color=FAINT)
    for model in models_in(oof, models):
        auc = np.mean([roc_auc_score(y, p) for y, p in _repeats(oof, model)])
        _mean_and_range(axes, oof, model, curve, f"{spoken(model)}, AUC {auc:.3f}")
    axes.set_xlabel("false alarms (share of the dead called survivors)")
    axes.set_ylabel("found (share of survivors called so)")
    axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """Precision against recall over all thresholds, a curve per model; arguments as in `roc`."""

    def curve(y: Floats, probability: Floats) -> Floats:
        precision, recall, _ = precision_recall_curve(y, probability)
        # From no recall to full; at each share of survivors, the first threshold that finds it.
        first = np.searchsorted(recall[::-1], GRID)
        return np.asarray(precision[::-1][first])

    figure, (axes,) = panels(
        "Precision and recall: how sure, for how many",
        f"From all out-of-fold probabilities of a repeat. Dotted: guessing. {REPEATS_NOTE}",
        height=3.9,
    )
    axes.axhline(oof["Survived"].mean(), linestyle=":", color=FAINT)
    for model in models_in(oof, models):
        _mean_and_range(axes, oof, model, curve, spoken(model))
    axes.set_xlabel("recall (share of survivors called so)")
    axes.set_ylabel("precision (share of those called so who survived)")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower left")
    return figure


@styled
def calibration(oof: pd.DataFrame, models: Sequence[str] | None = None) -> Figure:
    """Survival rate against predicted probability in ten bins, a panel per model."""
    names = models_in(oof, models)
    figure, every = panels(
        "Calibration: of those given 70 %, do 70 % survive?",
        "On the dotted line the answer is yes. Ten equally wide bins of all out-of-fold "
        "probabilities; lines: 95 % interval (Wilson) for the passengers in a bin; error: mean "
        "distance from the line, by passengers.",
        count=len(names),
        columns=min(2, len(names)),
        height=2.3,
    )
    repeats = oof["repeat"].nunique()
    y = oof["Survived"].to_numpy(dtype=np.float64)
    for axes, model in zip(every, names, strict=True):
        p = oof[model].to_numpy(dtype=np.float64)
        bins = pd.DataFrame({"y": y, "p": p}).groupby(np.minimum((p * 10).astype(int), 9))
        said, came = bins["p"].mean(), bins["y"].mean()
        # A passenger is there once a repeat, and counts once.
        low, high = wilson(came.to_numpy(), bins.size().to_numpy() / repeats)
        axes.plot([0, 1], [0, 1], ":", color=FAINT)
        axes.vlines(said, low, high, color=colour(model), alpha=0.6)
        axes.plot(said, came, "o-", color=colour(model), markersize=4)
        axes.set_title(f"{spoken(model)}, error {float(expected_calibration_error(y, p)):.3f}")
        axes.set_xlabel("predicted probability")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axes in every[:: min(2, len(names))]:
        axes.set_ylabel("share who survived")
    return figure


def wilson(share: Floats, count: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of a share seen among `count` (Wilson 1927): never outside 0 to 1."""
    z = 1.96
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = share * (1 - share) / count + z**2 / (4 * count**2)
    reach = z * np.sqrt(spread) / (1 + z**2 / count)
    return centre - reach, centre + reach


@styled
def confusion_matrix(oof: pd.DataFrame, model: str) -> Figure:
    """Who was taken for what, at probability 0.5: passengers, as a mean over repeats."""
    actual = oof["Survived"].to_numpy()
    called = (oof[model].to_numpy() >= 0.5).astype(int)
    counts = np.zeros((2, 2))  # (actual, called)
    np.add.at(counts, (actual, called), 1 / oof["repeat"].nunique())
    of_actual = counts / counts.sum(axis=1, keepdims=True)

    figure, (axes,) = panels(
        f"Confusion matrix of {spoken(model)}",
        "Out-of-fold, survival called at probability 0.5; mean over repeats. Per cent: of the row.",
        height=2.8,
    )
    # A faint tint under dark ink, so that the numbers are read on every shade.
    axes.pcolormesh([0, 1], [0, 1], of_actual, cmap="Blues", vmin=0, vmax=2.2)
    axes.invert_yaxis()
    for row, column in np.ndindex(2, 2):
        text = f"{counts[row, column]:.0f}\n{of_actual[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", fontsize=13, color="black")
    axes.set_xticks([0, 1], ["called dead", "called survivor"])
    axes.set_yticks([0, 1], ["died", "survived"])
    axes.set_xlabel("prediction (passengers)")
    axes.set_ylabel("truth (passengers)")
    axes.grid(visible=False)
    return figure


@styled
def threshold(oof: pd.DataFrame, model: str) -> Figure:
    """Accuracy by the probability from which survival is called, and where it is highest."""
    cuts = np.linspace(0.02, 0.98, 97)

    def curve(y: Floats, probability: Floats) -> Floats:
        order = np.argsort(probability)
        below = np.searchsorted(probability[order], cuts)  # (cuts,): how many are called dead
        lost = np.append(0, np.cumsum(y[order]))[below]  # survivors among them
        right = (below - lost) + (y.sum() - lost)
        return np.asarray(right / len(y))

    curves = np.stack([curve(y, p) for y, p in _repeats(oof, model)])  # (repeats, cuts)
    mean = curves.mean(axis=0)
    best, half = int(mean.argmax()), int(np.abs(cuts - 0.5).argmin())
    figure, (axes,) = panels(
        f"Where should {spoken(model)} draw the line?",
        f"Best at {cuts[best]:.2f}: {mean[best]:.3f}; at 0.50: {mean[half]:.3f}. The best was "
        f"looked up on these very passengers, so it flatters itself. {REPEATS_NOTE}",
        height=3.0,
    )
    shade(axes, cuts, curves.min(axis=0), curves.max(axis=0), colour(model))
    axes.plot(cuts, mean, color=colour(model))
    axes.axvline(0.5, color=INK, linewidth=1)
    axes.plot(cuts[best], mean[best], "o", color=colour(model))
    axes.set_xlabel("survival is called from this probability on")
    axes.set_ylabel("accuracy (share of passengers)")
    return figure


def _repeats(oof: pd.DataFrame, model: str) -> list[tuple[Floats, Floats]]:
    """Labels and probabilities (rows,) of each repeat."""
    return [
        (part["Survived"].to_numpy(dtype=np.float64), part[model].to_numpy(dtype=np.float64))
        for _, part in oof.groupby("repeat")
    ]


def _mean_and_range(
    axes: Any,
    oof: pd.DataFrame,
    model: str,
    curve: Callable[[Floats, Floats], Floats],
    label: str,
) -> None:
    """The mean of the repeats' curves over GRID, and a band from the lowest to the highest."""
    curves = np.stack([curve(y, p) for y, p in _repeats(oof, model)])  # (repeats, GRID)
    shade(axes, GRID, curves.min(axis=0), curves.max(axis=0), colour(model))
    axes.plot(GRID, curves.mean(axis=0), color=colour(model), label=label)
