"""What every net has in common: named parameters, a batch of rows, three methods."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from torch import Tensor

if TYPE_CHECKING:
    from titanic_nn.nets.losses import Loss

# A net's numbers by name. Weights (the matrices) start with "w"; only they are decayed.
Params = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
# Draws (..., *shape) numbers from U(0, 1) for the purpose that the name tells.
Uniform = Callable[[str, tuple[int, ...]], Tensor]


class Batch(NamedTuple):
    """The rows of one step, and what a forward pass needs only while it trains.

    Attributes:
        x: features, (..., rows, features).
        targets: what the outputs should say, (..., rows, outputs).
        weights: each row's share of the loss, (..., rows, 1); a batch's shares sum to 1 and a row
            that only fills up the batch has 0.
        uniform: this step's random numbers, for dropout.
    """

    x: Tensor
    targets: Tensor
    weights: Tensor
    uniform: Uniform


class Net(Protocol):
    """A net is its structure; its parameters are arguments and results."""

    @classmethod
    def from_config(cls, config: Any, value: Callable[[str], Tensor]) -> Self:
        """The net with these settings; `value` gives a setting that nets differ in, (..., 1, 1)."""

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        """Parameters to start from."""

    def logits(self, params: Params, x: Tensor) -> Tensor:
        """Log-odds (..., rows, outputs) for features (..., rows, features)."""

    def gradients(self, params: Params, batch: Batch, loss: "Loss") -> Params:
        """The derivative of the batch's loss by every trained parameter, under its name."""
