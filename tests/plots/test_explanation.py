"""The waterfall, contributions of many rows, partial dependence: what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pictures import note, rows, xs, ys

from titanic_nn import plots
from titanic_nn.plots.explanation import bundle
from titanic_nn.plots.style import NEGATIVE, POSITIVE, colour

LINES = pd.DataFrame(
    {
        "feature": ["sex", "log_fare", "age", "deck"],
        "value": ["male", "2.1", "30", "missing"],
        "contribution": [-1.5, 0.75, -0.5, 0.25],
        "base": -0.5,
    }
)
NAMES = {"0": "died", "1": "survived"}


def test_a_waterfall_leads_from_the_average_to_the_prediction() -> None:
    axes = plots.waterfall(LINES, "row 5", "survived", top=2).axes[0]
    assert rows(axes) == ["average", "sex = male", "log fare = 2.1", "2 others", "prediction"]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]
    assert bars == [(-0.5, -1.5), (-2, 0.75), (-1.25, -0.25)]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[0] == colours[2] != colours[1]
    ends = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_allclose(ends, [(-0.5, 0), (-1.5, 4)])
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["-1.50", "+0.75", "-0.25", "-0.50 (38 %)", "-1.50 (18 %)"]
    assert POSITIVE != NEGATIVE


def test_a_row_like_the_average_has_a_waterfall_too() -> None:
    axes = plots.waterfall(LINES.assign(contribution=0.0), "row", "yes").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0, 0, 0, 0]  # type: ignore[attr-defined]


def test_contributions_of_many_rows_the_largest_mean_size_on_top() -> None:
    table = pd.DataFrame({"id": [1, 2], "base": 0.1, "log_odds": [0.6, -0.6]})
    table = table.assign(age=[0.5, -0.7], sex=[-2.0, 1.0], deck=[0.1, 0.1])
    figure = plots.contributions(table, NAMES, "passengers", top=2)
    axes = figure.axes[0]
    assert rows(axes) == ["sex", "age"]
    points = [line for line in axes.lines if line.get_marker() == "."]
    assert [xs(line).tolist() for line in points] == [[-2, 1], [0.5, -0.7]]
    ends = [collection.get_segments()[0][1, 0] for collection in axes.collections]  # type: ignore[attr-defined]
    assert ends == pytest.approx([1.5, 0.6])
    assert "one of 2 passengers" in note(figure)
    assert "the 2 largest of 3 features" in note(figure)


def dependence(values: list[object]) -> pd.DataFrame:
    """Of a model of two nets: each has a line, 0.1 apart."""
    count = len(values)
    return pd.DataFrame(
        {
            "feature": "log_fare",
            "value": values * 3,
            "class": "1",
            "model": "relu",
            "net": np.repeat(["1", "2", "mean"], count),
            "probability": np.concatenate(
                [np.linspace(0.2, 0.6, count) + shift for shift in (0, 0.1, 0.05)]
            ),
        }
    )


def test_a_number_s_dependence_is_a_faint_line_for_each_net_and_a_thick_one() -> None:
    figure = plots.partial_dependence(dependence([1.0, 2.0, 4.0]), [1.5, 3], NAMES, 10)
    axes = figure.axes[0]
    nets = [line for line in axes.lines if line.get_linewidth() == 0.8 and len(xs(line)) == 3]
    assert [ys(line).round(2).tolist() for line in nets] == [[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]]
    (mean,) = [line for line in axes.lines if line.get_linewidth() == 2.2]
    assert ys(mean) == pytest.approx([0.25, 0.45, 0.65])
    assert mean.get_color() == colour("relu")
    assert axes.get_xlabel() == "log fare"
    assert axes.get_ylabel() == "mean probability of class survived"
    assert "Faint: each of 2 nets; thick: relu. Marks below: deciles" in note(figure)
    assert {x for line in axes.lines for x in xs(line)} >= {1.5, 3.0}


def test_a_category_s_dependence_is_a_point_for_each_net_and_value() -> None:
    axes = plots.partial_dependence(dependence(["C", "Q"]), (), NAMES, 10).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["C", "Q"]
    assert sum(line.get_marker() == "o" for line in axes.lines) == 2
    (mean,) = [line for line in axes.lines if line.get_marker() == "_"]
    assert ys(mean) == pytest.approx([0.25, 0.65])


def test_small_differences_are_not_drawn_large() -> None:
    table = dependence([1.0, 2.0]).assign(probability=0.5)
    low, high = plots.partial_dependence(table, (), NAMES, 10).axes[0].get_ylim()
    assert high - low == pytest.approx(0.3)


def test_the_more_lines_the_fainter_they_are() -> None:
    axes = Figure().subplots()
    for nets in (5, 150):
        bundle(axes, np.arange(3), np.zeros((nets, 3)), "black")
    assert axes.lines[0].get_alpha() == 0.45
    assert axes.lines[5].get_alpha() == pytest.approx(0.06)
