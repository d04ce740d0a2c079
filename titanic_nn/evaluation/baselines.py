"""The models that a net has to beat, on the same folds and the same encoded matrices.

Their settings are fixed here and were written down before any held-out row was scored: a baseline
tuned on the folds that score it would be as optimistic as a net tuned in that way.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from titanic_nn.competitions.competition import Classifier, Competition
from titanic_nn.evaluation.predictions import kept
from titanic_nn.tables.encode import EncodedSplits
from titanic_nn.tables.splits import Split

ROWS_AT_ONCE = 2**14  # that are converted
# Makes an unfitted model from the names of the encoded columns and the random seed.
MakeBaseline: TypeAlias = Callable[[Sequence[str], int], Classifier]

BASELINES: dict[str, MakeBaseline] = {
    # L2 at scikit-learn's default strength.
    "logistic_regression": lambda feature_names, seed: LogisticRegression(
        C=1.0, max_iter=1000, random_state=seed
    ),
    # Many small, slow trees: 713 training rows are too few for the default's 31 leaves at rate 0.1.
    # Early stopping would take its validation rows from the few there are.
    "gradient_boosting": lambda feature_names, seed: HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    ),
}


def baselines(competition: Competition) -> Mapping[str, MakeBaseline]:
    """Every baseline by name: the competition's rule first."""
    rule = competition.rule
    return {rule.name: lambda feature_names, seed: rule.make(feature_names), **BASELINES}


def baseline_probabilities(
    make: Callable[[], Classifier], encoded: EncodedSplits, y: NDArray[np.int64]
) -> dict[Split, NDArray[np.float64]]:
    """Fit a baseline on each split's training rows; the probabilities of its held-out rows.

    `make` makes the unfitted model. `y` are class codes of the table's first rows, (labelled
    rows,). A split's probabilities are `kept` ones, (held-out rows,) or (held-out rows, classes).
    It uses one thread of OpenMP, and as many of BLAS as the caller allows.
    """
    probabilities = {}
    # On tables this small further threads only wait for each other, and long on a busy machine.
    with threadpool_limits(1, user_api="openmp"):
        for split, matrix in zip(encoded.splits, encoded.x, strict=True):
            model = make().fit(_as_float64(matrix, split.train), y[split.train])
            probabilities[split] = kept(model.predict_proba(_as_float64(matrix, split.held_out)))
    return probabilities


def _as_float64(matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """These rows of a matrix, (rows, features): without a copy in float32 of them all."""
    x = np.empty((len(rows), matrix.shape[1]))
    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        x[some] = matrix[rows[some]]
    return x
