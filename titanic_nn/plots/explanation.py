"""What moves one row's prediction, and how predictions depend on one feature."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from titanic_nn.plots.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    class_colours,
    colour,
    legend_above,
    name_rows,
    panels,
    spoken,
    styled,
)

SPAN = 0.3  # of probability: at least so much is drawn, so that noise stays small
LONGEST_LABEL = 27  # characters


@styled
def waterfall(table: pd.DataFrame, title: str, class_name: str, top: int = 12) -> Figure:
    """How a row's features lead from the average log-odds to its own, the largest step first.

    Args:
        table: the lines of an explanation.csv of one class: feature, value, contribution, base.
        title: what row it is.
        class_name: the class whose log-odds they are.
        top: how many features to show; the others are one bar.
    """
    shown, rest = table.head(top), table.iloc[top:]
    steps = shown["contribution"].tolist()
    names = [
        textwrap.fill(f"{spoken(str(feature))} = {_shortened(str(value))}", LONGEST_LABEL)
        for feature, value in zip(shown["feature"], shown["value"], strict=True)
    ]
    if len(rest):
        steps.append(float(rest["contribution"].sum()))
        names.append(f"{len(rest)} others")
    base = float(table["base"].iloc[0])
    ends = base + np.cumsum(steps)  # (steps,)
    starts = np.array([base, *ends[:-1]])
    figure, (axes,) = panels(
        title,
        "Each bar moves the log-odds from those of the average background row by what a feature "
        "contributes (a Shapley value, sampled); below the log-odds, the probability. It explains "
        "what the model computes, not what causes what.",
        height=1.1 + 0.3 * (len(steps) + 2),
    )
    places = np.arange(1, len(steps) + 1)
    colours = [POSITIVE if step > 0 else NEGATIVE for step in steps]
    axes.barh(places, steps, left=starts, color=colours, height=0.62)
    for above, end in enumerate([base, *ends]):
        axes.plot([end, end], [above, above + 1], color=FAINT, linewidth=0.8)
    marked: Any = {"marker": "D", "color": INK, "zorder": 3, "s": 22}
    axes.scatter([base, ends[-1]], [0, len(steps) + 1], **marked)
    reach = float(np.ptp([*starts, *ends])) or 1.0
    for place, step, start, end in zip(places, steps, starts, ends, strict=True):
        at = max(start, end) + 0.015 * reach
        axes.text(at, float(place), f"{round(step, 2) + 0.0:+.2f}", va="center", fontsize=8)
    for row, at in ((0, base), (len(steps) + 1, float(ends[-1]))):
        text = f"{at:.2f} ({_percent(at)})"
        axes.text(at + 0.035 * reach, row, text, va="center", fontsize=8, weight="bold")
    name_rows(axes, ["average", *names, "prediction"], fontsize=8.5)
    low, high = min([*starts, *ends]), max([*starts, *ends])
    axes.set_xlim(low - 0.06 * reach, high + 0.32 * reach)
    axes.xaxis.set_major_formatter(lambda at, _: f"{at:g}\n{_percent(at)}")
    axes.set_xlabel(f"log-odds of class {class_name}", loc="right")
    return figure


@styled
def contributions(
    table: pd.DataFrame, class_names: dict[str, str], row_names: str = "rows", top: int = 12
) -> Figure:
    """What features contribute to the log-odds of many rows: a point per row.

    Args:
        table: an explanations.csv.
        class_names: label -> what it means.
        row_names: what rows are, in the plural.
        top: how many features to show, the largest mean size on top.
    """
    first = table.columns.tolist().index("log_odds") + 1
    several = "class" in table.columns[:first]
    features = table.iloc[:, first:]
    shown = features.abs().mean().sort_values(ascending=False, kind="stable").index[:top]
    labels = table["class"].unique().tolist() if several else [list(class_names)[-1]]
    rows = len(table) // len(labels)
    name = f"class {class_names[str(labels[0])]}"
    figure, (axes,) = panels(
        "Contributions to the log-odds",
        f"Point: one of {rows} {row_names}; line: the mean size. To the right, the feature raises "
        f"the log-odds of {'a class' if several else name}. Shapley values, sampled; the "
        f"{len(shown)} largest of {features.shape[1]} features.",
        height=0.8 + (0.2 + 0.1 * len(labels)) * len(shown),
    )
    axes.axvline(0, color=INK, linewidth=1)
    rng = np.random.default_rng(0)
    for i, (label, own) in enumerate(zip(labels, class_colours(len(labels)), strict=True)):
        of_class = features[table["class"] == label] if several else features
        nudge = 0.7 * ((i + 0.5) / len(labels) - 0.5)
        spread = rng.uniform(-0.25, 0.25, len(of_class)) / len(labels)
        for place, feature in enumerate(shown):
            x = of_class[feature].to_numpy()
            axes.plot(x, place + nudge + spread, ".", color=own, alpha=0.3, markersize=3)
            size = float(np.abs(x).mean())
            text = class_names[str(label)] if several and not place else ""
            line = own if several else INK
            axes.hlines(place + nudge, 0, size, color=line, linewidth=3, label=text)
    name_rows(axes, [spoken(str(feature)) for feature in shown])
    axes.set_xlabel("contribution to the log-odds", loc="right")
    if several:
        legend_above(axes, 4)
    return figure


@styled
def partial_dependence(
    table: pd.DataFrame,
    deciles: ArrayLike = (),
    class_names: dict[str, str] | None = None,
    rows: int = 0,
) -> Figure:
    """The mean prediction as a function of one feature: a faint line per net, the model's thick.

    Args:
        table: a dependence.csv.
        deciles: of a number's values in the rows; marked below.
        class_names: label -> what it means.
        rows: how many rows were averaged.
    """
    names = class_names or {}
    feature, labels = str(table["feature"].iloc[0]), table["class"].unique().tolist()
    numeric = pd.api.types.is_numeric_dtype(table["value"])
    places = table["value"].drop_duplicates() if numeric else table["value"].unique()
    is_net = table["net"] != "mean"
    models = table["model"][is_net].unique().tolist()
    (model,) = table["model"][~is_net].unique()
    several = len(labels) > 1
    count = int(table[is_net].groupby("model")["net"].nunique().sum())
    figure, (axes,) = panels(
        f"Partial dependence on {spoken(feature)}",
        f"Mean probability of {rows} rows if all of them had this value and kept all others "
        f"(Friedman 2001). Faint: each of {count} nets; thick: {spoken(str(model))}."
        f"{' Marks below: deciles of the rows.' * bool(np.size(deciles))} Values that never occur "
        "together are mixed too.",
        height=3.1,
    )
    for label, of_class in zip(labels, class_colours(len(labels)), strict=True):
        part = table[table["class"] == label]
        mean = part.loc[part["net"] == "mean", "probability"].to_numpy()
        for one in models:
            of_nets = part[(part["model"] == one) & (part["net"] != "mean")]
            lines = of_nets["probability"].to_numpy().reshape(-1, len(places))
            own = of_class if several else colour(str(one))
            text = "" if several or one == model else spoken(str(one))
            bundle(axes, places, lines, own, count=count, numeric=numeric, label=text)
        own = of_class if several else colour(str(model))
        text = names.get(str(label), str(label)) if several else spoken(str(model))
        if numeric:
            axes.plot(places, mean, color=own, linewidth=2.2, label=text)
        else:
            mark: Any = {"marker": "_", "markersize": 26, "markeredgewidth": 2.2}
            axes.plot(range(len(places)), mean, linestyle="", color=own, label=text, **mark)
    if numeric:
        axes.set_xlabel(spoken(feature))
        low, high = axes.get_xlim()
        for decile in np.asarray(deciles, np.float64):
            axes.axvline(decile, 0, 0.035, color=INK, linewidth=0.8)
        axes.set_xlim(low, high)
    else:
        turned: dict[str, Any] = {}
        if sum(len(str(place)) + 2 for place in places) > 60:
            turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(places)), [_shortened(str(p)) for p in places], **turned)
        axes.set_xlim(-0.6, len(places) - 0.4)
        axes.set_xlabel(spoken(feature))
    low, high = table["probability"].min(), table["probability"].max()
    margin = max(0.05 * (high - low), (SPAN - (high - low)) / 2)
    axes.set_ylim(max(low - margin, -0.02), min(high + margin, 1.02))
    of = "a class" if several else f"class {names.get(str(labels[0]), labels[0])}"
    axes.set_ylabel(f"mean probability of {of}")
    legend_above(axes, 4)
    return figure


def bundle(
    axes: Axes,
    x: Any,
    lines: NDArray[np.floating],
    own_colour: Any,
    *,
    count: int | None = None,
    numeric: bool = True,
    label: str = "",
) -> None:
    """Draw a faint line per net, or, over categories, points.

    lines: (nets, points); count: of all lines in the picture: the more, the fainter.
    """
    alpha = min(0.45, 9 / (count or len(lines)))
    if label:
        axes.plot([], [], color=own_colour, alpha=0.6, linewidth=1, label=label)
    if numeric:
        axes.plot(x, lines.T, color=own_colour, alpha=alpha, linewidth=0.8)
        return
    nudges = np.linspace(-0.16, 0.16, len(lines)) if len(lines) > 1 else np.zeros(1)
    for nudge, line in zip(nudges, lines, strict=True):
        axes.plot(
            np.arange(len(line)) + nudge, line, "o", color=own_colour, alpha=0.5, markersize=3
        )


def _percent(log_odds: float) -> str:
    probability = float(expit(log_odds)) * 100
    digits = 0 if 1 <= probability <= 99 else 1
    return f"{probability:.{digits}f} %"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
