"""Optimizers, each an `init` and an `update`, and learning rate schedules.

They take nets' parameters end to end, (..., parameters), and change them in place. Learning rates
are (..., 1), one per net. Tests compare them with torch.optim.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = dict[str, Tensor]  # what is kept between steps
Step = int | Tensor  # counted from 1


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent: p -= lr v, where v = momentum v + gradient."""

    momentum: Tensor  # (..., 1)

    def init(self, parameters: Tensor) -> State:
        return {"velocity": torch.zeros_like(parameters)}

    def update(self, p: Tensor, gradient: Tensor, state: State, rate: Tensor, step: Step) -> None:
        velocity = state["velocity"].mul_(self.momentum).add_(gradient)  # (..., parameters)
        p.sub_(rate * velocity)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015), or AdamW (Loshchilov and Hutter 2019) with weight decay.

    p -= lr m / (sqrt(v) + eps), where m and v are exponential moving averages of the gradient and
    of its square, each divided by its bias correction 1 - beta^step. AdamW first shrinks the
    weights by lr * weight_decay, independent of the gradient.
    """

    weight_decay: Tensor | None = None  # (..., parameters), 0 for biases; None for Adam
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def init(self, parameters: Tensor) -> State:
        return {name: torch.zeros_like(parameters) for name in ("exp_avg", "exp_avg_sq", "scratch")}

    def update(self, p: Tensor, gradient: Tensor, state: State, rate: Tensor, step: Step) -> None:
        exp_avg = state["exp_avg"].lerp_(gradient, 1 - self.beta1)  # (..., parameters)
        exp_avg_sq = state["exp_avg_sq"].mul_(self.beta2)
        exp_avg_sq.addcmul_(gradient, gradient, value=1 - self.beta2)
        if self.weight_decay is not None:
            torch.mul(self.weight_decay, rate, out=state["scratch"])
            p.addcmul_(p, state["scratch"], value=-1)
        # m / correction1 / (sqrt(v / correction2) + eps), with the scalars taken out of the large
        # tensors. A step in a tensor becomes float64: 1 - 0.999 has few digits in float32.
        step = step if isinstance(step, int) else step.double()
        bias_correction1, bias_correction2 = 1 - self.beta1**step, 1 - self.beta2**step
        epsilon = self.epsilon * bias_correction2**0.5
        denominator = torch.sqrt(exp_avg_sq, out=state["scratch"]).add_(epsilon)
        change = torch.div(exp_avg, denominator, out=denominator)
        p.addcmul_(change, rate * (bias_correction2**0.5 / bias_correction1), value=-1)


Optimizer = SGD | Adam


def cosine(step: int, steps: int) -> float:
    """Half a cosine from 1 down to 0 (Loshchilov and Hutter 2017)."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def one_cycle(step: int, steps: int) -> float:
    """Up from 1/25 to 1 over the first 30 % of the steps, then down to 1/250,000.

    Both along half a cosine, with the numbers of torch's OneCycleLR (Smith and Topin 2018).
    """
    peak = 0.3 * steps - 1
    low, lowest = 1 / 25, 1 / 25 / 1e4
    if step <= peak:
        return 1 + (low - 1) * (1 + math.cos(math.pi * step / peak)) / 2
    fraction = (step - peak) / (steps - 1 - peak)
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * fraction)) / 2


# Name -> the factor on the learning rate at step `step` (from 0) of `steps`.
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda step, steps: 1.0,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
