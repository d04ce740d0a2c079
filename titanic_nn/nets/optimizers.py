"""How parameters follow their gradient: each optimizer is an `init` and an `update`.

They see a net's parameters laid end to end, (..., parameters), and change them in place; learning
rate and decay are (..., 1), so that every net can have its own. torch.optim is the referee.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

State = dict[str, Tensor]


class Optimizer(Protocol):
    """`init` makes what is remembered between steps; `update` takes one step, the first being 1."""

    def init(self, parameters: Tensor) -> State: ...

    def update(
        self,
        parameters: Tensor,
        gradient: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int | Tensor,
    ) -> None: ...


@dataclass(frozen=True)
class SGD:
    """Down the slope: p -= lr v, where v = momentum v + gradient.

    Without momentum v is the gradient itself; over all rows at once that is gradient descent.
    momentum: (..., 1).
    """

    momentum: Tensor

    def init(self, parameters: Tensor) -> State:
        return {"velocity": torch.zeros_like(parameters)}

    def update(
        self,
        parameters: Tensor,
        gradient: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int | Tensor,
    ) -> None:
        velocity = state["velocity"].mul_(self.momentum).add_(gradient)  # (..., parameters)
        parameters.sub_(learning_rate * velocity)


@dataclass(frozen=True)
class Adam:
    """Steps of like size for all parameters (Kingma and Ba 2015).

    p -= lr m / (sqrt(v) + eps), where m and v are running means of the gradient and its square,
    each divided by what a running mean that started from 0 has seen so far. AdamW (Loshchilov and
    Hutter 2019) first shrinks the weights by lr * weight_decay, apart from the gradient.
    weight_decay: (..., parameters), 0 for Adam and for biases.
    """

    weight_decay: Tensor | None = None
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def init(self, parameters: Tensor) -> State:
        return {name: torch.zeros_like(parameters) for name in ("mean", "square", "scratch")}

    def update(
        self,
        parameters: Tensor,
        gradient: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int | Tensor,
    ) -> None:
        mean = state["mean"].lerp_(gradient, 1 - self.beta1)  # (..., parameters)
        square = state["square"].mul_(self.beta2)
        square.addcmul_(gradient, gradient, value=1 - self.beta2)
        if self.weight_decay is not None:
            torch.mul(self.weight_decay, learning_rate, out=state["scratch"])
            parameters.addcmul_(parameters, state["scratch"], value=-1)
        # m / seen1 / (sqrt(v / seen2) + eps), with the scalars drawn out of the large tensors.
        # In float64, also where the step is a tensor: 1 - 0.999 has few digits in float32.
        step = step if isinstance(step, int) else step.double()
        seen1, seen2 = 1 - self.beta1**step, 1 - self.beta2**step
        root = torch.sqrt(square, out=state["scratch"]).add_(self.epsilon * seen2**0.5)
        change = torch.div(mean, root, out=root)
        parameters.addcmul_(change, learning_rate * (seen2**0.5 / seen1), value=-1)


def constant(step: int, steps: int) -> float:
    """The same learning rate from the first step to the last."""
    return 1.0


def cosine(step: int, steps: int) -> float:
    """Half a cosine from 1 down to 0 (Loshchilov and Hutter 2017)."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def one_cycle(step: int, steps: int) -> float:
    """Up from 1/25 to 1 over the first 30 % of the steps, then down to 1/250,000.

    Both ways along half a cosine; the numbers are those of torch's OneCycleLR (Smith and Topin
    2018).
    """
    peak = 0.3 * steps - 1
    low, lowest = 1 / 25, 1 / 25 / 1e4
    if step <= peak:
        return 1 + (low - 1) * (1 + math.cos(math.pi * step / peak)) / 2
    share = (step - peak) / (steps - 1 - peak)
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * share)) / 2


# The factor on the learning rate at a step (from 0) of so many.
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
