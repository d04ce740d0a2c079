"""ROC, precision-recall, calibration, confusion and threshold, with scikit-learn as referee."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D
from pictures import line_of, note, rows, segments, xs, ys
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from titanic_nn import plots
from titanic_nn.plots.probabilities import wilson
from titanic_nn.report.pictures import as_svg


def area(line: Line2D) -> float:
    return float(np.trapezoid(ys(line), xs(line)))


def folds(oof: pd.DataFrame) -> list[pd.DataFrame]:
    return [part for _, part in oof.groupby(["repeat", "fold"])]


@pytest.fixture
def shifted(oof: pd.DataFrame) -> pd.DataFrame:
    """Each fold's probabilities are on a scale of their own, which changes no rank within it.

    The rule has two probabilities in each fold.
    """
    lower = 0.05 * oof["fold"] + 0.01 * oof["repeat"]
    return oof.assign(relu=0.8 * oof["relu"] + lower, rule=0.6 * (oof["linear"] > 0.5) + lower)


@pytest.mark.parametrize("model", ["relu", "rule"])
def test_the_area_under_the_roc_curve_is_the_mean_auc_of_the_folds(
    shifted: pd.DataFrame, model: str
) -> None:
    auc = np.mean([roc_auc_score(part["label"], part[model]) for part in folds(shifted)])
    line = line_of(plots.roc(shifted), model)
    assert area(line) == pytest.approx(auc, abs=0.004)  # the grid rounds a step
    assert line.get_label() == f"{model}, AUC {auc:.3f}"


@pytest.mark.parametrize("model", ["relu", "rule"])
def test_the_area_under_precision_is_the_mean_average_precision(
    shifted: pd.DataFrame, model: str
) -> None:
    ap = np.mean([average_precision_score(part["label"], part[model]) for part in folds(shifted)])
    line = line_of(plots.precision_recall(shifted), model)
    assert ys(line).mean() == pytest.approx(ap, abs=0.004)
    assert line.get_label() == f"{model}, AP {ap:.3f}"


def test_the_curves_of_one_fold_are_scikit_learns(shifted: pd.DataFrame) -> None:
    part = folds(shifted)[0].assign(rough=lambda fold: fold["relu"].round(1))  # with ties
    grid = np.linspace(0, 1, 201)
    for model in ("relu", "rule", "rough"):
        x, y, _ = roc_curve(part["label"], part[model], drop_intermediate=False)
        drawn = ys(line_of(plots.roc(part, [model]), model))
        np.testing.assert_allclose(drawn, np.interp(grid, x, y), atol=1e-12)

        precision, recall, _ = precision_recall_curve(part["label"], part[model])
        # The recall falls along scikit-learn's curve: the last point that still reaches each.
        reaches = [np.flatnonzero(recall >= wanted - 1e-9)[-1] for wanted in grid[1:]]
        drawn = ys(line_of(plots.precision_recall(part, [model]), model))
        np.testing.assert_allclose(drawn, precision[reaches], atol=1e-12)


@pytest.fixture
def of_three(oof: pd.DataFrame) -> pd.DataFrame:
    """Three classes: relu's probabilities are near the labels, linear's are noise."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, len(oof))
    p = {"relu": rng.dirichlet(np.ones(3), len(oof)), "linear": rng.dirichlet([9] * 3, len(oof))}
    p["relu"] = (p["relu"] + np.eye(3)[codes]) / 2
    columns = {f"{m}={k}": of[:, i] for m, of in p.items() for i, k in enumerate("abc")}
    return (
        oof[["row", "repeat", "fold"]]
        .assign(label=codes)[["row", "label", "repeat", "fold"]]
        .assign(**columns)
    )


def test_of_three_classes_curves_are_the_mean_of_each_against_the_others(
    of_three: pd.DataFrame,
) -> None:
    columns = ["relu=a", "relu=b", "relu=c"]
    auc, ap = [], []
    for part in folds(of_three):
        y, p = np.eye(3)[part["label"]], part[columns].to_numpy()
        auc.append(roc_auc_score(y, p, average="macro"))
        ap.append(average_precision_score(y, p, average="macro"))
    line = line_of(plots.roc(of_three), "relu")
    assert line.get_label() == f"relu, AUC {np.mean(auc):.3f}"
    assert area(line) == pytest.approx(np.mean(auc), abs=0.004)
    figure = plots.precision_recall(of_three)
    assert line_of(figure, "relu").get_label() == f"relu, AP {np.mean(ap):.3f}"
    assert note(figure).startswith("Mean over classes, each against all others.")


