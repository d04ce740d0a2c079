"""Losses on logits, each with its derivative written out, and the penalties on large weights.

Every loss is a weighted mean over rows. With p = sigmoid(z) = 1 / (1 + exp(-z)) and
dp/dz = p (1 - p):

    cross-entropy    -(t log p + (1 - t) log(1 - p)) = softplus(z) - t z    dz: p - t
    squared error    (p - t)^2                                              dz: 2 (p - t) p (1 - p)
    absolute error   |p - t|                                             dz: sign(p - t) p (1 - p)

Cross-entropy's derivative stays large while a prediction is wrong; the other two have the factor
p (1 - p), which vanishes for a confident wrong prediction.

With three and more classes a net has an output for each, p = softmax(z) = exp(z) / sum_k exp(z_k),
the target is 1 for the row's class and else 0, and dp_k/dz_j = p_k ((1 if j = k else 0) - p_j):

    cross-entropy    -sum_k t_k log p_k = log(sum_k exp(z_k)) - t z         dz: p - t
    squared error    1/2 sum_k (p_k - t_k)^2             dz_j: p_j (s_j - sum_k p_k s_k), s = p - t
    absolute error   1/2 sum_k |p_k - t_k|                     the same, s = sign(p - t) / 2

With the halves, two outputs z and 0 have the same loss as the one output z.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Loss:
    """A loss and its derivative; logits and targets are (..., rows, outputs).

    Attributes:
        per_row: the loss of each row, (..., rows, 1).
        gradient_per_row: its derivative by each logit, (..., rows, outputs).
    """

    per_row: Callable[[Tensor, Tensor], Tensor]
    gradient_per_row: Callable[[Tensor, Tensor], Tensor]

    def value(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss (...), with the rows' weights (..., rows, 1)."""
        return (weights * self.per_row(logits, targets)).sum((-2, -1))

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss's derivative by each logit, (..., rows, outputs)."""
        return weights * self.gradient_per_row(logits, targets)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # softplus(z) = log(1 + exp(z)), computed so that a large z does not overflow.
    return softplus(logits) - targets * logits


def _cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.sigmoid(logits) - targets


def _squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (torch.sigmoid(logits) - targets) ** 2


def _squared_error_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return 2 * (p - targets) * p * (1 - p)


def _absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (torch.sigmoid(logits) - targets).abs()


def _absolute_error_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return (p - targets).sign() * p * (1 - p)


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.logsumexp(-1, keepdim=True) - (targets * logits).sum(-1, keepdim=True)


def _softmax_cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(-1) - targets


def _softmax_squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.softmax(-1) - targets).square().sum(-1, keepdim=True) / 2


def _softmax_squared_error_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    p = logits.softmax(-1)
    return _through_softmax(p, p - targets)


def _softmax_absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.softmax(-1) - targets).abs().sum(-1, keepdim=True) / 2


def _softmax_absolute_error_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    p = logits.softmax(-1)
    return _through_softmax(p, (p - targets).sign() / 2)


def _through_softmax(p: Tensor, dp: Tensor) -> Tensor:
    """From the derivative by each probability to that by each logit, both (..., rows, outputs)."""
    return p * (dp - (p * dp).sum(-1, keepdim=True))


# For one output: the log-odds of class 1 of two.
LOSSES = {
    "cross_entropy": Loss(_cross_entropy, _cross_entropy_gradient),
    "squared_error": Loss(_squared_error, _squared_error_gradient),
    "absolute_error": Loss(_absolute_error, _absolute_error_gradient),
}
# For one output per class.
SOFTMAX_LOSSES = {
    "cross_entropy": Loss(_softmax_cross_entropy, _softmax_cross_entropy_gradient),
    "squared_error": Loss(_softmax_squared_error, _softmax_squared_error_gradient),
    "absolute_error": Loss(_softmax_absolute_error, _softmax_absolute_error_gradient),
}


def choose_loss(name: str, outputs: int) -> Loss:
    """The loss of that name for nets with so many outputs."""
    return (LOSSES if outputs == 1 else SOFTMAX_LOSSES)[name]


def probabilities(logits: Tensor) -> Tensor:
    """Of logits (..., rows, outputs): the sigmoid of one output, the softmax of several."""
    return logits.sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)


def penalty_gradient(weights: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """The derivative of l1 * sum(|w|) + l2 / 2 * sum(w^2).

    weights: (..., parameters); l1, l2: (..., 1), of each net.
    """
    return l1 * weights.sign() + l2 * weights
