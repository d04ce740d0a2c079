"""A row's prediction is the same to the last bit, whatever rows are predicted with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from titanic_nn.engine.device import torch_threads
from titanic_nn.engine.predict import MULTIPLE, ROWS_AT_ONCE, mean_probabilities
from titanic_nn.nets.batch import Net, Params
from titanic_nn.nets.config import DeepConfig, ResNetConfig
from titanic_nn.nets.deep import ACTIVATIONS, DeepNet
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.relu import ReLUNet
from titanic_nn.nets.resnet import ResNet

FEATURES, SEEDS = 7, 3
RESNET = ResNetConfig(width=5, hidden_size=7)
DEEP = DeepConfig(hidden_sizes=(5, 3), normalization="batch")
NETS: list[Net] = [LinearNet(), ReLUNet(5), ResNet(RESNET)]
NETS += [ResNet(replace(RESNET, normalization="layer"))]
NETS += [DeepNet(DeepConfig(hidden_sizes=(9, 5), normalization="layer"))]
NETS += [DeepNet(replace(DEEP, activation=name)) for name in ACTIVATIONS]  # type: ignore[arg-type]


def make(net: Net, outputs: int) -> tuple[Params, NDArray[np.float32]]:
    """Parameters of three nets, and rows for several rounds, of which the last is not full."""
    params = net.init(FEATURES, outputs, lambda name, shape: torch.rand(SEEDS, *shape))
    rows = np.random.default_rng(0).normal(size=(ROWS_AT_ONCE + 99, FEATURES))
    return params, rows.astype(np.float32)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("net", NETS, ids=str)
def test_the_mean_of_the_nets_probabilities(net: Net, outputs: int) -> None:
    params, x = make(net, outputs)
    logits = net.logits(params, torch.from_numpy(x)).double()  # (nets, rows, outputs)
    if outputs == 1:
        wanted = torch.cat([(-logits).sigmoid(), logits.sigmoid()], -1).mean(0)
    else:
        wanted = logits.softmax(-1).mean(0)
    assert_allclose(mean_probabilities(net, params, x), wanted, rtol=1e-4)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("net", NETS, ids=str)
def test_other_rows_do_not_change_a_bit(net: Net, outputs: int) -> None:
    params, x = make(net, outputs)
    together = mean_probabilities(net, params, x)
    rng = np.random.default_rng(1)
    for rows in (1, 2, MULTIPLE - 1, MULTIPLE, MULTIPLE + 1, len(x)):
        some = rng.permutation(len(x))[:rows]
        assert_array_equal(mean_probabilities(net, params, x[some]), together[some])


def test_the_threads_are_what_they_were() -> None:
    params, x = make(NETS[0], 1)
    with torch_threads(3):
        mean_probabilities(NETS[0], params, x)
        assert torch.get_num_threads() == 3
