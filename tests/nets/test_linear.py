"""The linear model: its gradient against referees, and scikit-learn's regression at the end."""

import numpy as np
import pytest
import torch
from gradients import (
    check_against_autograd,
    check_against_finite_differences,
    check_stacked_nets_against_each_net_alone,
    check_that_nothing_is_recorded,
    no_uniform,
)
from numpy.testing import assert_allclose
from plain import make_table
from sklearn.linear_model import LogisticRegression

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.nets.batch import Batch
from titanic_nn.nets.config import LinearConfig
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.losses import LOSSES


def test_one_row_on_paper() -> None:
    # z = 2 * 1 - 1 * 2 + 0 = 0, so p = 1/2; with target 1, dz = p - t = -1/2.
    # dw = x dz = (2, -1) * -1/2 = (-1, 1/2); db = dz = -1/2.
    params = {"w": torch.tensor([[1.0], [2.0]]), "b": torch.tensor([[0.0]])}
    one = torch.ones(1, 1)
    batch = Batch(x=torch.tensor([[2.0, -1.0]]), targets=one, weights=one, uniform=no_uniform)
    gradients = LinearNet().gradients(params, batch, LOSSES["cross_entropy"])
    assert LinearNet().logits(params, batch.x).item() == 0
    assert gradients["w"].tolist() == [[-1.0], [0.5]]
    assert gradients["b"].tolist() == [[-0.5]]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_autograd_s(loss: str) -> None:
    check_against_autograd(LinearNet(), loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_the_finite_difference_of_the_loss(loss: str) -> None:
    check_against_finite_differences(LinearNet(), loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_stacked_nets_are_each_net_alone(loss: str) -> None:
    check_stacked_nets_against_each_net_alone(LinearNet(), loss)


def test_no_autograd_is_involved() -> None:
    check_that_nothing_is_recorded(LinearNet())


def test_trained_to_the_end_it_is_logistic_regression() -> None:
    # scikit-learn minimises w^2 / 2 + C * sum of losses over n rows, ours mean loss + l2 w^2 / 2:
    # the same, divided by C n, if l2 = 1 / (C n). Neither penalises the intercept.
    table, strengths = make_table(), (0.1, 1.0, 10.0)
    split = table.splits[0]
    trials = [
        LinearConfig(
            epochs=500,
            batch_size="all",
            optimizer="sgd",
            learning_rate=0.5,
            momentum=0.9,
            schedule="constant",
            l2=1 / (c * len(split.train)),
        )
        for c in strengths
    ]
    data = SplitData(table.x[:1], table.y, [split])
    nets = train_nets(data, Members(trials, n_seeds=1), seed=0, device=torch.device("cpu"))
    x = table.x[0].astype(np.float64)  # in float32 scikit-learn would stop early
    for i, c in enumerate(strengths):
        referee = LogisticRegression(C=c, tol=1e-8, max_iter=1000)
        referee.fit(x[split.train], table.y[split.train])
        assert_allclose(nets.params["w"][0, i], referee.coef_.T, atol=1e-5)
        assert_allclose(nets.params["b"][0, i, 0], referee.intercept_, atol=1e-5)
        assert_allclose(nets.probability[0, i], referee.predict_proba(x)[:, 1], atol=1e-5)
