"""The ResNet of Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data" (2021).

    x = x w + b                                                        to `width` units
    x = x + dropout(dropout(relu(norm(x) w + b)) w + b)                `n_blocks` times
    z = relu(norm(x)) w + b                                            the head

The two dropouts have rates of their own: of the hidden units within a block, and of what a block
adds to x. Gradients are by autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from titanic_nn.nets import layers
from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import ResNetConfig
from titanic_nn.nets.losses import Loss


@dataclass(frozen=True)
class ResNet:
    """A net with `n_blocks` residual blocks.

    Linear layers are numbered in the order of use: 1, then two per block, then the head; a
    normalization has the number of the linear layer that it precedes.

    Attributes:
        width: units of x between the blocks.
        hidden_size: hidden units within a block.
        n_blocks: how many blocks.
        initialization: a name in INITIALIZATIONS.
        normalization: "batch" or "layer".
        hidden_dropout, residual_dropout: fractions of units that each training step drops,
            (..., 1, 1), or None.
    """

    width: int = 32
    hidden_size: int = 64
    n_blocks: int = 2
    initialization: str = "he"
    normalization: str = "batch"
    hidden_dropout: Tensor | None = None
    residual_dropout: Tensor | None = None

    @classmethod
    def from_config(cls, config: ResNetConfig, value: Callable[[str], Tensor]) -> Self:
        return cls(
            config.width,
            config.hidden_size,
            config.n_blocks,
            config.initialization,
            config.normalization,
            layers.dropout_rate(value("hidden_dropout")),
            layers.dropout_rate(value("residual_dropout")),
        )

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        block = [(self.width, self.hidden_size), (self.hidden_size, self.width)]
        sizes = [(features, self.width), *self.n_blocks * block, (self.width, outputs)]
        params: Params = {}
        for i, (fan_in, fan_out) in enumerate(sizes, 1):
            # Every normalization reads x: batch norm subtracts again what a bias adds to it.
            bias = self.normalization != "batch" or i % 2 == 0
            params |= layers.linear_params(
                i, fan_in, fan_out, self.initialization, uniform, bias=bias
            )
            if i % 2 == 0:  # a block's first layer, or the head
                like = params[f"w{i}"][..., :1].mT  # (..., 1, width)
                params |= layers.normalization_params(self.normalization, i, like)
        return params

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return self._forward(params, x, None)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return layers.gradients_by_autograd(self._forward, params, batch, loss)

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        """Logits (..., rows, outputs); with `batch`, as in training."""
        x = layers.linear(params, 1, x)  # (..., rows, width)
        head = 2 * self.n_blocks + 2
        for i in range(2, head, 2):
            h = layers.normalize(self.normalization, params, i, x, batch)
            h = layers.linear(params, i, h).relu()  # (..., rows, hidden_size)
            h = layers.drop(f"hidden_dropout{i}", self.hidden_dropout, h, batch)
            h = layers.linear(params, i + 1, h)  # (..., rows, width)
            x = x + layers.drop(f"residual_dropout{i}", self.residual_dropout, h, batch)
        x = layers.normalize(self.normalization, params, head, x, batch).relu()
        return layers.linear(params, head, x)
