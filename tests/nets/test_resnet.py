"""The ResNet against its paper's net in torch.nn: normalizations, two dropouts, gradients."""

from dataclasses import replace

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
from plain import RESNET
from torch import Tensor
from torch.testing import assert_close

from titanic_nn.nets.batch import is_trained
from titanic_nn.nets.config import ResNetConfig
from titanic_nn.nets.losses import LOSSES
from titanic_nn.nets.resnet import ResNet

CROSS_ENTROPY = LOSSES["cross_entropy"]
NORMALIZATIONS = pytest.mark.parametrize("normalization", ["batch", "layer"])


def make(config: ResNetConfig) -> ResNet:
    return ResNet.from_config(config, lambda name: torch.tensor([[getattr(config, name)]]).double())


@NORMALIZATIONS
@pytest.mark.parametrize("n_blocks", [1, 3])
def test_logits_and_gradients_are_those_of_torch_s_modules(
    n_blocks: int, normalization: str
) -> None:
    config = replace(RESNET, n_blocks=n_blocks, normalization=normalization)  # type: ignore[arg-type]
    net, batch = make(config), make_batch()
    params = make_params(net)
    modules = as_modules(config, params)
    modules.eval()
    assert_close(net.logits(params, batch.x), modules(batch.x))
    assert_close(net.logits(params, batch.x[:1]), modules(batch.x[:1]))
    modules.train()
    wanted = gradients_of_modules(modules, batch)
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), wanted)


def test_a_block_on_paper() -> None:
    # One unit everywhere, scale 1 and shift 0. Running mean 1, variance 1 in the block: norm(3) =
    # 2; times 2 plus 1 is 5; times 0.5 is 2.5; x = 3 + 2.5 = 5.5. Head: mean 0, variance 1: 5.5,
    # times 2 minus 1 is 10.
    net = ResNet(ResNetConfig(width=1, hidden_size=1, n_blocks=1))
    numbers = {"w1": 3.0, "w2": 2.0, "b2": 1.0, "w3": 0.5, "w4": 2.0, "b4": -1.0}
    for i, mean in ((2, 1.0), (4, 0.0)):
        numbers |= {f"scale{i}": 1.0, f"shift{i}": 0.0}
        numbers |= {f"running_mean{i}": mean, f"running_variance{i}": 1.0}
    params = {name: torch.tensor([[number]]) for name, number in numbers.items()}
    assert net.init(1, 1, lambda name, shape: torch.rand(shape)).keys() == params.keys()
    assert net.logits(params, torch.ones(1, 1)).item() == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_finite_differences_of_every_loss(loss: str) -> None:
    check_against_finite_differences(make(replace(RESNET, normalization="layer")), loss)


def test_running_statistics_are_batch_norm_s() -> None:
    check_running_statistics(RESNET, make(RESNET))


@NORMALIZATIONS
def test_stacked_nets_are_each_net_alone(normalization: str) -> None:
    config = replace(RESNET, normalization=normalization)  # type: ignore[arg-type]
    check_stacked_nets_against_each_net_alone(make(config), "cross_entropy")


@NORMALIZATIONS
def test_padded_rows_change_nothing(normalization: str) -> None:
    net = make(replace(RESNET, normalization=normalization))  # type: ignore[arg-type]
    params, batch = make_params(net), make_batch()
    other = batch._replace(x=torch.where(batch.weights > 0, batch.x, 100.0))
    before = {name: p.clone() for name, p in params.items()}
    assert_close(
        net.gradients(params, other, CROSS_ENTROPY), net.gradients(before, batch, CROSS_ENTROPY)
    )
    assert_close(params, before)


@NORMALIZATIONS
def test_no_trained_parameter_is_without_effect(normalization: str) -> None:
    net = make(replace(RESNET, normalization=normalization))  # type: ignore[arg-type]
    params = make_params(net)
    gradients = net.gradients(params, make_batch(), CROSS_ENTROPY)
    assert gradients.keys() == {name for name in params if is_trained(name)}
    assert all(gradient.abs().max() > 1e-6 for gradient in gradients.values())


@pytest.mark.parametrize(
    "rates",
    [
        {"hidden_dropout": 0.4},
        {"residual_dropout": 0.3},
        {"hidden_dropout": 0.3, "residual_dropout": 0.4},
    ],
)
def test_the_dropouts_are_the_plain_net_s(rates: dict[str, float]) -> None:
    config = replace(RESNET, **rates)  # type: ignore[arg-type]
    net, drawn = make(config), dict[str, Tensor]()

    def uniform(purpose: str, shape: tuple[int, ...]) -> Tensor:
        units = (ROWS, shape[-1])
        return drawn.setdefault(purpose, torch.rand(units).double())[: shape[0]].clone()

    params, batch = make_params(net), make_batch()._replace(uniform=uniform)
    wanted = gradients_of_modules(as_modules(config, params), batch)
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), wanted)
    assert drawn.keys() == {f"{name}{i}" for name in rates for i in (2, 4)}
