"""The deeper net against torch.nn: layers, activations, normalisations, dropout, gradients."""

import pytest
import torch
from gradients import (
    FEATURES,
    ROWS,
    check_a_stack_against_each_net_alone,
    check_against_finite_differences,
    make_batch,
    make_params,
)
from plain import ACTIVATIONS as MODULES
from plain import PlainNet
from torch import Tensor, nn
from torch.testing import assert_close

from titanic_nn.nets import Batch, DeepNet, Params
from titanic_nn.nets.deep import ACTIVATIONS
from titanic_nn.nets.losses import LOSSES
from titanic_nn.config import DeepConfig

HIDDEN = (7, 6, 4)
NORMALIZATIONS = ("none", "batch", "layer")
RUNNING = {"running_mean": "running_mean", "running_var": "running_variance"}  # theirs: ours
CROSS_ENTROPY = LOSSES["cross_entropy"]


def as_modules(net: DeepNet, params: Params) -> PlainNet:
    """The same net out of torch's modules, with copies of the parameters."""
    config = DeepConfig(
        hidden=tuple(net.hidden),
        activation=net.activation,  # type: ignore[arg-type]
        normalization=net.normalization,  # type: ignore[arg-type]
    )
    modules = PlainNet(FEATURES, config).double()
    for i, layer in enumerate(modules.layers, 1):
        layer.weight.data.copy_(params[f"w{i}"].T)
        if layer.bias is not None:
            layer.bias.data.copy_(params[f"b{i}"][0])
    for i, normalization in enumerate(modules.normalizations, 1):
        if isinstance(normalization, nn.BatchNorm1d | nn.LayerNorm):
            normalization.weight.data.copy_(params[f"scale{i}"][0])
            normalization.bias.data.copy_(params[f"shift{i}"][0])
        if isinstance(normalization, nn.BatchNorm1d):
            for theirs, name in RUNNING.items():
                normalization.get_buffer(theirs).copy_(params[f"{name}{i}"][0])
    return modules


def gradients_by_autograd(modules: PlainNet, batch: Batch) -> Params:
    """Of the batch's weighted cross-entropy, by our names and in our shapes."""
    real = batch.weights[:, 0] > 0  # rows that only fill up are not shown to torch
    logits = modules(batch.x[real], batch.uniform)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, batch.targets[real], batch.weights[real], reduction="sum"
    )
    ours: Params = {}
    for i, layer in enumerate(modules.layers, 1):
        ours[f"w{i}"] = layer.weight
        if layer.bias is not None:
            ours[f"b{i}"] = layer.bias
    for i, normalization in enumerate(modules.normalizations, 1):
        if isinstance(normalization, nn.BatchNorm1d | nn.LayerNorm):
            ours |= {f"scale{i}": normalization.weight, f"shift{i}": normalization.bias}
    gradients = torch.autograd.grad(loss, list(ours.values()))
    return {
        name: g.T if name.startswith("w") else g.unsqueeze(0)
        for name, g in zip(ours, gradients, strict=True)
    }


def test_every_activation_has_a_module_to_be_compared_with() -> None:
    assert ACTIVATIONS.keys() == MODULES.keys()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_it_predicts_as_torch_s_modules_do(normalization: str, activation: str) -> None:
    net = DeepNet(HIDDEN, activation, normalization=normalization)
    params, x = make_params(net), make_batch().x
    modules = as_modules(net, params).eval()
    assert_close(net.logits(params, x), modules(x))
    assert_close(net.logits(params, x[:1]), modules(x[:1]))  # a row needs no other row


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_its_gradients_are_those_of_torch_s_modules(normalization: str, activation: str) -> None:
    net = DeepNet(HIDDEN, activation, normalization=normalization)
    params, batch = make_params(net), make_batch()
    wanted = gradients_by_autograd(as_modules(net, params), batch)
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), wanted)


@pytest.mark.parametrize("loss", LOSSES)
def test_its_gradients_are_those_of_every_loss(loss: str) -> None:
    check_against_finite_differences(DeepNet(HIDDEN, "tanh"), loss)


def test_running_statistics_are_batch_norm_s() -> None:
    net = DeepNet(HIDDEN, normalization="batch")
    params = make_params(net)
    modules = as_modules(net, params)
    for _ in range(3):
        batch = make_batch()
        net.gradients(params, batch, CROSS_ENTROPY)
        gradients_by_autograd(modules, batch)
    for i, normalization in enumerate(modules.normalizations, 1):
        for theirs, name in RUNNING.items():
            assert_close(params[f"{name}{i}"][0], normalization.get_buffer(theirs))


def test_running_statistics_are_not_trained() -> None:
    net = DeepNet(HIDDEN, normalization="batch")
    gradients = net.gradients(make_params(net), make_batch(), CROSS_ENTROPY)
    assert not any(name.startswith("running") for name in gradients)


def test_batch_norm_survives_a_batch_of_one_row() -> None:
    net = DeepNet(HIDDEN, normalization="batch")
    params, batch = make_params(net), make_batch()
    alone = batch._replace(weights=torch.eye(ROWS, 1).double())  # the first row counts
    gradients = net.gradients(params, alone, CROSS_ENTROPY)
    assert all(tensor.isfinite().all() for tensor in (*gradients.values(), *params.values()))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_stack_of_nets_is_each_net_alone(normalization: str) -> None:
    check_a_stack_against_each_net_alone(
        DeepNet(HIDDEN, "tanh", normalization=normalization), "cross_entropy"
    )


def test_dropout_s_gradient_is_that_of_the_units_that_stay() -> None:
    batch = make_batch()
    drawn = {f"dropout{i}": torch.rand(ROWS, n).double() for i, n in enumerate(HIDDEN, 1)}
    batch = batch._replace(uniform=lambda name, shape: drawn[name][: shape[0]])
    net = DeepNet(HIDDEN, dropout=torch.tensor([[0.4]]).double())
    params = make_params(net)
    modules = as_modules(net, params)
    modules.dropout = 0.4
    assert_close(net.gradients(params, batch, CROSS_ENTROPY), gradients_by_autograd(modules, batch))


def units_that_answer(dropout: Tensor, rows: int = 1) -> tuple[Tensor, DeepNet, Params, Batch]:
    """What 10,000 hidden units, each 1 of itself, say in a training step: (members, units).

    On average over the rows; beside it stand the net, its parameters and the batch.
    """
    units, members = 10_000, len(dropout)
    net = DeepNet((units,), dropout=dropout.view(-1, 1, 1))
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


def test_dropout_leaves_out_its_share_and_scales_the_rest() -> None:
    dropout = torch.tensor([0.0, 0.2, 0.5])
    h, *_ = units_that_answer(dropout)
    # 10,000 draws: the share is right within 0.02, four standard deviations of 0.005.
    assert_close((h == 0).float().mean(1), dropout, rtol=0, atol=0.02)
    for member, share in enumerate(dropout):
        stay = h[member][h[member] > 0]
        assert_close(stay, torch.ones_like(stay) / (1 - share))


def test_no_unit_is_left_out_of_a_prediction() -> None:
    _, net, params, batch = units_that_answer(torch.tensor([0.5]))
    params["w2"] += 1
    assert net.logits(params, batch.x).item() == 10_000


def test_units_are_left_out_row_by_row() -> None:
    h = units_that_answer(torch.tensor([0.5]), rows=2)[0]
    # A unit is 2 in a row where it stays: on average over two rows 0, 1 or 2.
    shares = [(h == mean).float().mean().item() for mean in (0, 1, 2)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
