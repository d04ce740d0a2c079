"""Initial weights: their variance keeps signals from vanishing or exploding through the layers.

fan_in and fan_out are a matrix's rows and columns; u is uniform on (0, 1).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def standard_normal(u: Tensor) -> Tensor:
    """Its quantiles at u: standard normal numbers from uniform ones."""
    return math.sqrt(2) * torch.erfinv(2 * u - 1)


def xavier(u: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """Uniform on ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010): suits tanh and sigmoid."""
    return (2 * u - 1) * math.sqrt(6 / (fan_in + fan_out))


def he(u: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """Normal with variance 2 / fan_in (He et al. 2015): a ReLU is 0 for half of its inputs."""
    return standard_normal(u) * math.sqrt(2 / fan_in)


def fastai(u: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """(u - 0.5) / fan_out, as fast.ai's lesson 5 initializes its hidden layer."""
    return (u - 0.5) / fan_out


INITIALIZATIONS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "xavier": xavier,
    "he": he,
    "fastai": fastai,
}
