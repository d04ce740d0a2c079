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

from titanic_nn.nets import layers
from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import DeepConfig
from titanic_nn.nets.losses import Loss

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,  # the derivative below 0 is 0.01: no unit dies
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
}


@dataclass(frozen=True)
class DeepNet:
    """A net with a hidden layer for each number of units in `hidden_sizes`.

    Attributes:
        hidden_sizes: units of each hidden layer, first to last.
        activation: a name in ACTIVATIONS.
        initialization: a name in INITIALIZATIONS.
        normalization: "none", "batch" or "layer". A layer has no bias before "batch".
        dropout: fraction of units that each training step drops, (..., 1, 1), or None.
    """

    hidden_sizes: Sequence[int] = (64, 32)
    activation: str = "relu"
    initialization: str = "he"
    normalization: str = "none"
    dropout: Tensor | None = None

    @classmethod
    def from_config(cls, config: DeepConfig, value: Callable[[str], Tensor]) -> Self:
        return cls(
            config.hidden_sizes,
            config.activation,
            config.initialization,
            config.normalization,
            layers.dropout_rate(value("dropout")),
        )

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        params: Params = {}
        last = len(self.hidden_sizes) + 1
        for i, (fan_in, fan_out) in enumerate(pairwise([features, *self.hidden_sizes, outputs]), 1):
            # Batch norm subtracts a bias again, and Adam would follow its rounding errors.
            bias = i == last or self.normalization != "batch"
            params |= layers.linear_params(
                i, fan_in, fan_out, self.initialization, uniform, bias=bias
            )
            if i < last:
                params |= layers.normalization_params(
                    self.normalization, i, params[f"w{i}"][..., :1, :]
                )
        return params

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return self._forward(params, x, None)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return layers.gradients_by_autograd(self._forward, params, batch, loss)

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        """Logits (..., rows, outputs); with `batch`, as in training."""
        last = len(self.hidden_sizes) + 1
        for i in range(1, last):
            x = layers.linear(params, i, x)  # (..., rows, hidden_sizes[i - 1])
            x = layers.normalize(self.normalization, params, i, x, batch)
            x = ACTIVATIONS[self.activation](x)
            x = layers.drop(f"dropout{i}", self.dropout, x, batch)
        return layers.linear(params, last, x)
