"""The ResNet of Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data" (2021).

    x = x w + b                                                        to `width` units
    x = x + dropout(dropout(relu(norm(x) w + b)) w + b)                `n_blocks` times
    z = relu(norm(x)) w + b                                            the head

The two dropouts have rates of their own: of the hidden units within a block, and of what a block
adds to x. Features may be embedded first. Gradients are by autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from torch import Tensor

from titanic_nn.nets import layers
from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import ResNetConfig
from titanic_nn.nets.losses import Loss


@dataclass(frozen=True)
class ResNet:
    """A net with `config.n_blocks` residual blocks.

    Linear layers are numbered in the order of use: 1, then two per block, then the head; a
    normalization has the number of the linear layer that it precedes.
    """

    config: ResNetConfig
    # In place of the config's: each net's rates, (..., 1, 1).
    hidden_dropout: Tensor | None = None
    residual_dropout: Tensor | None = None

    @classmethod
    def from_config(cls, config: ResNetConfig, value: Callable[[str], Tensor]) -> Self:
        names = ("hidden_dropout", "residual_dropout")
        return cls(config, *(layers.dropout_rate(value(name)) for name in names))

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        kind, initialization = self.config.normalization, self.config.initialization
        params = layers.embedding_params(self.config, features, uniform)
        sizes = (self.config.embedded(features), *self.config.layer_widths, outputs)
        for i, fans in enumerate(pairwise(sizes), 1):
            # Every normalization reads x: batch norm subtracts again what a bias adds to it.
            bias = kind != "batch" or i % 2 == 0
            params |= layers.linear_params(i, fans, initialization, uniform, bias=bias)
            if i % 2 == 0:  # a block's first layer, or the head
                like = params[f"w{i}"][..., :1].mT  # (..., 1, width)
                params |= layers.normalization_params(kind, i, like)
        return params

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return self._forward(params, x, None)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return layers.gradients_by_autograd(self._forward, params, batch, loss)

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        """Logits (..., rows, outputs); with `batch`, as in training."""
        kind, head = self.config.normalization, 2 * self.config.n_blocks + 2
        x = layers.linear(params, 1, layers.embed(params, x))  # (..., rows, width)
        for i in range(2, head, 2):
            h = layers.normalize(kind, params, i, x, batch)
            h = layers.linear(params, i, h).relu()  # (..., rows, hidden_size)
            h = layers.drop(f"hidden_dropout{i}", self.hidden_dropout, h, batch)
            h = layers.linear(params, i + 1, h)  # (..., rows, width)
            x = x + layers.drop(f"residual_dropout{i}", self.residual_dropout, h, batch)
        x = layers.normalize(kind, params, head, x, batch).relu()
        return layers.linear(params, head, x)
