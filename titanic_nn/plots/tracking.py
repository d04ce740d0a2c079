"""Submissions: cross-validated scores against public ones."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from titanic_nn.plots.style import FAINT, colour, panels, spoken, styled


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
    axes.set_xlabel("cross-validated accuracy")
    axes.set_ylabel("public score")
    axes.legend(loc="upper left")
    return figure
