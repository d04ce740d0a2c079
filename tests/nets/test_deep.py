"""The deeper net against torch.nn: layers, activations, normalizations, dropout, gradients."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from gradients import (
    ROWS,
    as_modules,
    check_against_finite_differences,
    check_running_statistics,
    check_stacked_nets_against_each_net_alone,
    gradients_of_modules,
    make_batch,
    make_params,
)
from plain import ACTIVATIONS as MODULES
from plain import FeedForward
from torch import Tensor
from torch.testing import assert_close

from titanic_nn.nets.batch import Batch, Params
from titanic_nn.nets.config import DeepConfig
from titanic_nn.nets.deep import ACTIVATIONS, DeepNet
from titanic_nn.nets.losses import LOSSES

HIDDEN = (7, 6, 4)
NORMALIZATIONS = ("none", "batch", "layer")
CROSS_ENTROPY = LOSSES["cross_entropy"]


def make(activation: str = "relu", normalization: str = "none") -> DeepNet:
    shape: dict[str, Any] = {"activation": activation, "normalization": normalization}
    return DeepNet(DeepConfig(hidden_sizes=HIDDEN, dropout=0.0, **shape))


def test_every_activation_has_a_module_to_be_compared_with() -> None:
    assert ACTIVATIONS.keys() == MODULES.keys()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_logits_are_those_of_torch_s_modules(normalization: str, activation: str) -> None:
    net = make(activation, normalization)
    params, x = make_params(net), make_batch().x
    modules = as_modules(net.config, params).eval()
    assert_close(net.logits(params, x), modules(x))
    assert_close(net.logits(params, x[:1]), modules(x[:1]))  # a row does not depend on others


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_are_those_of_torch_s_modules(normalization: str, activation: str) -> None:
    net = make(activation, normalization)
    params, batch = make_params(net), make_batch()
    wanted = gradients_of_modules(as_modules(net.config, params), batch)
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), wanted)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_every_loss(loss: str) -> None:
    check_against_finite_differences(make("tanh"), loss)


def test_running_statistics_are_batch_norm_s() -> None:
    net = make(normalization="batch")
    check_running_statistics(net.config, net)


def test_running_statistics_are_not_trained() -> None:
    net = make(normalization="batch")
    gradients = net.gradients(make_params(net), make_batch(), CROSS_ENTROPY)
    assert not any(name.startswith("running") for name in gradients)


def test_batch_norm_survives_a_batch_of_one_row() -> None:
    net = make(normalization="batch")
    params, batch = make_params(net), make_batch()
    alone = batch._replace(weights=torch.eye(ROWS, 1).double())  # the first row counts
    gradients = net.gradients(params, alone, CROSS_ENTROPY)
    assert all(tensor.isfinite().all() for tensor in (*gradients.values(), *params.values()))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_stacked_nets_are_each_net_alone(normalization: str) -> None:
    check_stacked_nets_against_each_net_alone(make("tanh", normalization), "cross_entropy")


def test_dropout_s_gradient_is_that_of_the_units_that_remain() -> None:
    batch = make_batch()
    drawn = {f"dropout{i}": torch.rand(ROWS, n).double() for i, n in enumerate(HIDDEN, 1)}
    batch = batch._replace(uniform=lambda name, shape: drawn[name][: shape[0]])
    net = replace(make(), dropout=torch.tensor([[0.4]]).double())
    params = make_params(net)
    modules = as_modules(net.config, params)
    assert isinstance(modules, FeedForward)
    modules.dropout = 0.4
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), gradients_of_modules(modules, batch))


def hidden_units(dropout: Tensor, rows: int = 1) -> tuple[Tensor, DeepNet, Params, Batch]:
    """Outputs of 10,000 hidden units, 1 without dropout, in a training step: (members, units).

    On average over the rows; then the net, its parameters and the batch.
    """
    units, members = 10_000, len(dropout)
    net = DeepNet(DeepConfig(hidden_sizes=(units,)), dropout.view(-1, 1, 1))
    params = {
        "w1": torch.zeros(members, 1, units),
        "b1": torch.ones(members, 1, units),
        "w2": torch.zeros(members, units, 1),
        "b2": torch.zeros(members, 1, 1),
    }
    ones = torch.ones(1, rows, 1)
    batch = Batch(ones, ones, ones / rows, lambda name, shape: torch.rand(members, *shape))
    # dL/dw2 = h dz, and dz = p - t = 1/2 - 1 in every row.
    h = net.gradients(params, batch, CROSS_ENTROPY)["w2"].squeeze(-1) / -0.5
    return h, net, params, batch


def test_dropout_drops_its_fraction_and_scales_the_rest() -> None:
    dropout = torch.tensor([0.0, 0.2, 0.5])
    h, *_ = hidden_units(dropout)
    # 10,000 draws: the fraction is right within 0.02, four standard deviations of 0.005.
    assert_close((h == 0).float().mean(1), dropout, rtol=0, atol=0.02)
    for member, rate in enumerate(dropout):
        remaining = h[member][h[member] > 0]
        assert_close(remaining, torch.ones_like(remaining) / (1 - rate))


def test_no_unit_is_dropped_in_a_prediction() -> None:
    _, net, params, batch = hidden_units(torch.tensor([0.5]))
    params["w2"] += 1
    assert net.logits(params, batch.x).item() == 10_000


def test_units_are_dropped_row_by_row() -> None:
    h = hidden_units(torch.tensor([0.5]), rows=2)[0]
    # A unit that is not dropped is 2: on average over two rows 0, 1 or 2.
    fractions = [(h == mean).float().mean().item() for mean in (0, 1, 2)]
    assert fractions == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
