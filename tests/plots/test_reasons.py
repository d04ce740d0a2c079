"""Coefficients, importance, hidden units and hard passengers, by what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from pictures import note, rows, segments, xs

from titanic_nn import plots
from titanic_nn.plots.style import DIED, SURVIVED


def test_the_heaviest_coefficient_comes_first_with_its_interval() -> None:
    table = pd.DataFrame(
        {"feature": ["age", "sex=female", "class=3"], "mean": [-0.1, 1.5, -0.8], "sd": 0.1}
    ).assign(low=lambda t: t["mean"] - 0.2, high=lambda t: t["mean"] + 0.2)
    figure = plots.coefficients(table, most=2)
    axes = figure.axes[0]
    assert rows(axes) == ["sex=female", "class=3"]
    assert "The 2 heaviest of 3" in note(figure)
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
    axes = plots.importance(table, most=2).axes[0]
    assert rows(axes) == ["sex", "age"]
    relu = next(line for line in axes.lines if line.get_label() == "relu")
    assert xs(relu) == pytest.approx([0.35, 0.15])  # (0.3 + 0.4) / 2, ...


def test_hidden_units_in_the_order_of_their_weight_and_in_the_colour_of_their_push() -> None:
    w1 = np.array([[2.0, 0.1], [-1.0, 0.2], [0.5, 3.0]])  # (features, units)
    w2 = np.array([[-1.0], [0.1]])  # strengths: 2.29 * 1 and 3.01 * 0.1
    names = ["age", "sex=female", "class=3"]
    first, second = plots.hidden_units(w1, w2, names).axes
    assert first.get_title("left") == "unit 0 → death"
    assert second.get_title("left") == "unit 1 → survival"
    assert rows(first) == ["age", "sex=female", "class=3"]
    assert rows(second) == ["class=3", "sex=female", "age"]
    assert [bar.get_width() for bar in first.patches] == [2.0, -1.0, 0.5]  # type: ignore[attr-defined]
    assert {bar.get_facecolor() for bar in first.patches} != {
        bar.get_facecolor() for bar in second.patches
    }
    assert DIED != SURVIVED


def test_the_hardest_passenger_is_on_top_and_said_who() -> None:
    hard = pd.DataFrame(
        {
            "PassengerId": [1, 2, 3],
            "Survived": [1, 0, 1],
            "linear": [0.9, 0.95, 0.3],
            "relu": [0.8, 0.85, 0.2],
            "Name": [
                "Doe, Miss. Ann",
                "Roe, Mrs. <b>Jane</b> of $\\math$ and more",
                "Poe, Mr. Al",
            ],
            "Sex": ["female", "female", "male"],
            "Age": [20.0, np.nan, 0.5],
            "Pclass": [1, 2, 3],
        }
    )
    figure = plots.hard_passengers(hard, most=2)
    axes = figure.axes[0]
    figure.draw_without_rendering()  # a dollar in a name is no formula
    first, second = rows(axes)  # misses of 0.9 and 0.75; Ann's is 0.15
    assert first == "Roe, Mrs. <b>Jane</b> of $\\math…\nfemale, age unknown, 2nd class: died"
    assert second == "Poe, Mr. Al\nmale, 0.5 years, 3rd class: survived"
    cross = axes.lines[-1]
    assert list(xs(cross)) == [0, 1]
