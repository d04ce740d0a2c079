"""The plots of a study, by what is on the axes."""

import pandas as pd
import pytest
from pictures import line_of, rows, ys

from titanic_nn.plots import study_importances, study_optimism, study_slices


def test_the_most_important_parameter_is_on_top() -> None:
    axes = study_importances({"hidden_size": 0.1, "learning_rate": 0.7, "epochs": 0.2}).axes[0]
    assert rows(axes) == ["learning rate", "epochs", "hidden size"]
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert widths == [0.7, 0.2, 0.1]


def test_optimism_is_shown_beside_settings_that_the_search_did_not_select() -> None:
    search = {"best": 0.40, "shipped": 0.41, "default": 0.6}
    fresh = {"best": 0.42, "shipped": 0.415, "default": 0.6}
    figure = study_optimism({"search_folds": search, "fresh_folds": fresh})
    assert ys(line_of(figure, "best")) == pytest.approx([0.40, 0.42])
    assert ys(line_of(figure, "shipped")) == pytest.approx([0.41, 0.415])
    assert len(figure.axes[0].lines) == 2  # the default ones would flatten the plot


def test_an_axis_over_decades_has_plain_numbers() -> None:
    trials = pd.DataFrame({"number": [0, 1, 2], "state": "complete", "log_loss": [0.5, 0.4, 0.6]})
    (axes,) = study_slices(trials.assign(splits=5, lr=[1e-4, 1e-2, 1.0])).axes
    assert axes.get_xscale() == "log"
    assert axes.xaxis.get_major_formatter()(0.01) == "1e\N{MINUS SIGN}02"
