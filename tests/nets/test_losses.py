"""Losses against torch's own; their written-out derivatives against autograd."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from titanic_nn.nets.losses import LOSSES, SOFTMAX_LOSSES, penalty_gradient, probabilities

# Each row's loss by torch, for logits and targets.
REFEREES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": partial(functional.binary_cross_entropy_with_logits, reduction="none"),
    "squared_error": lambda z, t: functional.mse_loss(z.sigmoid(), t, reduction="none"),
    "absolute_error": lambda z, t: functional.l1_loss(z.sigmoid(), t, reduction="none"),
}
ROWS = 40
EQUAL = torch.full((ROWS, 1), 1 / ROWS, dtype=torch.float64)


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(ROWS, 1, dtype=torch.float64)


@pytest.fixture
def targets() -> Tensor:
    return torch.randint(2, (ROWS, 1)).double()


def test_every_loss_has_a_referee() -> None:
    assert LOSSES.keys() == REFEREES.keys()


@pytest.fixture
def weights() -> Tensor:
    """Unequal weights; the first ten rows are padding."""
    weights = torch.rand(ROWS, 1, dtype=torch.float64)
    weights[:10] = 0
    return weights / weights.sum()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_torch_s(name: str, logits: Tensor, targets: Tensor) -> None:
    mean = REFEREES[name](logits, targets).mean()
    assert_close(LOSSES[name].value(logits, targets, EQUAL), mean)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_weighs_its_rows(
    name: str, logits: Tensor, targets: Tensor, weights: Tensor
) -> None:
    wanted = (weights * REFEREES[name](logits, targets)).sum()
    assert_close(LOSSES[name].value(logits, targets, weights), wanted)


@pytest.mark.parametrize("name", LOSSES)
def test_the_derivative_on_paper_is_autograd_s(
    name: str, logits: Tensor, targets: Tensor, weights: Tensor
) -> None:
    tracked = logits.clone().requires_grad_()
    (wanted,) = torch.autograd.grad((weights * REFEREES[name](tracked, targets)).sum(), tracked)
    assert_close(LOSSES[name].gradient(logits, targets, weights), wanted)


@pytest.mark.parametrize("name", LOSSES)
def test_leading_axes_are_nets_of_their_own(name: str, logits: Tensor, targets: Tensor) -> None:
    stack = torch.stack([logits, -logits, 2 * logits]).unsqueeze(1)  # (3, 1, rows, 1)
    values = LOSSES[name].value(stack, targets, EQUAL)
    gradients = LOSSES[name].gradient(stack, targets, EQUAL)
    assert values.shape == (3, 1)
    for i in range(3):
        assert_close(values[i, 0], LOSSES[name].value(stack[i, 0], targets, EQUAL))
        assert_close(gradients[i, 0], LOSSES[name].gradient(stack[i, 0], targets, EQUAL))


def test_cross_entropy_of_a_very_sure_net_is_finite() -> None:
    # Surely right costs nothing; surely wrong costs the logit: -log(sigmoid(-500)) = 500.
    z = torch.tensor([[500.0], [500.0], [-500.0], [-500.0]])
    t = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    assert LOSSES["cross_entropy"].per_row(z, t).flatten().tolist() == [0, 500, 500, 0]
    gradient = LOSSES["cross_entropy"].gradient(z, t, torch.ones(4, 1))
    assert gradient.flatten().tolist() == [0, 1, -1, 0]


SOFTMAX_REFEREES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": partial(functional.cross_entropy, reduction="none"),
    "squared_error": lambda z, t: (
        functional.mse_loss(z.softmax(-1), t, reduction="none").sum(-1) / 2
    ),
    "absolute_error": lambda z, t: (
        functional.l1_loss(z.softmax(-1), t, reduction="none").sum(-1) / 2
    ),
}


@pytest.fixture
def classes() -> tuple[Tensor, Tensor]:
    """Logits of four classes, and one-hot targets."""
    logits = 3 * torch.randn(ROWS, 4, dtype=torch.float64)
    return logits, functional.one_hot(torch.randint(4, (ROWS,)), 4).double()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_classes_is_torch_s_and_its_derivative_autograd_s(
    name: str, classes: tuple[Tensor, Tensor], weights: Tensor
) -> None:
    logits, targets = classes
    tracked = logits.clone().requires_grad_()
    wanted = (weights.squeeze(-1) * SOFTMAX_REFEREES[name](tracked, targets)).sum()
    (gradient,) = torch.autograd.grad(wanted, tracked)
    assert_close(SOFTMAX_LOSSES[name].value(logits, targets, weights), wanted.detach())
    assert_close(SOFTMAX_LOSSES[name].gradient(logits, targets, weights), gradient)
    assert_close(probabilities(logits), logits.softmax(-1))


@pytest.mark.parametrize("name", LOSSES)
def test_two_outputs_z_and_0_cost_what_one_output_does(
    name: str, logits: Tensor, targets: Tensor
) -> None:
    two = torch.cat([torch.zeros_like(logits), logits], -1)
    both = torch.cat([1 - targets, targets], -1)
    one = LOSSES[name]
    assert_close(SOFTMAX_LOSSES[name].per_row(two, both), one.per_row(logits, targets))
    assert_close(
        SOFTMAX_LOSSES[name].gradient_per_row(two, both)[:, 1:],
        one.gradient_per_row(logits, targets),
    )
    assert_close(probabilities(two)[:, 1:], probabilities(logits))


def test_classes_of_which_a_net_is_very_sure_stay_finite() -> None:
    # Right costs nothing; wrong costs the logits' difference: log(exp(500) + 2) - 0 = 500.
    z, t = torch.tensor([[500.0, 0, 0], [500.0, 0, 0]]), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    assert SOFTMAX_LOSSES["cross_entropy"].per_row(z, t).flatten().tolist() == [0, 500]


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_the_pull_of_the_penalties_is_autograd_s(l1: float, l2: float) -> None:
    w = torch.randn(3, 20, dtype=torch.float64, requires_grad=True)
    penalty = l1 * w.abs().sum() + l2 / 2 * w.square().sum()
    (wanted,) = torch.autograd.grad(penalty, w)
    pull = penalty_gradient(w.detach(), torch.tensor([l1]).double(), torch.tensor([l2]).double())
    assert_close(pull, wanted)


def test_each_net_has_its_own_penalties_and_a_zero_is_not_pulled() -> None:
    w = torch.tensor([[2.0, -4.0, 0.0], [2.0, -4.0, 0.0]])
    l1, l2 = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [0.5]])
    assert penalty_gradient(w, l1, l2).tolist() == [[1, -1, 0], [1, -2, 0]]


@pytest.mark.parametrize("infinite", [torch.inf, -torch.inf])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_row_whose_logit_overflows_has_no_probability(outputs: int, infinite: float) -> None:
    logits = torch.zeros(4, outputs)
    logits[2, 0] = infinite
    p = probabilities(logits)
    assert p.isnan().all(-1).tolist() == [False, False, True, False]
    assert not p[[0, 1, 3]].isnan().any()
