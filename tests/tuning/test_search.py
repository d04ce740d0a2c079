"""The search: batches, stages, pruning."""

from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from studies import finish, make_experiment, make_study

from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.search import Schedule, by_repeats, no_pruning, search, worse_half
from titanic_nn.tuning.spaces import Space, load_space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy

ALL = Schedule([4], no_pruning)
HALVING = Schedule(by_repeats(2, 2), worse_half)


@pytest.fixture(scope="module")
def objective() -> Objective:
    experiment = make_experiment()
    return Objective(experiment, experiment.folds)


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """Linear nets of four epochs, which train quickly."""
    (tmp_path / "space.toml").write_text('[linear]\nepochs = 4\nschedule = "constant"\n')
    return load_space("linear", tmp_path / "space.toml")


def study_of(space: Space) -> SharedStudy:
    return SharedStudy("s", in_memory(), space, {}, seed=0)


def test_each_repeat_is_a_stage() -> None:
    assert by_repeats(5, 3) == [5, 10, 15]


def test_the_worse_half_has_losses_above_the_median() -> None:
    # Means 0.5, 0.4, 0.6, 0.3; median 0.45.
    losses = np.array([[0.4, 0.6], [0.4, 0.4], [0.9, 0.3], [0.3, 0.3]])
    assert worse_half(losses).tolist() == [True, False, True, False]
    assert worse_half(losses[:1]).tolist() == [False]  # a single trial is kept
    assert worse_half(np.full((4, 2), 0.4)).tolist() == [False] * 4  # so are equal ones


def test_a_trials_value_is_its_mean_loss_over_all_splits(
    objective: Objective, space: Space
) -> None:
    study = study_of(space)
    search(objective, study, 5, ALL, batch=3)
    trials = study.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    losses = objective.losses([space.config(trial.params) for trial in trials])
    assert [trial.value for trial in trials] == pytest.approx(losses.mean(1), abs=1e-6)
    np.testing.assert_allclose([t.user_attrs["losses"] for t in trials], losses, atol=1e-6)


def test_the_worse_half_is_pruned_after_the_first_repeat(
    objective: Objective, space: Space
) -> None:
    study = study_of(space)
    search(objective, study, 8, HALVING, batch=8)
    trials = study.trials()
    losses = objective.losses([space.config(trial.params) for trial in trials])
    first = losses[:, :2].mean(1)
    pruned = first > np.median(first)
    assert [trial.state == TrialState.PRUNED for trial in trials] == pruned.tolist()
    for trial, mean, of_trial in zip(trials, first, losses, strict=True):
        if trial.state == TrialState.PRUNED:
            assert trial.intermediate_values == {2: pytest.approx(mean, abs=1e-6)}
        else:
            assert trial.value == pytest.approx(of_trial.mean(), abs=1e-6)


def test_progress_is_made_within_a_batch(objective: Objective, space: Space) -> None:
    study, fractions = study_of(space), list[float]()
    at_batch: list[float] = []
    search(
        objective,
        study,
        8,
        HALVING,
        batch=4,
        on_batch=lambda: at_batch.append(sum(fractions)),
        on_progress=fractions.append,
    )
    assert at_batch == pytest.approx([0.5, 1.0])
    assert len(fractions) >= 4  # two stages in each batch, at least


def test_batches_end_at_the_total_and_are_reported(objective: Objective, space: Space) -> None:
    study, seen = study_of(space), []
    search(objective, study, 7, HALVING, batch=3, on_batch=lambda: seen.append(study.finished()))
    assert seen == [3, 6, 7]
    search(
        objective, study, 7, HALVING, batch=3, on_batch=lambda: pytest.fail("no trial was missing")
    )
    search(objective, study, 9, HALVING, batch=3)
    assert study.finished() == 9


def test_no_batch_is_begun_when_time_is_up(objective: Objective, space: Space) -> None:
    study = study_of(space)
    search(objective, study, 1000, HALVING, batch=2, timeout=1e-9)
    assert study.finished() == 0


def test_the_sampler_proposes_better_trials_with_time() -> None:
    study = make_study()
    while study.finished() < 100:
        finish(study, study.take(20, total=100))
    best = study.best()
    assert best is not None
    assert best.value == pytest.approx(0.4, abs=0.001)
    above = [trial.value - 0.4 for trial in study.trials() if trial.value]
    assert sum(above[50:]) < sum(above[:50]) / 2
