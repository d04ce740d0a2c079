"""The linear model, by hand: no nn.Module, no optimizer of torch's, no autograd.

    z = x w + b          one number per row: the log-odds of class 1

The gradient on paper. A row's loss L depends on w only through that row's z, so with
dz = dL/dz (losses.py has it: p - t for cross-entropy) the chain rule gives

    dL/dw_f = sum over rows of x_rf dz_r     that is  xᵀ dz
    dL/db   = sum over rows of dz_r
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import LinearConfig
from titanic_nn.nets.initialization import INITIALIZATIONS
from titanic_nn.nets.losses import Loss


@dataclass(frozen=True)
class LinearNet:
    """Logistic regression when its loss is cross-entropy."""

    initialization: str = "xavier"

    @classmethod
    def from_config(cls, config: LinearConfig, value: Callable[[str], Tensor]) -> Self:
        return cls(config.initialization)

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        start = INITIALIZATIONS[self.initialization]
        w = start(uniform("w", (features, outputs)), features, outputs)
        b = w.new_zeros(*w.shape[:-2], 1, outputs)
        return {"w": w, "b": b}

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return x @ params["w"] + params["b"]  # (..., rows, outputs)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        logits = self.logits(params, batch.x)
        dlogits = loss.gradient(logits, batch.targets, batch.weights)  # (..., rows, outputs)
        return {
            "w": batch.x.mT @ dlogits,  # (..., features, outputs)
            "b": dlogits.sum(-2, keepdim=True),  # (..., 1, outputs)
        }
