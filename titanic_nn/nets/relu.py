"""One hidden layer of ReLUs, forward and backward by hand.

    h = max(0, x w1 + b1)      each unit is a bent plane: 0 on one side, rising on the other
    z = h w2 + b2              a weighted sum of them

Backward, from the last layer to the first. With dz = dL/dz from the loss, the last layer is the
linear model with h for x:

    dL/dw2 = hᵀ dz             dL/db2 = sum over rows of dz

The loss depends on a unit through its outgoing weight, dL/dh = dz w2ᵀ. The derivative of a ReLU is
1 where the unit is active (h > 0) and 0 elsewhere, so da = dL/dh where h > 0, else 0. The first
layer is the linear model once more, with da for dz:

    dL/dw1 = xᵀ da             dL/db1 = sum over rows of da
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import ReLUConfig
from titanic_nn.nets.layers import linear_params
from titanic_nn.nets.losses import Loss


@dataclass(frozen=True)
class ReLUNet:
    """A net with one hidden layer of `hidden_size` units."""

    hidden_size: int = 64
    initialization: str = "he"

    @classmethod
    def from_config(cls, config: ReLUConfig, value: Callable[[str], Tensor]) -> Self:
        return cls(config.hidden_size, config.initialization)

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        first = linear_params(1, (features, self.hidden_size), self.initialization, uniform)
        return first | linear_params(2, (self.hidden_size, outputs), self.initialization, uniform)

    def logits(self, params: Params, x: Tensor) -> Tensor:
        h = (x @ params["w1"] + params["b1"]).relu()  # (..., rows, hidden)
        return h @ params["w2"] + params["b2"]  # (..., rows, outputs)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        h = (batch.x @ params["w1"] + params["b1"]).relu()  # (..., rows, hidden)
        logits = h @ params["w2"] + params["b2"]  # (..., rows, outputs)

        dlogits = loss.gradient(logits, batch.targets, batch.weights)  # (..., rows, outputs)
        da = (dlogits @ params["w2"].mT) * (h > 0)  # (..., rows, hidden)
        return {
            "w1": batch.x.mT @ da,  # (..., features, hidden)
            "b1": da.sum(-2, keepdim=True),  # (..., 1, hidden)
            "w2": h.mT @ dlogits,  # (..., hidden, outputs)
            "b2": dlogits.sum(-2, keepdim=True),  # (..., 1, outputs)
        }
