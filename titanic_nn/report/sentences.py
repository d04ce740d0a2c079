"""What a run's numbers say, in sentences. Each says how far it can be trusted."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.plots.style import spoken

NBSP = "\N{NO-BREAK SPACE}"
SURE = 0.95  # posterior probability from which a sentence says so without an "if"


def in_words(summary: dict[str, Any], oof: pd.DataFrame, history: pd.DataFrame) -> list[str]:
    """The findings of a run, the most important first, a paragraph each.

    Args:
        summary: a run's summary.json.
        oof: its oof.csv.
        history: its history.csv.
    """
    model = summary["recommended"]
    paragraphs = [
        _how_good(model, summary["models"], len(oof) // oof["repeat"].nunique()),
        _how_sure(model, summary["comparison"]),
        _mistakes(model, oof),
        _calibrated(model, summary["models"][model]["calibration_error"]),
    ]
    curves = history[history["model"] == model]
    if len(curves):  # an ensemble has none of its own
        paragraphs.append(_overfit(model, curves))
    return paragraphs


def _how_good(model: str, models: dict[str, Any], passengers: int) -> str:
    accuracy, log_loss = models[model]["accuracy"], models[model]["log_loss"]
    said = (
        f"{spoken(model)} is recommended: on passengers held out from its training it is right "
        f"for {percent(accuracy['mean'], 1)} of them (95{NBSP}% interval "
        f"{percent(accuracy['low'], 1)} to {percent(accuracy['high'], 1)}), with a log loss of "
        f"{log_loss['mean']:.3f}."
    )
    if "sex_rule" in models:
        rule = models["sex_rule"]["accuracy"]["mean"]
        said += f' The rule "women live, men die" is right for {percent(rule, 1)}.'
    # The standard error of a share: two of them make a 95 % interval.
    luck = 1.96 * math.sqrt(accuracy["mean"] * (1 - accuracy["mean"]) / passengers)
    return (
        f"{said} With {passengers} passengers luck alone moves an accuracy by "
        f"± {100 * luck:.1f} points."
    )


def _how_sure(model: str, comparison: dict[str, Any]) -> str:
    best, *others = comparison["models"]
    if not others:
        return "It was compared with no other model."
    rope = ROPES[comparison["metric"]]
    said = ""
    if best != model:
        said = f"By log loss the best of all is {spoken(best)}, which is not a net of ours. "
    rows = comparison["models"]
    worse = [other for other in others if rows[other]["p_worse"] >= SURE]
    same = [other for other in others if rows[other]["p_equivalent"] >= SURE]
    open_ = [other for other in others if other not in worse + same]
    if worse:
        sure = f"{percent(SURE)} sure or more"
        said += f"{spoken(best)} is really better than {_listed(worse)} ({sure}). "
    if same:
        said += f"Against {_listed(same)} it makes no difference (less than {rope:g}). "
    if open_:
        said += f"Whether it beats {_listed(open_)} these folds cannot tell. "
    return said + f"It is the best of all with probability {percent(rows[best]['p_best'])}."


def _mistakes(model: str, oof: pd.DataFrame) -> str:
    repeats = oof["repeat"].nunique()
    survived, called = oof["Survived"] == 1, oof[model] >= 0.5
    missed, false = (survived & ~called).sum() / repeats, (~survived & called).sum() / repeats
    return (
        f"Of {survived.sum() / repeats:.0f} survivors {spoken(model)} takes {missed:.0f} for dead, "
        f"and of {(~survived).sum() / repeats:.0f} dead {false:.0f} for survivors."
    )


def _calibrated(model: str, error: float) -> str:
    return (
        f"Its probabilities are off by {100 * error:.1f} points on average: where it says "
        f"{percent(0.7)}, about so much more or less than {percent(0.7)} survive."
    )


def _overfit(model: str, curves: pd.DataFrame) -> str:
    mean = curves.groupby("epoch")[["training_loss", "held_out_loss"]].mean()
    training, held_out = mean.iloc[-1]
    lowest = int(np.asarray(mean["held_out_loss"]).argmin())
    said = (
        f"A single {spoken(model)} net ends with a loss of {training:.3f} on its training rows and "
        f"{held_out:.3f} on held-out ones: the gap of {held_out - training:.3f} is what it learnt "
        "by heart."
    )
    if mean["held_out_loss"].iloc[lowest] < held_out - ROPES["log_loss"]:
        said += (
            f" The held-out loss was lowest after {mean.index[lowest]} epochs "
            f"({mean['held_out_loss'].iloc[lowest]:.3f}): it trains too long, or decays too little."
        )
    return said


def _listed(models: Sequence[str]) -> str:
    """a, b and c"""
    *first, last = map(spoken, models)
    return f"{', '.join(first)} and {last}" if first else last


def percent(share: float, digits: int = 0) -> str:
    """79.0 %, not to be broken at the end of a line."""
    return f"{100 * share:.{digits}f}{NBSP}%"
