"""A trial's losses are those of its nets trained alone."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from studies import make_experiment

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.nets.config import LinearConfig, NetConfig, ReLUConfig
from titanic_nn.tuning.objective import WORST, Objective

SLOW = LinearConfig(epochs=2, learning_rate=0.001)
FAST = LinearConfig(epochs=2, learning_rate=0.1)
LONG = LinearConfig(epochs=3, learning_rate=0.1)
HIDDEN = ReLUConfig(epochs=2, hidden_size=4)


@pytest.fixture(scope="module")
def objective() -> Objective:
    experiment = make_experiment(n_seeds=2)
    return Objective(experiment, experiment.folds)


def alone(objective: Objective, trial: NetConfig) -> NDArray[np.float64]:
    """Losses of one trial, split by split: two nets, whose probabilities are averaged."""
    nets = train_nets(
        SplitData(objective.x, objective.y, objective.splits),
        Members([trial], n_seeds=2),
        seed=objective.experiment.config.seed,
        device=objective.experiment.device,
    )
    probability = nets.probability.mean(1).numpy()  # (splits, rows)
    return np.array(
        [
            log_loss(objective.y[split.held_out], of_split[split.held_out])
            for split, of_split in zip(objective.splits, probability, strict=True)
        ]
    )


def test_trials_of_different_structures_have_their_own_losses(objective: Objective) -> None:
    # FAST and SLOW are trained in one program, LONG and HIDDEN each in one of their own.
    trials = [FAST, LONG, SLOW, HIDDEN]
    losses = objective.losses(trials)
    assert losses.shape == (4, 4)
    for of_trial, trial in zip(losses, trials, strict=True):
        np.testing.assert_allclose(of_trial, alone(objective, trial), atol=1e-4)


def test_splits_can_be_scored_in_stages(objective: Objective) -> None:
    first, rest = objective.losses([FAST], 0, 1), objective.losses([FAST], 1)
    np.testing.assert_allclose(np.hstack([first, rest]), objective.losses([FAST]), atol=1e-6)


def test_a_net_that_diverges_has_the_largest_loss(objective: Objective) -> None:
    diverging = ReLUConfig(epochs=2, hidden_size=4, optimizer="sgd", learning_rate=1e30)
    losses = objective.losses([diverging, FAST])
    assert (losses[0] == WORST).all()
    assert (losses[1] < 1).all()


def test_a_net_whose_dead_units_hide_that_it_diverged_has_the_largest_loss_too(
    objective: Objective,
) -> None:
    # Weights of minus infinity give finite probabilities where no unit is active.
    overshooting = ReLUConfig(
        epochs=1, hidden_size=4, optimizer="adamw", learning_rate=1e30, weight_decay=1e6
    )
    assert (objective.losses([overshooting]) == WORST).all()


def test_the_test_rows_do_not_count(objective: Objective) -> None:
    with_test_rows, objective.x = objective.x, objective.x[:, : len(objective.y)]
    assert with_test_rows.shape[1] > objective.x.shape[1]
    without = objective.losses([FAST])
    objective.x = with_test_rows
    np.testing.assert_allclose(objective.losses([FAST]), without, atol=1e-6)


@pytest.mark.gpu
def test_a_gpu_scores_trials_alike(objective: Objective) -> None:
    experiment = make_experiment(n_seeds=2, device="cuda")
    trials = [FAST, LONG, SLOW, HIDDEN]
    on_gpu = Objective(experiment, experiment.folds).losses(trials)
    np.testing.assert_allclose(on_gpu, objective.losses(trials), atol=1e-3)
