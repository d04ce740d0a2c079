"""One hidden layer: its gradient on paper, by autograd, by finite differences, and stacked."""

import pytest
import torch
from gradients import (
    check_against_autograd,
    check_against_finite_differences,
    check_stacked_nets_against_each_net_alone,
    check_that_nothing_is_recorded,
    make_batch,
    make_params,
    no_uniform,
)
from torch import nn
from torch.testing import assert_close

from titanic_nn.nets.batch import Batch
from titanic_nn.nets.losses import LOSSES
from titanic_nn.nets.relu import ReLUNet

NET = ReLUNet(hidden_size=7)


def test_one_row_on_paper() -> None:
    # Two units: 1 + 2 = 3 is active, -1 - 2 = -3 is not, so h = (3, 0); z = 3 * 1 + 0 * 5 - 3 = 0.
    # p = 1/2; with target 1, dz = -1/2.
    # dw2 = h dz = (-3/2, 0), db2 = -1/2.
    # dh = dz w2 = (-1/2, -5/2); the inactive unit has no gradient: da = (-1/2, 0).
    # dw1 = x da: -1/2 * 1 and -1/2 * 2 in the first column, 0 in the second; db1 = da.
    params = {
        "w1": torch.tensor([[1.0, -1.0], [1.0, -1.0]]),
        "b1": torch.zeros(1, 2),
        "w2": torch.tensor([[1.0], [5.0]]),
        "b2": torch.tensor([[-3.0]]),
    }
    one = torch.ones(1, 1)
    batch = Batch(x=torch.tensor([[1.0, 2.0]]), targets=one, weights=one, uniform=no_uniform)
    gradients = ReLUNet(hidden_size=2).gradients(params, batch, LOSSES["cross_entropy"])
    assert {name: g.tolist() for name, g in gradients.items()} == {
        "w1": [[-0.5, 0.0], [-1.0, 0.0]],
        "b1": [[-0.5, 0.0]],
        "w2": [[-1.5], [0.0]],
        "b2": [[-0.5]],
    }


def test_the_logits_are_those_of_torch_s_layers() -> None:
    params, batch = make_params(NET), make_batch()
    first, last = nn.Linear(5, 7, dtype=torch.float64), nn.Linear(7, 1, dtype=torch.float64)
    for layer, i in ((first, 1), (last, 2)):
        layer.load_state_dict({"weight": params[f"w{i}"].T, "bias": params[f"b{i}"][0]})
    assert_close(NET.logits(params, batch.x), nn.Sequential(first, nn.ReLU(), last)(batch.x))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_autograd_s(loss: str) -> None:
    check_against_autograd(NET, loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_the_finite_difference_of_the_loss(loss: str) -> None:
    check_against_finite_differences(NET, loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_stacked_nets_are_each_net_alone(loss: str) -> None:
    check_stacked_nets_against_each_net_alone(NET, loss)


def test_no_autograd_is_involved() -> None:
    check_that_nothing_is_recorded(NET)
