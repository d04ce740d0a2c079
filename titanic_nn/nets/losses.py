"""Losses on logits, each with its derivative written out, and the penalties on large weights.

Every loss is a weighted mean over rows. With p = sigmoid(z) = 1 / (1 + exp(-z)) and
dp/dz = p (1 - p):

    cross-entropy    -(t log p + (1 - t) log(1 - p)) = softplus(z) - t z    dz: p - t
    squared error    (p - t)^2                                              dz: 2 (p - t) p (1 - p)
    absolute error   |p - t|                                             dz: sign(p - t) p (1 - p)

Cross-entropy's derivative never fades while a prediction is wrong; the other two carry the factor
p (1 - p), which does when a net is sure of a wrong answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Loss:
    """A loss a row and its derivative; logits and targets are (..., rows, outputs)."""

    per_row: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]

    def value(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss (...), for row weights (..., rows, 1) that sum to 1."""
        return (weights * self.per_row(logits, targets)).sum((-2, -1))

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss's derivative by each logit, (..., rows, outputs)."""
        return weights * self.slope(logits, targets)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # softplus(z) = log(1 + exp(z)), computed so that a large z does not overflow.
    return softplus(logits) - targets * logits


def _cross_entropy_slope(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.sigmoid(logits) - targets


def _squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (torch.sigmoid(logits) - targets) ** 2


def _squared_error_slope(logits: Tensor, targets: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return 2 * (p - targets) * p * (1 - p)


def _absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (torch.sigmoid(logits) - targets).abs()


def _absolute_error_slope(logits: Tensor, targets: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return (p - targets).sign() * p * (1 - p)


LOSSES = {
    "cross_entropy": Loss(_cross_entropy, _cross_entropy_slope),
    "squared_error": Loss(_squared_error, _squared_error_slope),
    "absolute_error": Loss(_absolute_error, _absolute_error_slope),
}


def penalty_gradient(weights: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """The derivative of l1 * sum(|w|) + l2 / 2 * sum(w^2): a constant pull to 0, and one like w.

    weights: (..., parameters); l1, l2: (..., 1), a net's own.
    """
    return l1 * weights.sign() + l2 * weights
