"""The deeper net: two and more hidden layers, its gradient by autograd.

Each hidden layer is  dropout(activation(normalization(x w + b))) , and the last layer is linear.
Features may be embedded first.
"""

from collections.abc import Callable
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
    """A net with a hidden layer for each number of units in `config.hidden_sizes`."""

    config: DeepConfig
    dropout: Tensor | None = None  # in place of the config's: each net's rate, (..., 1, 1)

    @classmethod
    def from_config(cls, config: DeepConfig, value: Callable[[str], Tensor]) -> Self:
        return cls(config, layers.dropout_rate(value("dropout")))

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        kind, initialization = self.config.normalization, self.config.initialization
        params = layers.embedding_params(self.config, features, uniform)
        sizes = (self.config.embedded(features), *self.config.hidden_sizes, outputs)
        for i, fans in enumerate(pairwise(sizes), 1):
            is_hidden = i < len(sizes) - 1
            # Batch norm subtracts a bias again, and Adam would follow its rounding errors.
            bias = kind != "batch" or not is_hidden
            params |= layers.linear_params(i, fans, initialization, uniform, bias=bias)
            if is_hidden:
                params |= layers.normalization_params(kind, i, params[f"w{i}"][..., :1, :])
        return params

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return self._forward(params, x, None)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return layers.gradients_by_autograd(self._forward, params, batch, loss)

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        """Logits (..., rows, outputs); with `batch`, as in training."""
        x = layers.embed(params, x)
        last = len(self.config.hidden_sizes) + 1
        for i in range(1, last):
            x = layers.linear(params, i, x)  # (..., rows, hidden_sizes[i - 1])
            x = layers.normalize(self.config.normalization, params, i, x, batch)
            x = ACTIVATIONS[self.config.activation](x)
            x = layers.drop(f"dropout{i}", self.dropout, x, batch)
        return layers.linear(params, last, x)
