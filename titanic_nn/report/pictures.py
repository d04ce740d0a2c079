"""Which pictures a run has, from the files in its folder, and each as SVG for a page."""

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
from titanic_nn.analysis.net_summary import read_parts
from titanic_nn.plots.style import INK, NOTE

RELU = Path("models") / "relu"


@dataclass(frozen=True)
class Picture:
    """An SVG element, its title and the note on how to read it."""

    title: str
    note: str
    svg: str


def pictures(
    folder: Path, tables: dict[str, pd.DataFrame], comparison: pd.DataFrame, model: str
) -> Iterator[Picture]:
    """The pictures that a run's folder allows, about all models or the one named.

    `tables` holds its CSV files by name.
    """
    metrics, oof, history = (tables[f"{name}.csv"] for name in ("metrics", "oof", "history"))
    drawn: list[Callable[[], Figure]] = [
        lambda: plots.fold_scores(metrics),
        lambda: plots.fold_scores(metrics, "accuracy"),
    ]
    if len(comparison) > 1:
        drawn.append(lambda: plots.differences(comparison))
    drawn += [
        lambda: plots.learning_curves(history),
        lambda: plots.calibration(oof, _best_two(comparison, model)),
        lambda: plots.confusion_matrix(oof, model),
        lambda: plots.threshold(oof, model),
        lambda: plots.roc(oof),
        lambda: plots.precision_recall(oof),
    ]
    if (folder / RELU / "model.json").is_file():
        net = read_parts(folder / RELU)
        w1, w2 = net.layers["layer1"]["w1"], net.layers["layer2"]["w2"]
        drawn.append(lambda: plots.hidden_units(w1, w2, net.features))
    # Questions that were asked after the run left a table each.
    asked: dict[str, Callable[[pd.DataFrame], Figure]] = {
        "learning_curve.csv": plots.rows_curve,
        "importance.csv": plots.importance,
        "coefficients.csv": plots.coefficients,
        "hard.csv": plots.hard_passengers,
    }
    for draw in drawn:
        yield as_svg(draw())
    for name, draw_table in asked.items():
        if name in tables:
            yield as_svg(draw_table(tables[name]))


def as_svg(figure: Figure) -> Picture:
    """A figure as an SVG element whose text and axes take the page's colours.

    Title and note are left to the page: a phone shrinks the picture, and shall not shrink them.
    """
    title, note = figure.get_suptitle(), figure.get_supxlabel().replace("\n", " ")
    figure.suptitle("")
    figure.supxlabel("")
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_facecolor("none")  # the page's own shows through
    text = io.StringIO()
    config: Any = {"svg.fonttype": "none", "svg.hashsalt": "titanic_nn"}
    with mpl.rc_context(config), warnings.catch_warnings():
        # A name in a script that matplotlib's font lacks: the browser has one.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Not savefig, which draws twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in all pictures, and nobody refers to it
    svg = svg.replace(INK, "var(--ink)").replace(NOTE, "var(--note)")
    return Picture(title, note, svg)


def _best_two(comparison: pd.DataFrame, model: str) -> list[str]:
    """The model and, of the others, the best."""
    return [model, *[str(other) for other in comparison.index if other != model][:1]]
