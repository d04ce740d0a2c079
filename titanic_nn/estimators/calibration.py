"""What comes after trained nets: calibrated probabilities, and the average of several models."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logit, softmax

from titanic_nn.errors import ConfigError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

SMALLEST = 1e-12  # probability whose logarithm is taken
LOG_SLOPES = (-5, 5)  # of a calibration of more than two classes: five standard deviations


@dataclass(frozen=True)
class Calibration:
    """sigmoid(slope * logit(probability) + intercept), after Platt (1999).

    Of more than two classes softmax(slope * log(probability)), temperature scaling (Guo et al.
    2017); there is no intercept. Of two classes without one both are the same.

    A slope below 1 corrects overconfident probabilities; slope 1 and intercept 0 change nothing.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, probability: NDArray[np.float64], y: NDArray[np.int64]) -> "Calibration":
        """By maximum likelihood, from probabilities (rows,) and class codes y (rows,).

        Of more classes both are (rows, classes), y one-hot, and the logarithm of the slope has a
        standard normal prior: where every row is right, the likelihood has no maximum. The rows
        must not have trained the net.
        """
        if probability.ndim == 2:
            return cls(_slope(_log(probability), y))
        from sklearn.linear_model import LogisticRegression  # predictions need not load it

        model = LogisticRegression(C=np.inf).fit(_logit(probability)[:, None], y)
        return cls(float(model.coef_[0, 0]), float(model.intercept_[0]))

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, in the same shape: (rows,) of class 1, or (rows, classes)."""
        if probability.ndim == 2:
            return np.asarray(softmax(self.slope * _log(probability), axis=1))
        with np.errstate(over="ignore"):  # the sigmoid of infinity is 1
            return np.asarray(expit(self.slope * _logit(probability) + self.intercept))


@dataclass(frozen=True)
class Ensemble:
    """A weighted average of fitted models' probabilities.

    Raises ConfigError if the weights are not those of the models, or not shares.
    """

    models: "Mapping[str, Pipeline]"  # by name, each from a table to probabilities
    weights: Mapping[str, float]  # by the same names; not negative, and they sum to 1

    def __post_init__(self) -> None:
        if self.models.keys() != self.weights.keys():
            raise ConfigError(f"weights of {[*self.weights]} are not those of {[*self.models]}")
        check_shares(self.weights)

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The labels, sorted, which all models share."""
        return np.asarray(next(iter(self.models.values())).classes_)

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """The probability of each class, (rows, classes)."""
        return weighted_average(predict_each(self.models, X), self.weights)

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:  # noqa: N803
        """The most probable class of each row, (rows,); of two at equal probability the second."""
        p = self.predict_proba(X)
        which = (p[:, 1] >= 0.5).astype(int) if p.shape[1] == 2 else p.argmax(axis=1)
        return np.asarray(self.classes_[which])


def predict_each(
    models: Mapping[str, Any],
    X: pd.DataFrame,  # noqa: N803
) -> dict[str, NDArray[np.floating]]:
    """Each model's `predict_proba` of a table, (rows, classes); an encoder encodes it once.

    models: by name, the two steps of each: what encodes the table (CompetitionFeatures or
        TableEncoder), and what predicts the encoded rows.
    """
    encoded: dict[int, NDArray[np.float32]] = {}
    found = {}
    for name, (features, net) in models.items():
        encoder = id(features.encoder_)
        if encoder not in encoded:
            encoded[encoder] = features.transform(X)
        found[name] = net.predict_proba(encoded[encoder])
    return found


def check_shares(weights: Mapping[str, float]) -> None:
    """Check that weights are shares: not negative, with sum 1. Raises ConfigError."""
    for name, weight in weights.items():
        if not weight >= 0:  # NaN neither
            raise ConfigError(f"the weight of {name!r} is {weight}; it must be 0 or more")
    total = math.fsum(weights.values())
    if not math.isclose(total, 1, abs_tol=1e-9):
        raise ConfigError(f"the weights sum to {total}; they must sum to 1")


def weighted_average(
    each: Mapping[str, NDArray[np.floating]], weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """The average of arrays of one shape, by their names' weights, which sum to 1."""
    weighted = [weights[name] * array.astype(np.float64) for name, array in each.items()]
    return np.asarray(np.sum(weighted, axis=0))


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    # Moved from 0 and 1, whose logits are not finite.
    return np.asarray(logit(np.clip(probability, SMALLEST, 1 - SMALLEST)))


def _log(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(probability, SMALLEST, dtype=np.float64))


def _slope(logs: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """The likeliest slope, of log probabilities and one-hot y (rows, classes)."""

    from scipy.optimize import minimize_scalar  # predictions need not load it

    def loss(log_slope: float) -> float:
        of_rows = y * log_softmax(np.exp(log_slope) * logs, axis=1)
        return log_slope**2 / 2 - float(of_rows.sum())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_SLOPES, method="bounded").x))
