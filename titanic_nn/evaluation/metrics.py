"""Scores of predicted probabilities, for one net or for thousands at once.

Every metric takes `y` (rows,), 0 or 1, and `probability` (..., rows), the predicted chance of 1;
of more than two classes `y` (rows, classes), one-hot, and `probability` (..., rows, classes). It
returns one float64 score per net, shape (...,). A probability that is NaN (a net that diverged)
makes that net's score NaN. DataError is raised where y and probability do not fit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from titanic_nn.errors import DataError

FloatArray = NDArray[np.float64]

# A probability of 0 for the true class would have an infinite loss; this floor makes it 36.04.
EPS = float(np.finfo(np.float64).eps)  # 2.2e-16, as scikit-learn


def accuracy(y: ArrayLike, probability: ArrayLike) -> FloatArray:
    """Fraction of rows predicted correctly; the most probable class is predicted.

    Of two classes class 1 is, where its probability is 0.5 or more.
    """
    y, probability = _checked(y, probability)
    return _mean_over_rows(of_true_class(y, _predicted(y, probability)))


def log_loss(y: ArrayLike, probability: ArrayLike) -> FloatArray:
    """Mean of -ln(probability of the true class), that probability being at least EPS."""
    y, probability = _checked(y, probability)
    return _mean_over_rows(-np.log(np.maximum(of_true_class(y, probability), EPS)))


def roc_auc(y: ArrayLike, probability: ArrayLike) -> FloatArray:
    """Probability that a random positive is ranked above a random negative; a tie counts one half.

    From ranks (Mann and Whitney): (sum of the positives' ranks - n1 (n1 + 1) / 2) / (n1 n0), with
    n1 positives, n0 negatives, and tied rows sharing their mean rank. NaN where y has one class.
    Of more classes the mean over classes, each against all others (macro average).
    """
    y, probability = _checked(y, probability)
    return _mean_over_classes([_roc_auc(*one) for one in _each_class(y, probability)])


def _roc_auc(y: FloatArray, probability: FloatArray) -> FloatArray:
    positives = y.sum()
    pairs = positives * (len(y) - positives)
    if pairs == 0:
        return np.full(probability.shape[:-1], np.nan)
    by_net = pd.DataFrame(probability.reshape(-1, len(y)))
    ranks = by_net.rank(axis=1).to_numpy().reshape(probability.shape)  # (..., rows), from 1
    auc: FloatArray = (ranks @ y - positives * (positives + 1) / 2) / pairs
    return auc


def brier(y: ArrayLike, probability: ArrayLike) -> FloatArray:
    """Mean over rows of (y - probability)^2; of more than two classes of the sum over classes."""
    y, probability = _checked(y, probability)
    errors = (y - probability) ** 2
    return _mean_over_rows(errors if y.ndim == 1 else errors.sum(axis=-1))


def f1(y: ArrayLike, probability: ArrayLike) -> FloatArray:
    """2 TP / (predicted positives + actual positives), at probability >= 0.5; 0 where both are 0.

    The harmonic mean of precision and recall for class 1. Of more classes the mean over classes,
    each against all others (macro average).
    """
    y, probability = _checked(y, probability)
    return _mean_over_classes([_f1(*one) for one in _each_class(y, _predicted(y, probability))])


def _f1(y: FloatArray, predicted: FloatArray) -> FloatArray:
    true_positives = predicted @ y  # (...,)
    # Where both are 0, TP is 0 as well, and 0 / 1 is 0.
    score: FloatArray = 2 * true_positives / np.maximum(predicted.sum(axis=-1) + y.sum(), 1)
    return score


@dataclass(frozen=True)
class Metric:
    """A metric, and what the package needs to know of it.

    Attributes:
        score: from y and probability to scores (...,).
        label: its name and unit in plots.
        rope: its region of practical equivalence: a smaller difference does not matter.
        lower_is_better: whether it is a loss.
    """

    score: Callable[[ArrayLike, ArrayLike], FloatArray]
    label: str
    rope: float
    lower_is_better: bool = False


# rope: Benavoli's 0.01 for accuracy. For the log loss 0.5 % of the true class's probability
# (geometric mean); for the Brier score half of that, since near one half the log loss is twice as
# steep.
METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, "accuracy", 0.01),
    "log_loss": Metric(log_loss, "log loss (nats per row)", 0.005, lower_is_better=True),
    "roc_auc": Metric(roc_auc, "area under the ROC curve", 0.01),
    "brier": Metric(brier, "Brier score", 0.0025, lower_is_better=True),
    "f1": Metric(f1, "F1 score", 0.01),
}


def fold_metrics(y: ArrayLike, probability: ArrayLike) -> dict[str, float]:
    """Every metric of one model on one fold's held-out rows, by y and probability of one net."""
    return {name: float(metric.score(y, probability)) for name, metric in METRICS.items()}


def expected_calibration_error(
    y: ArrayLike, probability: ArrayLike, *, bins: int = 10
) -> FloatArray:
    """Sum over bins of (rows in bin / rows) * |fraction of positives - mean probability|.

    The bins have equal width, [0, 1/bins), [1/bins, 2/bins), ..., [1 - 1/bins, 1]. A fold is too
    small to fill them: use all out-of-fold predictions together. Naeini, Cooper and
    Hauskrecht (2015), in its two-class form. Of more classes the probability is that of the
    predicted class, and the rows where it is right are the positives (Guo et al. 2017).
    """
    y, p = _checked(y, probability)
    if y.ndim == 2:
        y, p = of_true_class(y, _predicted(y, p)), p.max(axis=-1)  # both (..., rows)
    gap = y - p  # (..., rows)
    bin_of = np.minimum(np.floor(p * bins), bins - 1)  # (..., rows); 1.0 joins the last
    gap_sums = [(gap * (bin_of == b)).sum(axis=-1) for b in range(bins)]  # bins of (...,)
    error: FloatArray = np.abs(gap_sums).sum(axis=0) / gap.shape[-1]
    return error


def of_true_class(y: NDArray[Any], probability: FloatArray) -> FloatArray:
    """The probability of each row's true class, (..., rows)."""
    if y.ndim == 2:
        return np.asarray((y * probability).sum(axis=-1))
    return np.where(y == 1, probability, 1 - probability)


def _mean_over_rows(values: FloatArray) -> FloatArray:
    means: FloatArray = values.mean(axis=-1)
    return means


def _mean_over_classes(scores: Sequence[FloatArray]) -> FloatArray:
    means: FloatArray = np.mean(scores, axis=0)
    return means


def _predicted(y: FloatArray, probability: FloatArray) -> FloatArray:
    """1 for the predicted class, else 0, in the shape of probability: of class 1, or one-hot.

    NaN stays NaN, so a diverged net predicts nothing.
    """
    if y.ndim == 1:
        return np.where(np.isnan(probability), np.nan, probability >= 0.5)
    one_hot = np.eye(y.shape[1])[probability.argmax(axis=-1)]  # (..., rows, classes)
    return np.where(np.isnan(probability).any(axis=-1, keepdims=True), np.nan, one_hot)


def _each_class(y: FloatArray, probability: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """y (rows,) and probability (..., rows) of each class against all others; of two of class 1."""
    if y.ndim == 1:
        yield y, probability
    else:
        yield from ((y[:, k], probability[..., k]) for k in range(y.shape[1]))


def _checked(y: ArrayLike, probability: ArrayLike) -> tuple[FloatArray, FloatArray]:
    y = np.asarray(y, dtype=np.float64)
    probability = np.asarray(probability, dtype=np.float64)
    if y.ndim not in (1, 2) or y.size == 0 or probability.shape[-y.ndim :] != y.shape:
        raise DataError(
            f"y has shape {y.shape} and probability {probability.shape}: give (rows,) and "
            "(..., rows), or (rows, classes) and (..., rows, classes), with at least one row"
        )
    if not np.isin(y, (0, 1)).all():
        raise DataError(f"y holds {y[~np.isin(y, (0, 1))][0]}: give 0 or 1")
    if y.ndim == 2 and (y.sum(axis=1) != 1).any():
        row = int((y.sum(axis=1) != 1).argmax())
        raise DataError(f"y, row {row}: is of {y[row].sum():.0f} classes: give one-hot rows")
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        raise DataError(
            f"probability holds {probability[outside][0]}, outside 0 to 1: "
            "give probabilities, the sigmoid of the logits, or their softmax"
        )
    return y, probability
