"""The deeper net: two and more hidden layers, its gradient by autograd.

Each hidden layer is  dropout(activation(normalization(x w + b))) , and the last layer is linear.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import DeepConfig
from titanic_nn.nets.initialization import INITIALIZATIONS
from titanic_nn.nets.losses import Loss

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,  # a slope of 0.01 below zero: no unit dies
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
}

EPSILON = 1e-5  # keeps a normalisation from dividing by zero, as in torch.nn
MOMENTUM = 0.1  # share of a batch in the running statistics, as in torch.nn


@dataclass(frozen=True)
class DeepNet:
    """A net with one hidden layer for each number of units in `hidden_sizes`.

    Attributes:
        hidden_sizes: units of each hidden layer, first to last.
        activation: a name in ACTIVATIONS.
        initialization: a name in INITIALIZATIONS.
        normalization: "none", "batch" (each unit over the batch's rows; running means when it
            predicts; no bias before it) or "layer" (each row over the layer's units).
        dropout: share of units that each training step leaves out, (..., 1, 1), or None. The units
            that stay are scaled up, so that a prediction uses them all as they are.
    """

    hidden_sizes: Sequence[int] = (64, 32)
    activation: str = "relu"
    initialization: str = "he"
    normalization: str = "none"
    dropout: Tensor | None = None

    @classmethod
    def from_config(cls, config: DeepConfig, value: Callable[[str], Tensor]) -> Self:
        dropout = value("dropout")
        return cls(
            config.hidden_sizes,
            config.activation,
            config.initialization,
            config.normalization,
            dropout if dropout.any() else None,
        )

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        start = INITIALIZATIONS[self.initialization]
        params: Params = {}
        for i, (fan_in, fan_out) in enumerate(pairwise([features, *self.hidden_sizes, outputs]), 1):
            w = start(uniform(f"w{i}", (fan_in, fan_out)), fan_in, fan_out)
            row = (*w.shape[:-2], 1, fan_out)
            params[f"w{i}"] = w
            normalization = self.normalization if i <= len(self.hidden_sizes) else "none"
            if normalization != "batch":
                # Batch norm takes a bias out again, and Adam would step along its rounding errors.
                params[f"b{i}"] = w.new_zeros(row)
            if normalization != "none":
                params |= {f"scale{i}": w.new_ones(row), f"shift{i}": w.new_zeros(row)}
            if normalization == "batch":
                params |= {f"running_mean{i}": w.new_zeros(row)}
                params |= {f"running_variance{i}": w.new_ones(row)}
        return params

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return self._forward(params, x, None)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        """By autograd. Running statistics, if any, move to this batch's in place."""
        trained = {
            name: p.detach().requires_grad_()
            for name, p in params.items()
            if not name.startswith("running")
        }
        with torch.enable_grad():
            logits = self._forward(params | trained, batch.x, batch)
        dlogits = loss.gradient(logits.detach(), batch.targets, batch.weights)
        gradients = torch.autograd.grad(logits, list(trained.values()), dlogits)
        return dict(zip(trained, gradients, strict=True))

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        """Logits (..., rows, outputs); with `batch`, as in training."""
        for i in range(1, len(self.hidden_sizes) + 1):
            x = x @ params[f"w{i}"]  # (..., rows, hidden[i])
            if self.normalization != "batch":
                x = x + params[f"b{i}"]
            if self.normalization != "none":
                normalize = _batch_norm if self.normalization == "batch" else _layer_norm
                x = normalize(params, i, x, batch) * params[f"scale{i}"] + params[f"shift{i}"]
            x = ACTIVATIONS[self.activation](x)
            if batch and self.dropout is not None:
                mask = batch.uniform(f"dropout{i}", tuple(x.shape[-2:])).ge_(self.dropout)
                x = x * mask.div_(1 - self.dropout)
        last = len(self.hidden_sizes) + 1
        return x @ params[f"w{last}"] + params[f"b{last}"]


def _layer_norm(params: Params, i: int, x: Tensor, batch: Batch | None) -> Tensor:
    """Each row to mean 0 and variance 1 over its units (Ba, Kiros and Hinton 2016)."""
    return functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


def _batch_norm(params: Params, i: int, x: Tensor, batch: Batch | None) -> Tensor:
    """Each unit to mean 0 and variance 1 over the batch's rows (Ioffe and Szegedy 2015)."""
    if batch is None:
        mean, variance = params[f"running_mean{i}"], params[f"running_variance{i}"]
    else:
        counted = (batch.weights > 0).to(x.dtype)  # (..., rows, 1): not those that fill up
        rows = counted.sum(-2, keepdim=True)  # (..., 1, 1)
        mean = (counted * x).sum(-2, keepdim=True) / rows  # (..., 1, units)
        variance = (counted * (x - mean) ** 2).sum(-2, keepdim=True) / rows
        with torch.no_grad():
            params[f"running_mean{i}"].lerp_(mean, MOMENTUM)
            unbiased = variance * rows / (rows - 1).clamp(min=1)
            params[f"running_variance{i}"].lerp_(unbiased, MOMENTUM)
    return (x - mean) / (variance + EPSILON).sqrt()
