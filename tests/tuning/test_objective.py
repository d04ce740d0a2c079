"""A trial's losses: those of its nets trained alone."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import repeated_stratified_splits
from titanic_nn.tables.sources import load_passengers
from titanic_nn.config import LinearConfig, ReLUConfig
from titanic_nn.tuning.objective import WORST, Objective

SLOW = LinearConfig(epochs=2, learning_rate=0.001)
FAST = LinearConfig(epochs=2, learning_rate=0.1)
LONG = LinearConfig(epochs=3, learning_rate=0.1)
HIDDEN = ReLUConfig(epochs=2, hidden=4)


@pytest.fixture(scope="module")
def objective() -> Objective:
    passengers = load_passengers()
    features = passenger_features(passengers.train)
    y = passengers.train["Survived"].to_numpy()
    splits = repeated_stratified_splits(y, 2, 2, seed=1)
    return Objective(features, y, splits, n_seeds=2, seed=3, device="cpu")


def alone(objective: Objective, trial: LinearConfig) -> NDArray[np.float64]:
    """Losses of one trial, split by split: two nets, whose probabilities are averaged."""
    nets = train_nets(
        objective.x,
        objective.y,
        objective.splits,
        Members([trial], n_seeds=2),
        seed=3,
        device=torch.device("cpu"),
        backend="stacked",
    )
    probability = nets.probability.mean(1).numpy()  # (splits, rows)
    return np.array(
        [
            log_loss(objective.y[split.held_out], said[split.held_out])
            for split, said in zip(objective.splits, probability, strict=True)
        ]
    )


def test_trials_of_all_structures_keep_their_own_losses(objective: Objective) -> None:
    # FAST and SLOW share a program; LONG and HIDDEN have their own.
    trials = [FAST, LONG, SLOW, HIDDEN]
    losses = objective.losses(trials)
    assert losses.shape == (4, 4)
    for of_trial, trial in zip(losses, trials, strict=True):
        np.testing.assert_allclose(of_trial, alone(objective, trial), atol=1e-4)


def test_some_splits_now_and_the_others_later_are_all_of_them(objective: Objective) -> None:
    first, rest = objective.losses([FAST], 0, 1), objective.losses([FAST], 1)
    np.testing.assert_allclose(np.hstack([first, rest]), objective.losses([FAST]), atol=1e-6)


def test_a_net_that_diverges_is_the_worst_there_is(objective: Objective) -> None:
    diverging = ReLUConfig(epochs=2, hidden=4, optimizer="sgd", learning_rate=1e30)
    losses = objective.losses([diverging, FAST])
    assert (losses[0] == WORST).all()
    assert (losses[1] < 1).all()


def test_only_the_labelled_rows_are_scored(objective: Objective) -> None:
    passengers = load_passengers()
    both = passenger_features(pd.concat([passengers.train, passengers.test]))
    with_test = Objective(both, objective.y, objective.splits, n_seeds=2, seed=3, device="cpu")
    np.testing.assert_allclose(with_test.losses([FAST]), objective.losses([FAST]), atol=1e-6)
