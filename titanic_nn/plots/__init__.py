"""Every picture: one function each, from a run's DataFrames to a matplotlib Figure.

A Figure is displayed at the end of a notebook's cell (after `%matplotlib inline`) and saved with
`figure.savefig("name.png")`. pyplot, with its global state, is not used.
"""

from titanic_nn.plots.explanation import contributions, partial_dependence, waterfall
from titanic_nn.plots.exploration import first_look
from titanic_nn.plots.learning_rate import learning_rate_sweep
from titanic_nn.plots.probabilities import (
    calibration,
    confusion_matrix,
    precision_recall,
    roc,
    threshold,
)
from titanic_nn.plots.reasons import ablation, coefficients, hidden_units, importance, misclassified
from titanic_nn.plots.scores import cv_against_public, differences, fold_scores
from titanic_nn.plots.sliders import Sliders
from titanic_nn.plots.style import STYLE
from titanic_nn.plots.training import compare_curves, learning_curves, rows_curve
from titanic_nn.plots.tuning import study_history, study_importances, study_optimism, study_slices

__all__ = [
    "STYLE",
    "Sliders",
    "ablation",
    "calibration",
    "coefficients",
    "compare_curves",
    "confusion_matrix",
    "contributions",
    "cv_against_public",
    "differences",
    "first_look",
    "fold_scores",
    "hidden_units",
    "importance",
    "learning_curves",
    "learning_rate_sweep",
    "misclassified",
    "partial_dependence",
    "precision_recall",
    "roc",
    "rows_curve",
    "study_history",
    "study_importances",
    "study_optimism",
    "study_slices",
    "threshold",
    "waterfall",
]
