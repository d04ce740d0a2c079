"""Referees of a gradient written by hand: autograd, small steps to both sides, each net alone."""

import torch
from torch import Tensor
from torch.testing import assert_close

from titanic_nn.nets import Batch, Net, Params
from titanic_nn.nets.losses import LOSSES

ROWS, FEATURES, OUTPUTS = 12, 5, 1


def no_uniform(purpose: str, shape: tuple[int, ...]) -> Tensor:
    raise AssertionError(f"{purpose} draws random numbers in a step that has no use for any")


def make_batch(*lead: int) -> Batch:
    """Random rows in float64, (*lead, rows, ...); the last two only fill up."""
    weights = torch.rand(*lead, ROWS, 1).double()
    weights[..., -2:, :] = 0
    return Batch(
        x=torch.randn(*lead, ROWS, FEATURES).double(),
        targets=torch.randint(2, (*lead, ROWS, OUTPUTS)).double(),
        weights=weights / weights.sum(-2, keepdim=True),
        uniform=no_uniform,
    )


def make_params(net: Net, *lead: int) -> Params:
    """Parameters in float64, (*lead, ...), the biases away from their 0 too."""
    start = net.init(FEATURES, OUTPUTS, lambda name, shape: torch.rand(*lead, *shape).double())
    return {name: p + 0.1 * torch.rand_like(p) for name, p in start.items()}


def value(net: Net, params: Params, batch: Batch, loss: str) -> Tensor:
    """Of the loss, (...)."""
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
        slope = torch.zeros_like(p)
        for i in range(p.numel()):
            small = torch.zeros_like(p)
            small.view(-1)[i] = step
            above = value(net, params | {name: p + small}, batch, loss)
            below = value(net, params | {name: p - small}, batch, loss)
            slope.view(-1)[i] = (above - below) / (2 * step)
        assert_close(gradients[name], slope, rtol=1e-5, atol=1e-8)


def check_a_stack_against_each_net_alone(net: Net, loss: str) -> None:
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
    """Where autograd is on it has nothing to do: nothing asks for a gradient, nothing has one."""
    with torch.enable_grad():
        params = make_params(net)
        gradients = net.gradients(params, make_batch(), LOSSES["cross_entropy"])
    for tensor in (*params.values(), *gradients.values()):
        assert not tensor.requires_grad
        assert tensor.grad_fn is None
