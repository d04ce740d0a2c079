"""The models that a net has to beat, on the same folds and the same encoded matrices.

Their settings are fixed here and were written down before any held-out row was scored: a baseline
tuned on the folds that judge it would be as flattered as a net so tuned.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from titanic_nn.errors import ConfigError
from titanic_nn.tables.splits import Split

WOMEN = "sex=female"


class Classifier(Protocol):
    """What a baseline offers: scikit-learn's way, predict_proba giving (rows, 2)."""

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64], /) -> Self: ...

    def predict_proba(self, x: NDArray[np.float64], /) -> NDArray[np.float64]: ...


class SexRule:
    """Women live, men die: each with the survival rate of their sex among the training rows.

    Where the training rows do not tell the sexes apart, everyone has the rate of all.
    """

    def __init__(self, feature_names: Sequence[str]) -> None:
        # A column in which the training rows agree is not encoded.
        self.column = list(feature_names).index(WOMEN) if WOMEN in feature_names else None

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Self:
        """Take the two survival rates from training rows x (rows, features) and y (rows,)."""
        women = self._women(x)
        self.rate_women = self.rate_men = float(y.mean())
        if women.any() and not women.all():
            # On Titanic the rates (0.74, 0.19) say the same as the rule; elsewhere it prevails.
            self.rate_women = max(float(y[women].mean()), 0.5)
            self.rate_men = min(float(y[~women].mean()), np.nextafter(0.5, 0))
        return self

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (rows, 2) of having died and survived."""
        survived = np.where(self._women(x), self.rate_women, self.rate_men)  # (rows,)
        return np.stack([1 - survived, survived], axis=1)

    def _women(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.zeros(len(x), bool) if self.column is None else x[:, self.column] == 1


# Name -> what makes the unfitted model from the feature names and the seed.
BASELINES: dict[str, Callable[[Sequence[str], int], Classifier]] = {
    "sex_rule": lambda feature_names, seed: SexRule(feature_names),
    # L2 at scikit-learn's own strength.
    "logistic_regression": lambda feature_names, seed: LogisticRegression(
        C=1.0, max_iter=1000, random_state=seed
    ),
    # Many small, slow trees: 713 training rows do not bear the default's 31 leaves at rate 0.1.
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


def baseline_probabilities(
    name: str,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    splits: Sequence[Split],
    feature_names: Sequence[str],
    seed: int,
) -> NDArray[np.float64]:
    """Fit one baseline per split on its training rows, and predict every row of the table.

    `x` is (splits, rows, features), encoded per split; `y` (labelled rows,), for the table's first
    rows. Returns survival probabilities (splits, rows), training rows included: pick a split's
    held-out rows before you score. Raises SettingsError for an unknown name.
    """
    if name not in BASELINES:
        raise ConfigError(f"unknown baseline {name!r}: choose from {', '.join(BASELINES)}")
    probabilities = []
    # On tables this small more threads only wait for one another, and badly on a busy machine.
    with threadpool_limits(limits=1):
        for split, matrix in zip(splits, x, strict=True):
            rows = matrix.astype(np.float64)  # (rows, features)
            model = BASELINES[name](feature_names, seed)
            model.fit(rows[split.train], y[split.train])
            probabilities.append(model.predict_proba(rows)[:, 1])
    return np.stack(probabilities)
