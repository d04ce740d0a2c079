"""The common style of all pictures."""

import subprocess
import sys

import matplotlib as mpl
import matplotlib.style
import pandas as pd
import pytest

from titanic_nn import plots
from titanic_nn.nets.registry import NETS
from titanic_nn.plots.style import FAINT, MODEL_COLOURS, STYLE, colour


def test_a_model_has_its_colour_in_every_picture(oof: pd.DataFrame, metrics: pd.DataFrame) -> None:
    assert len(set(MODEL_COLOURS.values())) == len(MODEL_COLOURS)
    assert set(NETS) < set(MODEL_COLOURS)
    assert colour("some_rule") == FAINT
    roc, boxes = plots.roc(oof), plots.fold_scores(metrics)
    line = next(x for x in roc.axes[0].lines if str(x.get_label()).startswith("relu"))
    assert line.get_color() == MODEL_COLOURS["relu"] == colour("relu")
    relu_on_top = boxes.axes[0].patches[-1]
    assert mpl.colors.to_hex(relu_on_top.get_facecolor()).upper() == MODEL_COLOURS["relu"]


def test_drawing_leaves_matplotlib_as_it_was(metrics: pd.DataFrame) -> None:
    before = dict(mpl.rcParams)
    plots.fold_scores(metrics)
    assert dict(mpl.rcParams) == before


def test_pyplot_is_not_loaded() -> None:
    code = "import sys, titanic_nn.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_notebook_can_use_the_style() -> None:
    with mpl.rc_context():
        matplotlib.style.use(STYLE)
        assert not mpl.rcParams["axes.spines.top"]


@pytest.mark.parametrize(
    "picture", ["roc", "precision_recall", "calibration", "learning_curves", "fold_scores"]
)
def test_every_picture_has_a_title_a_note_and_labelled_axes(
    picture: str, request: pytest.FixtureRequest
) -> None:
    table = {"learning_curves": "history", "fold_scores": "metrics"}.get(picture, "oof")
    figure = getattr(plots, picture)(request.getfixturevalue(table))
    assert figure.get_suptitle()
    assert figure.get_supxlabel()  # the note: what is a box, a band, a line
    assert all(axes.get_xlabel() for axes in figure.axes)
    assert picture == "fold_scores" or figure.axes[0].get_ylabel()  # there, models' names