def test_of_three_classes_the_matrix_has_all_pairs(of_three: pd.DataFrame) -> None:
    figure = plots.confusion_matrix(of_three, "linear", ["x", "y", "z"])
    (axes,) = figure.axes
    predicted = of_three[["linear=a", "linear=b", "linear=c"]].to_numpy().argmax(1)
    counts = confusion_matrix(of_three["label"], predicted) / of_three["repeat"].nunique()
    shown = [text.get_text().partition("\n")[0] for text in axes.texts]
    assert shown == [f"{count:.0f}" for count in counts.ravel()]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["x", "y", "z"]


def test_of_three_classes_calibration_is_that_of_the_predicted_class(
    of_three: pd.DataFrame,
) -> None:
    (axes,) = plots.calibration(of_three, ["linear"]).axes
    p = of_three[["linear=a", "linear=b", "linear=c"]].to_numpy()
    right, confidence = p.argmax(1) == of_three["label"], p.max(1)
    drawn = next(line for line in axes.lines if len(xs(line)) > 2)
    bins = np.floor(confidence * 10)
    expected = [right[bins == b].mean() for b in np.unique(bins)]
    np.testing.assert_allclose(ys(drawn), expected)
    assert axes.get_ylabel() == "Fraction that is right"


def test_the_curves_of_a_rule_with_two_probabilities_are_straight() -> None:
    # In each fold it is positive for 7 of 10 positives and 2 of 10 negatives; the two
    # probabilities differ between folds.
    fold = pd.DataFrame({"label": [1] * 10 + [0] * 10, "repeat": 0})
    positive = np.array([1] * 7 + [0] * 3 + [1] * 2 + [0] * 8)
    oof = pd.concat(
        [fold.assign(fold=i, rule=0.1 + 0.1 * i + 0.5 * positive) for i in range(4)],
        ignore_index=True,
    )
    line = line_of(plots.roc(oof), "rule")
    assert ys(line) == pytest.approx(np.interp(xs(line), [0, 0.2, 1], [0, 0.7, 1]))
    line = line_of(plots.precision_recall(oof), "rule")
    assert ys(line) == pytest.approx(np.where(xs(line) < 0.7001, 7 / 9, 0.5))


def test_a_band_reaches_over_the_repeats(oof: pd.DataFrame) -> None:
    both = plots.roc(oof, ["relu"]).axes[0]
    assert len(both.collections) == 1
    one = plots.roc(oof[oof["repeat"] == 0], ["relu"]).axes[0]
    assert not one.collections  # one repeat has no range
    curves = [
        line_of(plots.roc(part, ["relu"]), "relu") for part in [p for _, p in oof.groupby("repeat")]
    ]
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


def test_the_confusion_matrix_tints_what_is_behind_it(oof: pd.DataFrame) -> None:
    svg = as_svg(plots.confusion_matrix(oof, "relu")).svg
    cells = re.findall(r"fill: #0072b2; fill-opacity: ([\d.]+)", svg)
    assert len(cells) == 4
    assert max(map(float, cells)) < 0.6
    assert "#000000" not in svg  # the numbers have the page's colour


def test_the_threshold_curve_is_the_accuracy_at_each_cut(oof: pd.DataFrame) -> None:
    oof = oof.round({"relu": 2})  # so that some are equal to a threshold
    figure = plots.threshold(oof, "relu")
    curve = figure.axes[0].lines[0]
    x, y = xs(curve), ys(curve)
    correct = [accuracy_score(oof["label"], oof["relu"] >= cut) for cut in x]
    assert y == pytest.approx(np.array(correct))
    assert f"at 0.50: {y[np.abs(x - 0.5).argmin()]:.3f}" in note(figure)
    assert f"{y.max():.3f}" in note(figure)
