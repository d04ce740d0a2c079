"""torch.optim is the referee of the optimizers, torch's schedulers that of the schedules."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import lr_scheduler
from torch.testing import assert_close

from titanic_nn.nets.optimizers import SCHEDULES, SGD, Adam, Optimizer

WEIGHTS, BIASES = 20, 5
PARAMETERS = WEIGHTS + BIASES
IS_WEIGHT = torch.cat([torch.ones(WEIGHTS), torch.zeros(BIASES)]).double()
# Two nets at once, each with hyper-parameters of its own: (nets, 1).
LEARNING_RATE = torch.tensor([[0.01], [0.1]]).double()
MOMENTUM = torch.tensor([[0.9], [0.5]]).double()
WEIGHT_DECAY = torch.tensor([[0.1], [2.0]]).double()


def gradient(parameters: Tensor, step: int) -> Tensor:
    """The gradient of a bowl whose bottom moves; from steep to so flat that epsilon matters."""
    steepness = torch.logspace(0, -8, PARAMETERS, dtype=torch.float64)
    bottom = torch.sin(torch.arange(PARAMETERS) + 0.1 * step).double()
    return steepness * (parameters - bottom)


def ours(optimizer: Optimizer, steps: int = 100) -> Tensor:
    parameters = torch.linspace(-1, 1, PARAMETERS).double().repeat(2, 1)
    state = optimizer.init(parameters)
    for step in range(1, steps + 1):
        optimizer.update(parameters, gradient(parameters, step), state, LEARNING_RATE, step)
    return parameters


def theirs(make: Callable[..., torch.optim.Optimizer], net: int, **options: Any) -> Tensor:
    start = torch.linspace(-1, 1, PARAMETERS).double()
    w, b = start[:WEIGHTS].clone(), start[WEIGHTS:].clone()
    groups = [
        {"params": [w], "weight_decay": options.pop("weight_decay", 0.0)},
        {"params": [b], "weight_decay": 0.0},
    ]
    optimizer = make(groups, lr=LEARNING_RATE[net].item(), **options)
    for step in range(1, 101):
        w.grad, b.grad = torch.split(gradient(torch.cat([w, b]), step), [WEIGHTS, BIASES])
        optimizer.step()
    return torch.cat([w, b])


CASES: dict[str, tuple[Optimizer, Callable[[int], Tensor]]] = {
    "SGD": (SGD(torch.zeros(2, 1).double()), lambda net: theirs(torch.optim.SGD, net)),
    "momentum": (
        SGD(MOMENTUM),
        lambda net: theirs(torch.optim.SGD, net, momentum=MOMENTUM[net].item()),
    ),
    "Adam": (Adam(), lambda net: theirs(torch.optim.Adam, net)),
    "Adam, other means": (
        Adam(beta1=0.7, beta2=0.9, epsilon=1e-3),
        lambda net: theirs(torch.optim.Adam, net, betas=(0.7, 0.9), eps=1e-3),
    ),
    "AdamW": (
        Adam(WEIGHT_DECAY * IS_WEIGHT),
        lambda net: theirs(torch.optim.AdamW, net, weight_decay=WEIGHT_DECAY[net].item()),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_are_torch_s(case: str) -> None:
    optimizer, referee = CASES[case]
    after = ours(optimizer)
    for net in range(2):
        # The issue asks for 1e-5; in float64 an epsilon in the wrong place already shows.
        assert_close(after[net], referee(net), rtol=0, atol=1e-9)


def test_without_momentum_sgd_is_gradient_descent() -> None:
    # On a bowl of steepness 1 around 0 a step of 0.1 keeps 9/10 of the way.
    parameters = torch.tensor([[1.0, -2.0]])
    optimizer = SGD(torch.zeros(1, 1))
    state = optimizer.init(parameters)
    for step in (1, 2):
        optimizer.update(parameters, parameters.clone(), state, torch.tensor([[0.1]]), step)
    assert_close(parameters, torch.tensor([[0.81, -1.62]]))


def torch_s_factors(schedule: str, steps: int) -> list[float]:
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler: lr_scheduler.LRScheduler
    match schedule:
        case "constant":
            scheduler = lr_scheduler.ConstantLR(optimizer, factor=1.0)
        case "cosine":
            scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        case "one_cycle":
            scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps)
    factors = []
    for _ in range(steps):
        factors.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 360])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_torch_s(schedule: str, steps: int) -> None:
    factors = [SCHEDULES[schedule](step, steps) for step in range(steps)]
    assert factors == pytest.approx(torch_s_factors(schedule, steps), abs=1e-9)
