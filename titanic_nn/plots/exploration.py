"""A first look at the tables: rates by each column, and missing values."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from titanic_nn.plots.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    class_colours,
    name_rows,
    panels,
    styled,
)

MOST_MISSING = 11  # columns with missing values that are shown
LONGEST_VALUE = 16  # characters, so that the bars have most of the width


@styled
def first_look(
    rates: pd.DataFrame, missing: pd.DataFrame, fractions: Mapping[str, float], row_names: str
) -> Figure:
    """The positive class's rate by each column's values, a panel each; then missing values.

    Of more than two classes each one's rate, side by side in one bar.

    Args:
        rates: an explore.csv: column, value, rows, rate, low, high; of more classes class, too.
        missing: a missing.csv: column, and the missing fraction in train and test.
        fractions: of all labelled rows: the positive class's by its name, or each class's.
        row_names: what the rows are called.
    """
    names = list(fractions)
    columns = [str(column) for column in rates["column"].unique()]
    missing = missing.loc[missing["train"].sort_values(ascending=False).index].head(MOST_MISSING)
    most = max([*rates.groupby("column")["value"].nunique(), len(missing)])
    figure, every = panels(
        f"Fraction of class {names[0]} by column" if len(names) == 1 else "Classes by column",
        f"Bars: fraction of the labelled {row_names} with this value, whose number stands beside "
        f"it{'; line: its 95 % interval (Wilson). Vertical line: of all' * (len(names) == 1)}. "
        "Ranges of numbers have about as many rows each."
        + " Last: the fraction of values that are missing, the most first."
        * bool(len(missing)),
        count=len(columns) + bool(len(missing)),
        height=0.7 + 0.17 * most,
    )
    for axes, column in zip(every, columns, strict=False):
        own = rates[rates["column"] == column]
        values = own.drop_duplicates("value")
        places = range(len(values))
        if len(names) == 1:
            axes.barh(places, own["rate"], color=POSITIVE, alpha=0.75, height=0.65)
            axes.hlines(places, own["low"], own["high"], color=INK, linewidth=1)
            axes.axvline(fractions[names[0]], color=FAINT, linewidth=1)
        else:
            left = np.zeros(len(values))
            for name, shade in zip(names, class_colours(len(names)), strict=True):
                rate = own.loc[own["class"] == name, "rate"].to_numpy()
                axes.barh(places, rate, left=left, color=shade, alpha=0.75, label=name)
                left += rate
        counted = [
            f"{_short(str(value))} ({count})"
            for value, count in zip(values["value"], values["rows"], strict=True)
        ]
        name_rows(axes, counted, fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_title(column)
    if len(names) > 1:
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=4)
    if len(missing):
        axes = every[-1]
        for offset, table, shade in ((-0.18, "train", NEGATIVE), (0.18, "test", FAINT)):
            heights = np.arange(len(missing)) + offset
            axes.barh(heights, missing[table], height=0.34, color=shade, label=table)
        name_rows(axes, [_short(str(name)) for name in missing["column"]], fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_title("missing values")
        axes.legend()
    for axes in every:
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    return figure


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
