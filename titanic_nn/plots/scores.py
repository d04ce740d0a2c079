"""Scores over folds, the differences from the best model, and public scores."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.plots.style import (
    FAINT,
    INK,
    colour,
    legend_above,
    name_rows,
    panels,
    spoken,
    styled,
)


@styled
def fold_scores(metrics: pd.DataFrame, metric: str = "log_loss") -> Figure:
    """A box per model over its scores on single folds, the best mean on top.

    Args:
        metrics: a run's metrics.csv: model, repeat, fold, and the metric's column.
        metric: accuracy, log_loss, roc_auc, brier or f1.
    """
    lower_is_better = METRICS[metric].lower_is_better
    means = metrics.groupby("model")[metric].mean()
    models = [str(m) for m in means.sort_values(ascending=not lower_is_better).index]
    scores = [metrics.loc[metrics["model"] == m, metric].to_numpy() for m in models]
    better = "lower" if lower_is_better else "higher"
    figure, (axes,) = panels(
        f"{METRICS[metric].label.split(' (')[0].capitalize()} on each held-out fold",
        f"{better.capitalize()} is better. Box: the middle half of {len(scores[0])} folds; bar: "
        "median; diamond: mean; whiskers: at most 1.5 boxes. All models are scored on the same "
        "folds, so one can be better on nearly every fold though the boxes overlap.",
        height=0.6 + 0.36 * len(models),
    )
    boxes = axes.boxplot(
        scores,
        orientation="horizontal",
        tick_labels=[spoken(m) for m in models],
        widths=0.6,
        patch_artist=True,
        showmeans=True,
        medianprops={"color": INK},
        meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": INK},
        flierprops={"marker": "o", "markersize": 3, "markeredgecolor": FAINT},
        whiskerprops={"color": FAINT},
        capprops={"color": FAINT},
    )
    for box, model in zip(boxes["boxes"], models, strict=True):
        box.set(facecolor=colour(model), edgecolor=colour(model), alpha=0.75)
    axes.set_xlabel(METRICS[metric].label)
    axes.grid(axis="y", visible=False)
    return figure


@styled
def differences(comparison: pd.DataFrame, metric: str = "log_loss") -> Figure:
    """The difference of each model from the best, with its corrected interval.

    Args:
        comparison: what `comparison_table` returns: indexed by model, best first.
        metric: the metric that was compared.
    """
    best, *others = (str(model) for model in comparison.index)
    figure, (axes,) = panels(
        f"Is {spoken(best)} really better?",
        "Dot and line: mean difference on the same folds, with the 95 % interval of the corrected "
        f"resampled t-test. Grey: practically equivalent (at most {ROPES[metric]:g}). Where the "
        "interval holds 0, either model may be better.",
        height=0.8 + 0.36 * len(others),
    )
    axes.axvspan(-ROPES[metric], ROPES[metric], color=FAINT, alpha=0.2, linewidth=0)
    axes.axvline(0, color=INK, linewidth=1)
    for place, model in enumerate(others):
        row = comparison.loc[model]
        axes.plot([row["low"], row["high"]], [place, place], color=colour(model), linewidth=2.5)
        axes.plot(row["difference"], place, "o", color=colour(model), markersize=7)
    name_rows(axes, [spoken(model) for model in others])  # the closest on top
    axes.set_xlabel(f"{METRICS[metric].label} minus that of {spoken(best)}")
    return figure


@styled
def cv_against_public(ledger: pd.DataFrame, rows: int) -> Figure:
    """Cross-validated accuracy against the public score, a point per scored submission.

    Args:
        ledger: one competition's rows of ledger.csv: model, cv_accuracy, public_score; rows without
            both scores are left out.
        rows: how many test rows the public score was taken on.
    """
    scored = ledger.assign(
        cv=pd.to_numeric(ledger["cv_accuracy"], errors="coerce"),
        public=pd.to_numeric(ledger["public_score"], errors="coerce"),
    ).dropna(subset=["cv", "public"])
    figure, (axes,) = panels(
        "Does the public score agree with cross-validation?",
        f"A point per submission. Bar: 95 % interval of a score on {rows} rows. Dotted: equal "
        "scores. Submissions are scored on the same rows, so their points can all lie on one side.",
        height=3.6,
    )
    for model, points in scored.groupby("model", sort=False):
        public = points["public"].to_numpy()
        axes.errorbar(
            points["cv"],
            public,
            yerr=1.96 * np.sqrt(public * (1 - public) / rows),
            fmt="o",
            color=colour(str(model)),
            elinewidth=0.8,
            alpha=0.8,
            label=spoken(str(model)),
        )
    ends = [float(scored["cv"].min()), float(scored["cv"].max())]
    axes.plot(ends, ends, ":", color=FAINT)
    axes.set(xlabel="cross-validated accuracy", ylabel="public score")
    legend_above(axes, 4)
    return figure
