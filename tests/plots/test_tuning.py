"""What a study found, by what is on the axes."""

import pytest
from pictures import line_of, rows, ys

from titanic_nn.plots import study_importances, study_optimism


def test_the_parameter_that_mattered_most_is_on_top() -> None:
    axes = study_importances({"hidden": 0.1, "learning_rate": 0.7, "epochs": 0.2}).axes[0]
    assert rows(axes) == ["learning rate", "epochs", "hidden"]
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert widths == [0.7, 0.2, 0.1]


def test_optimism_is_seen_beside_what_the_search_did_not_choose() -> None:
    searched = {"tuned": 0.40, "shipped": 0.41, "untuned": 0.6}
    fresh = {"tuned": 0.42, "shipped": 0.415, "untuned": 0.6}
    figure = study_optimism({"searched": searched, "fresh": fresh})
    assert ys(line_of(figure, "tuned")) == pytest.approx([0.40, 0.42])
    assert ys(line_of(figure, "shipped")) == pytest.approx([0.41, 0.415])
    assert len(figure.axes[0].lines) == 2  # the untuned ones would flatten the picture
