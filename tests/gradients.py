"""Referees of a gradient: autograd, finite differences, each net alone, torch's own modules."""

import torch
from plain import PLAIN_NETS, PlainNet
from torch import Tensor, nn
from torch.testing import assert_close

from titanic_nn.nets.batch import Batch, Net, Params
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.losses import LOSSES

ROWS, FEATURES, OUTPUTS = 12, 5, 1


def no_uniform(purpose: str, shape: tuple[int, ...]) -> Tensor:
    raise AssertionError(f"{purpose} draws random numbers in a step that needs none")


def make_batch(*lead: int) -> Batch:
    """Random rows in float64, (*lead, rows, ...); the last two are padding."""
    weights = torch.rand(*lead, ROWS, 1).double()
    weights[..., -2:, :] = 0
    return Batch(
        x=torch.randn(*lead, ROWS, FEATURES).double(),
        targets=torch.randint(2, (*lead, ROWS, OUTPUTS)).double(),
        weights=weights / weights.sum(-2, keepdim=True),
        uniform=no_uniform,
    )


def make_params(net: Net, *lead: int) -> Params:
    """Parameters in float64, (*lead, ...), biases not at their initial 0."""
    start = net.init(FEATURES, OUTPUTS, lambda name, shape: torch.rand(*lead, *shape).double())
    return {name: p + 0.1 * torch.rand_like(p) for name, p in start.items()}


def value(net: Net, params: Params, batch: Batch, loss: str) -> Tensor:
    """The loss, (...)."""
    return LOSSES[loss].value(net.logits(params, batch.x), batch.targets, batch.weights)


def check_against_autograd(net: Net, loss: str) -> None:
    params, batch = make_params(net), make_batch()
    tracked = {name: p.clone().requires_grad_() for name, p in params.items()}
    wanted = torch.autograd.grad(value(net, tracked, batch, loss), list(tracked.values()))
    gradients = net.gradients(params, batch, LOSSES[loss])
    assert_close(gradients, dict(zip(params, wanted, strict=True)))


def check_against_finite_differences(net: Net, loss: str) -> None:
    params, batch = make_params(net), make_batch()
    gradients = net.gradients(params, batch, LOSSES[loss])
    step = 1e-6
    for name, p in params.items():
        difference = torch.zeros_like(p)
        for i in range(p.numel()):
            small = torch.zeros_like(p)
            small.view(-1)[i] = step
            above = value(net, params | {name: p + small}, batch, loss)
            below = value(net, params | {name: p - small}, batch, loss)
            difference.view(-1)[i] = (above - below) / (2 * step)
        assert_close(gradients[name], difference, rtol=1e-5, atol=1e-8)


def check_stacked_nets_against_each_net_alone(net: Net, loss: str) -> None:
    params, batch = make_params(net, 3, 2), make_batch(3, 1)  # 3 splits of 2 members
    before = {name: p.clone() for name, p in params.items()}
    logits = net.logits(params, batch.x)
    gradients = net.gradients(params, batch, LOSSES[loss])
    for split in range(3):
        for member in range(2):
            own = {name: p[split, member] for name, p in before.items()}
            rows = Batch(
                batch.x[split, 0], batch.targets[split, 0], batch.weights[split, 0], no_uniform
            )
            assert_close(logits[split, member], net.logits(own, rows.x))
            for name, gradient in net.gradients(own, rows, LOSSES[loss]).items():
                assert_close(gradients[name][split, member], gradient)


def check_that_nothing_is_recorded(net: Net) -> None:
    """Even where autograd is on, no tensor requires or has a gradient."""
    with torch.enable_grad():
        params = make_params(net)
        gradients = net.gradients(params, make_batch(), LOSSES["cross_entropy"])
    for tensor in (*params.values(), *gradients.values()):
        assert not tensor.requires_grad
        assert tensor.grad_fn is None


# torch's names of running statistics: ours.
RUNNING = {"running_mean": "running_mean", "running_var": "running_variance"}


def as_modules(config: NetConfig, params: Params) -> PlainNet:
    """The net out of torch's modules, with copies of the parameters, in float64."""
    modules = PLAIN_NETS[type(config)](FEATURES, config).double()
    for i, layer in enumerate(modules.layers, 1):
        layer.weight.data.copy_(params[f"w{i}"].T)
        if layer.bias is not None:
            layer.bias.data.copy_(params[f"b{i}"][0])
    if embedding := modules.embedding:
        embedding.frequency.data.copy_(params["frequency0"][:, 0])
        for layer, w, b in zip(embedding.layers, params["w0"], params["b0"], strict=True):
            layer.weight.data.copy_(w.T)
            layer.bias.data.copy_(b[0])
    for i, normalization in modules.normalizations.items():
        if isinstance(normalization, nn.BatchNorm1d | nn.LayerNorm):
            normalization.weight.data.copy_(params[f"scale{i}"][0])
            normalization.bias.data.copy_(params[f"shift{i}"][0])
        if isinstance(normalization, nn.BatchNorm1d):
            for theirs, name in RUNNING.items():
                normalization.get_buffer(theirs).copy_(params[f"{name}{i}"][0])
    return modules


def gradients_of_modules(modules: PlainNet, batch: Batch) -> Params:
    """Of the batch's weighted cross-entropy, by our names and in our shapes."""
    real = batch.weights[:, 0] > 0  # torch does not see rows that pad the batch
    logits = modules(batch.x[real], batch.uniform)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, batch.targets[real], batch.weights[real], reduction="sum"
    )
    ours: Params = {}
    for i, layer in enumerate(modules.layers, 1):
        ours[f"w{i}"] = layer.weight
        if layer.bias is not None:
            ours[f"b{i}"] = layer.bias
    for i, normalization in modules.normalizations.items():
        if isinstance(normalization, nn.BatchNorm1d | nn.LayerNorm):
            ours |= {f"scale{i}": normalization.weight, f"shift{i}": normalization.bias}
    gradients = torch.autograd.grad(loss, list(ours.values()))
    return {
        name: g.T if name.startswith("w") else g.unsqueeze(0)
        for name, g in zip(ours, gradients, strict=True)
    }


def check_running_statistics(config: NetConfig, net: Net) -> None:
    """After three batches, padded rows among them, they are those of nn.BatchNorm1d."""
    params = make_params(net)
    modules = as_modules(config, params)
    for _ in range(3):
        batch = make_batch()
        net.gradients(params, batch, LOSSES["cross_entropy"])
        gradients_of_modules(modules, batch)
    assert modules.normalizations
    for i, normalization in modules.normalizations.items():
        for theirs, name in RUNNING.items():
            assert_close(params[f"{name}{i}"][0], normalization.get_buffer(theirs))
