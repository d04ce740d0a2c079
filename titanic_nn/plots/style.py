"""The style of every picture: one width, one set of colours, a title and a note."""

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from titanic_nn.escape import printable_lines, printable_table

P = ParamSpec("P")

# Text and marks of no model; report/pictures.py replaces them by the page's own colours.
INK, NOTE = "#222222", "#666666"
FAINT = "#8a8a8a"  # visible on white and on black
WIDTH = 5.4  # inches: a notebook's column, and legible on a phone

# Okabe and Ito's colours (2008), distinct for every kind of colour vision. A model without a colour
# of its own is grey.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#C9B900"
# Of rivals, and the ensemble with them: not of that set.
BROWN, TEAL, VIOLET, PLUM = "#8C5A2B", "#4FA6A0", "#7D6BD6", "#8E3A6B"
MODEL_COLOURS = {
    "linear": BLUE,
    "relu": RED,
    "deep": GREEN,
    "resnet": YELLOW,
    "ensemble": PURPLE,
    "logistic_regression": SKY,
    "gradient_boosting": ORANGE,
    "xgboost": BROWN,
    "lightgbm": TEAL,
    "catboost": VIOLET,
    "ensemble_rivals": PLUM,
}
CHOICE_COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
NEGATIVE, POSITIVE = ORANGE, BLUE

# For pictures of a notebook's own: plt.style.use(titanic_nn.plots.STYLE).
STYLE: Any = {
    "figure.figsize": (WIDTH, 3.4),
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=CHOICE_COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.hspace": 0.06,
    "figure.constrained_layout.wspace": 0.05,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw a picture in STYLE, whatever matplotlib's settings are.

    Names are drawn as they are: a dollar sign starts no formula, what is not printable is escaped.
    """

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        shown: Any = draw
        with mpl.rc_context({**STYLE, "text.parse_math": False}):
            figure: Figure = shown(*_printable(args), **_printable(kwargs))
            for axes in figure.axes:  # make the names at the ticks now, not when they are drawn
                axes.get_xticklabels()
                axes.get_yticklabels()
        return figure

    return in_style


def _printable(value: Any) -> Any:
    """An argument of a picture with printable text."""
    if isinstance(value, str):
        return printable_lines(value)
    if isinstance(value, pd.DataFrame):
        return printable_table(value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value


def panels(
    title: str, note: str, *, count: int = 1, height: float = 3.2, y_label: str = ""
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes in rows of two, its title above and a note below.

    `height` is that of one row, in inches; `y_label` stands left of each row.
    """
    columns = min(2, count)
    rows = -(-count // columns)
    note = textwrap.fill(note, 92, break_on_hyphens=False)
    words = 0.5 + 0.16 * note.count("\n")  # inches for title and note
    figure = Figure(figsize=(WIDTH, rows * height + words))
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)
    figure.supxlabel(note, x=0.01, ha="left", fontsize=8, color=NOTE)
    for empty in every[count:]:
        figure.delaxes(empty)
    for left in every[::columns]:
        left.set_ylabel(y_label)
    return figure, list(every[:count])


def legend_above(axes: Axes, columns: int = 2) -> None:
    """A legend above the axes, where it covers nothing; the figure grows by its height."""
    figure, (handles, labels) = axes.get_figure(root=True), axes.get_legend_handles_labels()
    assert figure is not None
    lines = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * lines)
    place: Any = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    axes.legend(handles, labels, ncols=columns, columnspacing=1.2, **place)


def as_png(figure: Figure) -> bytes:
    """A picture as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def name_rows(axes: Axes, names: Sequence[str], **text: Any) -> None:
    """Write names down the left side, the first on top."""
    axes.set_yticks(range(len(names)), names, **text)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def spoken(name: str) -> str:
    """A model's or feature's name as words: "gradient boosting"."""
    return name.replace("_", " ")


def colour(model: str) -> str:
    """A model's colour, the same in every picture."""
    return MODEL_COLOURS.get(model, FAINT)


def class_colours(classes: int) -> list[Any]:
    """A colour for each of several classes."""
    if classes <= len(CHOICE_COLOURS):
        return list(CHOICE_COLOURS[:classes])
    return list(mpl.colormaps["viridis"](np.linspace(0, 1, classes)))


def shade(axes: Axes, x: Any, low: Any, high: Any, model_colour: str) -> None:
    """A band around a curve, where it has a width."""
    if not np.allclose(low, high, equal_nan=True):
        axes.fill_between(x, low, high, color=model_colour, alpha=0.18, linewidth=0)
