"""What is on a figure's axes, as plain arrays and text."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray


def xs(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_xdata(), dtype=np.float64)


def ys(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_ydata(), dtype=np.float64)


def line_of(figure: Figure, model: str) -> Line2D:
    """A model's line, by its entry in the legend."""
    return next(line for line in figure.axes[0].lines if str(line.get_label()).startswith(model))


def segments(collection: Any) -> list[NDArray[np.float64]]:
    """The lines that hlines or vlines drew, each (2 ends, x and y)."""
    return [np.asarray(segment) for segment in collection.get_segments()]


def rows(axes: Axes) -> list[str]:
    """The labels down the left side, the upmost first."""
    places = [float(place) for place in axes.get_yticks()]
    texts = [label.get_text() for label in axes.get_yticklabels()]
    bottom, top = axes.get_ylim()
    by_place = sorted(zip(places, texts, strict=True), reverse=bool(top > bottom))
    return [text for _, text in by_place]


def note(figure: Figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")
