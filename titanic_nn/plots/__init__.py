"""Every picture: one function each, from a run's DataFrames to a matplotlib Figure.

A Figure shows itself at the end of a notebook's cell (after `%matplotlib inline`) and is saved with
`figure.savefig("name.png")`. pyplot, with its hidden state, has no part in it.
"""

from titanic_nn.plots.probabilities import (
    calibration,
    confusion_matrix,
    precision_recall,
    roc,
    threshold,
)
from titanic_nn.plots.reasons import coefficients, hard_passengers, hidden_units, importance
from titanic_nn.plots.scores import differences, fold_scores
from titanic_nn.plots.style import STYLE
from titanic_nn.plots.tracking import cv_against_public
from titanic_nn.plots.training import compare_curves, learning_curves, rows_curve
from titanic_nn.plots.tuning import study_history, study_importances, study_optimism, study_slices

__all__ = [
    "STYLE",
    "calibration",
    "coefficients",
    "compare_curves",
    "confusion_matrix",
    "cv_against_public",
    "differences",
    "fold_scores",
    "hard_passengers",
    "hidden_units",
    "importance",
    "learning_curves",
    "precision_recall",
    "roc",
    "rows_curve",
    "study_history",
    "study_importances",
    "study_optimism",
    "study_slices",
    "threshold",
]
