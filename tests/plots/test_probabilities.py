"""ROC, precision-recall, calibration, confusion and threshold, with scikit-learn as referee."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D
from pictures import line_of, note, rows, segments, xs, ys
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from titanic_nn import plots
from titanic_nn.plots.probabilities import wilson


def area(line: Line2D) -> float:
    return float(np.trapezoid(ys(line), xs(line)))


def by_repeat(oof: pd.DataFrame) -> list[pd.DataFrame]:
    return [part for _, part in oof.groupby("repeat")]


def test_the_area_under_the_roc_curve_is_the_auc(oof: pd.DataFrame) -> None:
    auc = np.mean([roc_auc_score(part["label"], part["relu"]) for part in by_repeat(oof)])
    line = line_of(plots.roc(oof), "relu")
    assert area(line) == pytest.approx(auc, abs=0.01)  # the grid rounds a step
    assert line.get_label() == f"relu, AUC {auc:.3f}"


def test_the_area_under_precision_is_the_average_precision(oof: pd.DataFrame) -> None:
    parts = by_repeat(oof)
    ap = np.mean([average_precision_score(part["label"], part["relu"]) for part in parts])
    assert area(line_of(plots.precision_recall(oof), "relu")) == pytest.approx(ap, abs=0.01)


def test_a_band_reaches_over_the_repeats(oof: pd.DataFrame) -> None:
    both = plots.roc(oof, ["relu"]).axes[0]
    assert len(both.collections) == 1
    one = plots.roc(oof[oof["repeat"] == 0], ["relu"]).axes[0]
    assert not one.collections  # one repeat has no range
    curves = [line_of(plots.roc(part, ["relu"]), "relu") for part in by_repeat(oof)]
    middle = np.mean([ys(line) for line in curves], axis=0)
    assert ys(line_of(plots.roc(oof, ["relu"]), "relu")) == pytest.approx(middle)


def test_all_models_are_drawn_or_those_asked_for(oof: pd.DataFrame) -> None:
    titles = [axes.get_title("left") for axes in plots.calibration(oof).axes]
    assert [title.split(",")[0] for title in titles] == ["linear", "relu"]
    assert len(plots.calibration(oof, ["relu"]).axes) == 1


def test_calibration_by_hand() -> None:
    # Bin 0.2 to 0.3: predicted 0.2 and 0.28, one of two positive. Bin 0.9 to 1: 0.95, positive.
    table = pd.DataFrame({"row": [1, 2, 3], "label": [0, 1, 1], "repeat": 0, "fold": 0}).assign(
        relu=[0.2, 0.28, 0.95]
    )
    (axes,) = plots.calibration(table).axes
    points = axes.lines[-1]
    assert xs(points) == pytest.approx([0.24, 0.95])
    assert ys(points) == pytest.approx([0.5, 1.0])
    # (2 * |0.24 - 0.5| + 1 * |0.95 - 1|) / 3 = 0.19
    assert axes.get_title("left") == "relu, ECE 0.190"


@pytest.mark.parametrize(("positives", "count"), [(0, 5), (3, 10), (40, 40), (55, 80)])
def test_wilson_is_scipys(positives: int, count: int) -> None:
    low, high = wilson(np.array([positives / count]), np.array([count]))
    referee = binomtest(positives, count).proportion_ci(method="wilson")
    assert (low[0], high[0]) == pytest.approx((referee.low, referee.high), abs=1e-4)


def test_more_repeats_of_the_same_rows_do_not_narrow_the_calibration(
    oof: pd.DataFrame,
) -> None:
    once = oof[oof["repeat"] == 0]
    thrice = pd.concat([once.assign(repeat=r) for r in range(3)])

    def lengths(table: pd.DataFrame) -> list[float]:
        drawn = segments(plots.calibration(table, ["relu"]).axes[0].collections[0])
        return [float(np.ptp(segment[:, 1])) for segment in drawn]

    assert lengths(thrice) == pytest.approx(lengths(once))


def test_the_confusion_matrix_counts_rows_once(oof: pd.DataFrame) -> None:
    axes = plots.confusion_matrix(oof, "relu", ("no", "yes")).axes[0]
    assert rows(axes) == ["no", "yes"]
    texts = [t.get_text() for t in axes.texts]
    counts = [float(text.split("\n")[0]) for text in texts]
    assert sum(counts) == pytest.approx(80, abs=2)  # each was rounded
    predicted = oof["relu"] >= 0.5
    assert counts[0] == round((~predicted & (oof["label"] == 0)).sum() / 2)
    assert counts[3] == round((predicted & (oof["label"] == 1)).sum() / 2)


def test_the_threshold_curve_is_the_accuracy_at_each_cut(oof: pd.DataFrame) -> None:
    oof = oof.round({"relu": 2})  # so that some are equal to a threshold
    figure = plots.threshold(oof, "relu")
    curve = figure.axes[0].lines[0]
    x, y = xs(curve), ys(curve)
    correct = [accuracy_score(oof["label"], oof["relu"] >= cut) for cut in x]
    assert y == pytest.approx(np.array(correct))
    assert f"at 0.50: {y[np.abs(x - 0.5).argmin()]:.3f}" in note(figure)
    assert f"{y.max():.3f}" in note(figure)
