"""The pictures of a run, from the files in its folder, each as SVG for a page."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from titanic_nn import plots
from titanic_nn.analysis.misclassified import models_of
from titanic_nn.analysis.net_summary import summarize_net
from titanic_nn.competitions.competition import Competition
from titanic_nn.plots.style import INK, NOTE

RELU = Path("models") / "relu"


@dataclass(frozen=True)
class Picture:
    """An SVG element, its title and the note on how to read it."""

    title: str
    note: str
    svg: str


def pictures(
    folder: Path,
    tables: dict[str, pd.DataFrame],
    comparison: pd.DataFrame,
    model: str,
    competition: Competition,
) -> Iterator[Picture]:
    """The pictures that a run's folder allows, of all models or the one named.

    `tables` holds its CSV files by name.
    """
    metrics, oof, history = (tables[f"{name}.csv"] for name in ("metrics", "oof", "history"))
    class_names = competition.schema.class_names
    others = [str(other) for other in comparison.index if other != model]
    drawn: list[Callable[[], Figure]] = [
        lambda: plots.fold_scores(metrics),
        lambda: plots.fold_scores(metrics, "accuracy"),
    ]
    if others:
        drawn.append(lambda: plots.differences(comparison))
    drawn += [
        lambda: plots.learning_curves(history),
        lambda: plots.calibration(oof, [model, *others[:1]]),
        lambda: plots.confusion_matrix(oof, model, class_names),
        lambda: plots.threshold(oof, model),
        lambda: plots.roc(oof),
        lambda: plots.precision_recall(oof),
    ]
    if (folder / RELU / "model.json").is_file():
        net = summarize_net(folder / RELU)
        w1, w2 = net.layers["layer1"]["w1"], net.layers["layer2"]["w2"]
        drawn.append(lambda: plots.hidden_units(w1, w2, net.features, class_names))
    # Files of other commands.
    added: dict[str, Callable[[pd.DataFrame], Figure]] = {
        "learning_curve.csv": plots.rows_curve,
        "importance.csv": plots.importance,
        "coefficients.csv": plots.coefficients,
        "misclassified.csv": lambda table: plots.misclassified(
            table, models_of(oof), competition.display_columns, class_names
        ),
    }
    for draw in drawn:
        yield as_svg(draw())
    for name, draw_table in added.items():
        if name in tables:
            yield as_svg(draw_table(tables[name]))


def as_svg(figure: Figure) -> Picture:
    """A figure as an SVG element whose text and axes take the page's colours.

    Title and note are left to the page: on a phone the picture shrinks, and they must not.
    """
    title, note = figure.get_suptitle(), figure.get_supxlabel().replace("\n", " ")
    figure.suptitle("")
    figure.supxlabel("")
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_facecolor("none")  # the page's own is seen
    text = io.StringIO()
    config: Any = {"svg.fonttype": "none", "svg.hashsalt": "titanic_nn"}
    with mpl.rc_context(config), warnings.catch_warnings():
        # A character that matplotlib's font lacks: the browser has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Not savefig, which draws twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # not unique in the page, and never referred to
    svg = svg.replace(INK, "var(--ink)").replace(NOTE, "var(--note)")
    return Picture(title, note, svg)
