"""The common style of all pictures."""

import subprocess
import sys

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from titanic_nn import plots
from titanic_nn.escape import printable, printable_lines
from titanic_nn.nets.registry import NETS
from titanic_nn.plots.style import FAINT, MODEL_COLOURS, STYLE, colour
from titanic_nn.report.pictures import as_svg


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


def test_a_legend_covers_neither_marks_nor_words(oof: pd.DataFrame) -> None:
    curve = pd.DataFrame({"epoch": [1, 2], "training_loss": 0.5, "held_out_loss": [0.5, 0.1]})
    rises = pd.DataFrame({"feature": ["age", "sex"], "log_loss_increase": [0.0, 1.0]})
    wrong = oof.head(3).assign(Name="Roe, Mr. Al")
    ledger = pd.DataFrame({"model": ["relu"], "cv_accuracy": [0.8], "public_score": [0.7]})
    trials = pd.DataFrame({"number": [0, 1], "state": "complete", "log_loss": [0.5, 0.4]})
    losses = {"best": 0.4, "shipped": 0.5}
    for figure in (
        plots.roc(oof),
        plots.precision_recall(oof),
        plots.compare_curves({"slow": curve, "fast": curve}, "Learning rate"),
        plots.importance(pd.concat([rises.assign(model=m) for m in ("linear", "relu", "deep")])),
        plots.misclassified(wrong, ["linear", "relu"], ("Name",)),
        plots.cv_against_public(ledger, 418),
        plots.study_history(trials),
        plots.study_optimism({"search_folds": losses, "fresh_folds": losses}),
    ):
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        legend = axes.get_legend()
        assert legend is not None
        box = legend.get_window_extent()
        title = figure.texts[0]
        assert title.get_text() == figure.get_suptitle()
        assert box.y0 >= axes.get_window_extent().y1 - 1
        assert box.y1 <= title.get_window_extent().y0 + 1
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("name", [r"$\frac$", "$x$", "\x1b[31m\u202e", "\udcff", "\0"])
def test_a_name_is_drawn_as_text_wherever_it_stands(name: str) -> None:
    oof = pd.DataFrame({"id": range(4), "label": [0, 1, 0, 1], "repeat": 0, "fold": 0})
    oof[name] = [0.1, 0.9, 0.6, 0.4]
    curve = pd.DataFrame({"epoch": [1, 2], "training_loss": 0.5, "held_out_loss": 0.5})
    for figure in (
        plots.confusion_matrix(oof, name, (name, "b")),
        plots.roc(oof),
        plots.fold_scores(pd.DataFrame({"model": name, "accuracy": [0.8, 0.9]}), "accuracy"),
        plots.learning_curves(curve.assign(model=name)),
        plots.compare_curves({name: curve}, name),
        plots.importance(pd.DataFrame({"model": name, "feature": [name], "log_loss_increase": 1})),
        plots.hidden_units(np.ones((1, 1)), np.ones((1, 1)), [name], (name, name)),
    ):
        svg = as_svg(figure)
        shown = printable(name).replace("_", " ")
        assert shown in svg.svg + svg.title
        assert printable_lines(svg.svg) == svg.svg
