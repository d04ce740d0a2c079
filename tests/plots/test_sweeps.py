"""Pictures of a sweep of learning rates, and of the tables before any training."""

import numpy as np
import pandas as pd
import pytest
from pictures import line_of, note, rows, segments, xs, ys

from titanic_nn import plots


def test_a_sweep_shows_means_both_rates_and_where_nets_diverge() -> None:
    losses = pd.DataFrame(
        {
            "model": "relu",
            "learning_rate": np.repeat([0.1, 1.0, 10.0, 100.0], 2),
            "training_loss": [0.7, 0.6, 0.5, 0.3, 0.9, np.nan, np.nan, np.nan],
        }
    )
    figure = plots.learning_rate_sweep(losses, {"relu": 0.1}, {"relu": 0.3})
    (axes,) = figure.axes
    np.testing.assert_allclose(ys(axes.lines[0]), [0.65, 0.4, np.nan, np.nan])
    assert xs(line_of(figure, "now: 0.3")).tolist() == [0.3, 0.3]
    assert xs(line_of(figure, "suggested: 0.1")).tolist() == [0.1, 0.1]
    grey = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (grey.x0, grey.x1) == (pytest.approx(10), pytest.approx(100))
    assert "at least one net diverged" in note(figure)
    none = plots.learning_rate_sweep(losses, {"relu": None}, {"relu": 0.3})
    assert len(none.axes[0].lines) == 2


def test_a_first_look_has_a_panel_per_column_and_one_of_missing_values() -> None:
    rates = pd.DataFrame(
        {
            "column": ["size", "size", "colour"],
            "value": ["1 to 5", "5 to 9", "a very long name of a colour"],
            "rows": [40, 60, 100],
            "rate": [0.25, 0.75, 0.55],
            "low": [0.2, 0.6, 0.4],
            "high": [0.3, 0.8, 0.6],
        }
    )
    columns = [f"column {i}" for i in range(300)]
    missing = pd.DataFrame({"column": columns, "train": np.arange(300) / 300, "test": 0.0})
    figure = plots.first_look(rates, missing, {"ill": 0.55}, "patients")
    size, colour, empty = figure.axes
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["size", "colour", "missing values"]
    assert rows(size) == ["1 to 5 (40)", "5 to 9 (60)"]
    assert rows(colour) == ["a very long nam… (100)"]
    ends = [p.get_extents().transformed(size.transData.inverted()).x1 for p in size.patches]
    np.testing.assert_allclose(ends, [0.25, 0.75])
    np.testing.assert_allclose(segments(size.collections[0])[0][:, 0], [0.2, 0.3])
    assert rows(empty)[0] == "column 299"  # the most first
    assert len(rows(empty)) < 20
    assert "labelled patients" in note(figure)
    assert figure.get_suptitle() == "Fraction of class ill by column"


def test_a_first_look_at_three_classes_stacks_their_rates() -> None:
    rates = pd.DataFrame(
        {
            "column": "size",
            "value": ["small"] * 3 + ["large"] * 3,
            "rows": [40] * 3 + [60] * 3,
            "class": ["a", "b", "c"] * 2,
            "rate": [0.2, 0.3, 0.5, 0.75, 0.25, 0.0],
        }
    )
    missing = pd.DataFrame(columns=["column", "train", "test"])
    figure = plots.first_look(rates, missing, {"a": 0.5, "b": 0.3, "c": 0.2}, "patients")
    (axes,) = figure.axes
    assert rows(axes) == ["small (40)", "large (60)"]
    ends = [p.get_extents().transformed(axes.transData.inverted()).x1 for p in axes.patches]
    np.testing.assert_allclose(ends, [0.2, 0.75, 0.5, 1, 1, 1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert figure.get_suptitle() == "Classes by column"
