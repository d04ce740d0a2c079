"""What every net has in common: named parameters, a batch of rows, and the methods of a net."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from torch import Tensor

if TYPE_CHECKING:
    from titanic_nn.nets.losses import Loss

# A net's tensors by name. The first letters of a name say how a tensor is treated: "w..." are
# weights, which decay and penalties act on; "running..." are statistics of batch normalization,
# which are not trained; all others (biases, scales, shifts) are trained and not decayed.
Params = dict[str, Tensor]
# Draws (..., *shape) numbers from U(0, 1) for a named purpose.
Uniform = Callable[[str, tuple[int, ...]], Tensor]


def is_weight(name: str) -> bool:
    """Whether weight decay and penalties act on the parameter of this name."""
    return name.startswith("w")


def is_trained(name: str) -> bool:
    """Whether the parameter of this name follows a gradient."""
    return not name.startswith("running")


class Batch(NamedTuple):
    """The rows of one training step."""

    x: Tensor  # features, (..., rows, features)
    targets: Tensor  # 0 or 1 for each output, (..., rows, outputs)
    # Each row's in the loss, (..., rows, 1). They sum to 1; rows that pad the batch have 0.
    weights: Tensor
    uniform: Uniform  # this step's random numbers, for dropout


class Net(Protocol):
    """The structure of a net. Its parameters are arguments and results, not attributes."""

    @classmethod
    def from_config(cls, config: Any, value: Callable[[str], Tensor]) -> Self:
        """The net with these settings.

        `value(name)` gives a setting in which nets differ (`per_member`), as (..., 1, 1).
        """

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        """Initial parameters."""

    def logits(self, params: Params, x: Tensor) -> Tensor:
        """Logits (..., rows, outputs) for features (..., rows, features)."""

    def gradients(self, params: Params, batch: Batch, loss: "Loss") -> Params:
        """The gradient of the batch's loss by every trained parameter, under its name."""
