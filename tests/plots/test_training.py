"""Learning curves, by what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from pictures import xs, ys

from titanic_nn.plots import compare_curves, learning_curves, rows_curve


def test_a_panel_per_net_with_training_dashed_and_held_out_solid(history: pd.DataFrame) -> None:
    figure = learning_curves(history)
    assert [axes.get_title("left") for axes in figure.axes] == ["linear", "relu"]
    training, held_out = figure.axes[0].lines
    assert (training.get_linestyle(), held_out.get_linestyle()) == ("--", "-")
    assert ys(training) == pytest.approx([0.5, 0.4, 0.3])
    # Folds of 0.5, 0.6, 0.7, 0.8: mean 0.65.
    assert ys(held_out) == pytest.approx([0.65] * 3)


def test_the_band_is_the_middle_of_the_folds(history: pd.DataFrame) -> None:
    (band,) = learning_curves(history).axes[0].collections
    edges = np.asarray(band.get_paths()[0].vertices)[:, 1]
    # Sorted, with each fold twice: 0.5 0.5 0.6 0.6 0.7 0.7 0.8 0.8; the 10 % lie 0.7 of the way
    # from the first to the second, so at 0.5, and the 90 % at 0.8.
    assert (edges.min(), edges.max()) == pytest.approx((0.5, 0.8))


def test_all_panels_have_one_scale(history: pd.DataFrame) -> None:
    higher = history.copy()
    higher.loc[higher["model"] == "relu", "held_out_loss"] += 1
    limits = {axes.get_ylim() for axes in learning_curves(higher).axes}
    assert len(limits) == 1


def test_accuracy_instead_of_loss(history: pd.DataFrame) -> None:
    figure = learning_curves(history, "accuracy")
    assert "Accuracy" in figure.get_suptitle()
    assert ys(figure.axes[0].lines[1]) == pytest.approx([0.6] * 3)


def test_a_curve_over_rows_averages_folds_of_one_fraction(history: pd.DataFrame) -> None:
    table = history.assign(train_fraction=history["epoch"] / 3, rows=100 * history["epoch"])
    table["rows"] += table["fold"] % 2  # 100, 101, 100, 101
    axes = rows_curve(table).axes[1]
    assert xs(axes.lines[1]) == pytest.approx([100.5, 200.5, 300.5])
    assert ys(axes.lines[1]) == pytest.approx([0.65] * 3)
    assert axes.get_xlabel() == "training rows"


def test_choices_share_one_pair_of_axes(history: pd.DataFrame) -> None:
    curve = history[
        (history["model"] == "relu") & (history["repeat"] == 0) & (history["fold"] == 1)
    ]
    axes = compare_curves({"slow": curve, "fast": curve}, "Rates").axes[0]
    assert [line.get_linestyle() for line in axes.lines] == ["--", "-", "--", "-"]
    assert np.asarray(ys(axes.lines[1])) == pytest.approx([0.6] * 3)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["slow", "fast"]
