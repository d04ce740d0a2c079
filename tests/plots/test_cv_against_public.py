"""The ledger's picture, by what is on its axes."""

import pandas as pd
import pytest
from pictures import note, segments, xs, ys

from titanic_nn.plots import cv_against_public

LEDGER = pd.DataFrame(
    {
        "model": ["relu", "linear", "relu", "deep"],
        "cv_accuracy": ["0.82", "0.83", "0.81", ""],
        "public_score": ["0.77", "0.78", "", "0.76"],
    }
)


def test_only_what_has_both_scores_is_a_point() -> None:
    axes = cv_against_public(LEDGER, rows=418).axes[0]
    points = [(float(xs(c.lines[0])[0]), float(ys(c.lines[0])[0])) for c in axes.containers]  # type: ignore[attr-defined]
    assert points == [(0.82, 0.77), (0.83, 0.78)]


def test_the_bar_is_the_interval_of_a_score_on_so_many_rows() -> None:
    figure = cv_against_public(LEDGER, rows=100)
    (bar,) = segments(figure.axes[0].collections[0])
    # 1.96 * sqrt(0.77 * 0.23 / 100) = 0.0825
    assert bar[:, 1] == pytest.approx([0.77 - 0.0825, 0.77 + 0.0825], abs=1e-4)
    assert "on 100 rows" in note(figure)
