"""Coefficients, importance, hidden units and misclassified rows, by what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from pictures import note, rows, segments, xs

from titanic_nn import plots
from titanic_nn.plots.style import NEGATIVE, POSITIVE


def test_the_largest_coefficient_comes_first_with_its_interval() -> None:
    table = pd.DataFrame(
        {"feature": ["age", "sex=female", "class=3"], "mean": [-0.1, 1.5, -0.8], "sd": 0.1}
    ).assign(low=lambda t: t["mean"] - 0.2, high=lambda t: t["mean"] + 0.2)
    figure = plots.coefficients(table, top=2)
    axes = figure.axes[0]
    assert rows(axes) == ["sex=female", "class=3"]
    assert "The 2 largest of 3" in note(figure)
    bars, dots = axes.collections
    assert [list(segment[:, 0]) for segment in segments(bars)] == [
        pytest.approx([1.3, 1.7]),
        pytest.approx([-1.0, -0.6]),
    ]
    assert list(np.asarray(dots.get_offsets())[:, 0]) == pytest.approx([1.5, -0.8])


def test_importance_is_the_mean_over_folds_the_largest_first() -> None:
    table = pd.DataFrame(
        [
            {"model": m, "feature": f, "repeat": 0, "fold": k, "log_loss_increase": rise + k / 10}
            for m in ("linear", "relu")
            for f, rise in (("age", 0.1), ("sex", 0.3), ("deck", 0.0))
            for k in (0, 1)
        ]
    )
    axes = plots.importance(table, top=2).axes[0]
    assert rows(axes) == ["sex", "age"]
    relu = next(line for line in axes.lines if line.get_label() == "relu")
    assert xs(relu) == pytest.approx([0.35, 0.15])  # (0.3 + 0.4) / 2, ...


def test_hidden_units_in_the_order_of_their_weight_and_in_the_colour_of_their_class() -> None:
    w1 = np.array([[2.0, 0.1], [-1.0, 0.2], [0.5, 3.0]])  # (features, units)
    w2 = np.array([[-1.0], [0.1]])  # strengths: 2.29 * 1 and 3.01 * 0.1
    names = ["age", "sex=female", "class=3"]
    first, second = plots.hidden_units(w1, w2, names, ("no", "yes")).axes
    assert first.get_title("left") == "unit 0 → no"
    assert second.get_title("left") == "unit 1 → yes"
    assert rows(first) == ["age", "sex=female", "class=3"]
    assert rows(second) == ["class=3", "sex=female", "age"]
    assert [bar.get_width() for bar in first.patches] == [2.0, -1.0, 0.5]  # type: ignore[attr-defined]
    assert {bar.get_facecolor() for bar in first.patches} != {
        bar.get_facecolor() for bar in second.patches
    }
    assert NEGATIVE != POSITIVE


def test_of_three_classes_a_unit_is_of_the_one_that_it_raises_most() -> None:
    w1 = np.array([[2.0, 0.1], [-1.0, 0.2]])  # (features, units)
    # What all classes have in common changes no probability: unit 1 acts more than unit 0.
    w2 = np.array([[9.0, 9.1, 9.0], [5.0, -8.0, -9.0]])  # (units, classes)
    figure = plots.hidden_units(w1, w2, ["age", "class=3"], ("a", "b", "c"))
    assert [axes.get_title("left") for axes in figure.axes] == ["unit 1 → a", "unit 0 → b"]


def test_a_misclassified_row_of_three_classes_has_its_own_and_the_predicted_one() -> None:
    table = pd.DataFrame({"row": [2, 3], "label": [0, 2], "predicted": [1, 0], "relu": [0.1, 0.3]})
    (axes,) = plots.misclassified(table, ["relu"], ["row"], ("a", "b", "c")).axes
    assert rows(axes) == ["2\na, not b", "3\nc, not a"]
    assert axes.get_xlabel() == "Predicted probability of the row's own class"
    assert list(xs(axes.lines[1])) == [0.1, 0.3]
    assert len(axes.lines) == 2  # one half and the dots; no cross


def test_misclassified_rows_are_labelled_by_their_display_columns() -> None:
    table = pd.DataFrame(
        {
            "row": [2, 3, 1],
            "label": [0, 1, 1],
            "linear": [0.95, 0.3, 0.4],
            "relu": [0.85, 0.2, 0.3],
            "name": ["Mrs. <b>Jane</b> Roe of $\\math$ and more", "Al Poe", "Ann Doe"],
            "planet": ["Mars", "Earth", "Mars"],
            "age": [np.nan, 0.5, 20.0],
        }
    )
    shown = ("name", "planet", "age")
    figure = plots.misclassified(table, ["linear", "relu"], shown, ("stayed", "went"), top=2)
    axes = figure.axes[0]
    figure.draw_without_rendering()  # a dollar in a name starts no formula
    first, second = rows(axes)
    assert first == "Mrs. <b>Jane</b> Roe of $\\math$…\nplanet Mars, age unknown, stayed"
    assert second == "Al Poe\nplanet Earth, age 0.5, went"
    assert list(xs(axes.lines[-1])) == [0, 1]  # the crosses
    assert rows(plots.misclassified(table, ["relu"]).axes[0]) == ["2\n0", "3\n1", "1\n1"]


def test_an_ablation_shows_the_group_and_the_largest_changes() -> None:
    variants = pd.DataFrame(
        {
            "model": "relu",
            "kind": ["all", "plain", "drop", "drop", "drop", "add"],
            "feature": ["", "", "age", "sex", "deck", "kin"],
            "change": [0.0, 0.05, 0.01, 0.03, -0.001, -0.02],
        }
    ).assign(low=lambda t: t["change"] - 0.01, high=lambda t: t["change"] + 0.01)
    others = variants.assign(model="deep", change=1.0)
    axes = plots.ablation(pd.concat([variants, others]), "relu", "kin", top=2).axes[0]
    assert rows(axes) == ["all of kin", "sex", "age"]
    bars, dots = axes.collections
    assert list(np.asarray(dots.get_offsets())[:, 0]) == pytest.approx([0.05, 0.03, 0.01])
    assert list(segments(bars)[1][:, 0]) == pytest.approx([0.02, 0.04])
    ungrouped = variants[variants["kind"] == "drop"]
    assert rows(plots.ablation(ungrouped, "relu").axes[0]) == ["sex", "age", "deck"]
