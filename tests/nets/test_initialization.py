"""Initial weights have the variance that their papers give, and that of torch.nn.init."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import DeepConfig, ResNetConfig
from titanic_nn.nets.deep import DeepNet
from titanic_nn.nets.initialization import INITIALIZATIONS
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.relu import ReLUNet
from titanic_nn.nets.resnet import ResNet

FAN_IN, FAN_OUT = 200, 50
# The middles of 10,000 equal parts of (0, 1): moments come out all but exactly.
U = ((torch.arange(FAN_IN * FAN_OUT) + 0.5) / (FAN_IN * FAN_OUT)).view(FAN_IN, FAN_OUT)

BOUNDS = {"xavier": math.sqrt(6 / (FAN_IN + FAN_OUT)), "fastai": 0.5 / FAN_OUT}


def variance(name: str, fan_in: int, fan_out: int) -> float:
    return {
        "xavier": 2 / (fan_in + fan_out),
        "he": 2 / fan_in,
        "fastai": 1 / 12 / fan_out**2,  # of a uniform as wide as 1 / fan_out
    }[name]


def start(name: str, u: Tensor = U) -> NDArray[np.float32]:
    w: NDArray[np.float32] = INITIALIZATIONS[name](u, FAN_IN, FAN_OUT).numpy()
    return w


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_mean_and_variance(name: str) -> None:
    w = start(name)
    assert w.mean() == pytest.approx(0, abs=1e-6)
    assert w.var() == pytest.approx(variance(name, FAN_IN, FAN_OUT), rel=1e-3)


@pytest.mark.parametrize("name", BOUNDS)
def test_a_uniform_start_reaches_its_bounds_and_no_further(name: str) -> None:
    w = np.abs(start(name))
    assert BOUNDS[name] * 0.999 < w.max() <= BOUNDS[name]


def test_he_s_start_is_normal_and_finite_at_the_ends() -> None:
    assert stats.kstest(start("he").ravel(), stats.norm(0, math.sqrt(0.01)).cdf).statistic < 1e-3
    ends = torch.tensor([0.5 / 2**23, 1 - 0.5 / 2**23])  # the smallest and the largest draw
    w = start("he", ends)
    # A normal exceeds 5.29 sd on one side once in 2^24 draws; sd is 0.1.
    np.testing.assert_allclose(w, [-0.529, 0.529], rtol=0.02)


@pytest.mark.parametrize("name", ["xavier", "he"])
def test_torch_s_own_start_has_the_same_distribution(name: str) -> None:
    theirs = torch.empty(FAN_OUT, FAN_IN)  # torch keeps weights transposed
    if name == "xavier":
        torch.nn.init.xavier_uniform_(theirs)
    else:
        torch.nn.init.kaiming_normal_(theirs, nonlinearity="relu")
    assert stats.ks_2samp(start(name).ravel(), theirs.numpy().ravel()).pvalue > 0.01


def deep(name: Any) -> DeepNet:
    return DeepNet(DeepConfig(hidden_sizes=(60, 90), initialization=name))


def resnet(name: Any) -> ResNet:
    config = ResNetConfig(width=60, hidden_size=90, n_blocks=1, normalization="layer")
    return ResNet(replace(config, initialization=name))


NETS: dict[str, tuple[Callable[[str], Net], dict[str, tuple[int, int]]]] = {
    "linear": (LinearNet, {"": (120, 40)}),
    "relu": (partial(ReLUNet, 60), {"1": (120, 60), "2": (60, 40)}),
    "deep": (deep, {"1": (120, 60), "2": (60, 90), "3": (90, 40)}),
    "resnet": (resnet, {"1": (120, 60), "2": (60, 90), "3": (90, 60), "4": (60, 40)}),
}


@pytest.mark.parametrize("name", INITIALIZATIONS)
@pytest.mark.parametrize("net", NETS)
def test_nets_start_from_the_fans_of_each_layer(net: str, name: str) -> None:
    make, fans = NETS[net]
    params = make(name).init(120, 40, lambda purpose, shape: torch.rand(3, 2, *shape))

    assert [name for name in params if name[0] == "w"] == [f"w{layer}" for layer in fans]
    for layer, (fan_in, fan_out) in fans.items():
        w, b = params[f"w{layer}"], params[f"b{layer}"]
        assert w.shape == (3, 2, fan_in, fan_out)
        assert float(w.var()) == pytest.approx(variance(name, fan_in, fan_out), rel=0.05)
        assert b.shape == (3, 2, 1, fan_out)
        assert not b.any()
