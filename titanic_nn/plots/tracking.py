"""What was sent, and how its scores at home and away agree."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from titanic_nn.plots.style import FAINT, colour, panels, spoken, styled

BOARD = 418  # passengers in Kaggle's test table, all of them behind the public score


@styled
def cv_against_public(ledger: pd.DataFrame, passengers: int = BOARD) -> Figure:
    """Cross-validated accuracy against the public score, a point per scored submission.

    Args:
        ledger: a ledger.csv: model, cv_accuracy, public_score; rows without both are left out.
        passengers: how many the public score was taken on.
    """
    scored = ledger.assign(
        cv=pd.to_numeric(ledger["cv_accuracy"], errors="coerce"),
        public=pd.to_numeric(ledger["public_score"], errors="coerce"),
    ).dropna(subset=["cv", "public"])
    figure, (axes,) = panels(
        "Does the board agree with cross-validation?",
        f"A point per submission. Bar: the 95 % that {passengers} passengers leave to chance. "
        "Dotted: both the same. Submissions are scored on the same passengers, so their points can "
        "all lie on one side.",
        height=3.6,
    )
    for model, points in scored.groupby("model", sort=False):
        public = points["public"].to_numpy()
        chance = 1.96 * np.sqrt(public * (1 - public) / passengers)
        axes.errorbar(
            points["cv"],
            public,
            yerr=chance,
            fmt="o",
            color=colour(str(model)),
            elinewidth=0.8,
            alpha=0.8,
            label=spoken(str(model)),
        )
    ends = [float(scored["cv"].min()), float(scored["cv"].max())]
    axes.plot(ends, ends, ":", color=FAINT)
    axes.set_xlabel("cross-validated accuracy (share of passengers)")
    axes.set_ylabel("public score (share of passengers)")
    axes.legend(loc="upper left")
    return figure
