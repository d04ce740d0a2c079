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

_Elementwise = Callable[[Tensor], Tensor]
_OfLogits = Callable[[Tensor, Tensor], Tensor]  # and targets


@dataclass(frozen=True)
class Loss:
    """A loss and its derivative, of logits and targets (..., rows, outputs)."""

    per_row: _OfLogits  # the loss of each row, (..., rows, 1)
    gradient_per_row: _OfLogits  # its derivative by each logit, (..., rows, outputs)

    def value(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss (...), with the rows' weights (..., rows, 1)."""
        return (weights * self.per_row(logits, targets)).sum((-2, -1))

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The loss's derivative by each logit, (..., rows, outputs)."""
        return weights * self.gradient_per_row(logits, targets)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # softplus(z) = log(1 + exp(z)), computed so that a large z does not overflow.
    return softplus(logits) - targets * logits


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.logsumexp(-1, keepdim=True) - (targets * logits).sum(-1, keepdim=True)


def _of_sigmoid(error: _Elementwise, derivative: _Elementwise) -> Loss:
    """The loss error(p - t) for one output, with the error's derivative."""

    def gradient(logits: Tensor, targets: Tensor) -> Tensor:
        p = logits.sigmoid()
        return derivative(p - targets) * p * (1 - p)

    return Loss(lambda logits, targets: error(logits.sigmoid() - targets), gradient)


def _of_softmax(error: _Elementwise, derivative: _Elementwise) -> Loss:
    """The loss 1/2 sum_k error(p_k - t_k) for one output per class."""

    def per_row(logits: Tensor, targets: Tensor) -> Tensor:
        return error(logits.softmax(-1) - targets).sum(-1, keepdim=True) / 2

    def gradient(logits: Tensor, targets: Tensor) -> Tensor:
        p = logits.softmax(-1)
        dp = derivative(p - targets) / 2
        return p * (dp - (p * dp).sum(-1, keepdim=True))

    return Loss(per_row, gradient)


# Name -> error, derivative.
_ERRORS: dict[str, tuple[_Elementwise, _Elementwise]] = {
    "squared_error": (torch.square, lambda error: 2 * error),
    "absolute_error": (torch.abs, torch.sign),
}
LOSSES = {  # for one output: the log-odds of class 1 of two
    "cross_entropy": Loss(_cross_entropy, lambda logits, targets: logits.sigmoid() - targets),
    **{name: _of_sigmoid(*functions) for name, functions in _ERRORS.items()},
}
SOFTMAX_LOSSES = {  # for one output per class
    "cross_entropy": Loss(_softmax_cross_entropy, lambda logits, t: logits.softmax(-1) - t),
    **{name: _of_softmax(*functions) for name, functions in _ERRORS.items()},
}


def probabilities(logits: Tensor) -> Tensor:
    """Of logits (..., rows, outputs): the sigmoid of one output, the softmax of several.

    NaN where a logit of the row is not finite: the net overflowed.
    """
    logits = logits + 0 * logits  # 0 times infinity is NaN
    return logits.sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)


def penalty_gradient(weights: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """The derivative of l1 * sum(|w|) + l2 / 2 * sum(w^2) by weights (..., parameters)."""
    return l1 * weights.sign() + l2 * weights
