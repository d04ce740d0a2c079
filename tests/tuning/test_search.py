"""The search: batches, stages, the weak."""

from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from studies import finish, make_study

from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import repeated_stratified_splits
from titanic_nn.tables.sources import load_passengers
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.search import Schedule, by_repeats, nobody, search, worse_half
from titanic_nn.tuning.spaces import Space, load_space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy

ALL = Schedule([4], nobody)
HALVING = Schedule(by_repeats(2, 2), worse_half)


@pytest.fixture(scope="module")
def objective() -> Objective:
    """Two folds, cut twice."""
    passengers = load_passengers()
    y = passengers.train["Survived"].to_numpy()
    features = passenger_features(passengers.train)
    splits = repeated_stratified_splits(y, 2, 2, seed=1)
    return Objective(features, y, splits, n_seeds=1, seed=3, device="cpu")


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """Linear nets of four epochs, which take no time."""
    (tmp_path / "space.toml").write_text('[linear]\nepochs = 4\nschedule = "constant"\n')
    return load_space("linear", tmp_path / "space.toml")


def study_of(space: Space) -> SharedStudy:
    return SharedStudy("s", in_memory(), space, {}, seed=0)


def test_a_stage_a_repeat() -> None:
    assert by_repeats(5, 3) == [5, 10, 15]


def test_the_worse_half_is_behind_the_median() -> None:
    # Means 0.5, 0.4, 0.6, 0.3; median 0.45.
    losses = np.array([[0.4, 0.6], [0.4, 0.4], [0.9, 0.3], [0.3, 0.3]])
    assert worse_half(losses).tolist() == [True, False, True, False]
    assert worse_half(losses[:1]).tolist() == [False]  # who is alone goes on
    assert worse_half(np.full((4, 2), 0.4)).tolist() == [False] * 4  # so do equals


def test_a_trial_is_judged_by_its_mean_over_all_splits(objective: Objective, space: Space) -> None:
    study = study_of(space)
    search(objective, study, 5, ALL, batch=3)
    trials = study.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    losses = objective.losses([space.config(trial.params) for trial in trials])
    assert [trial.value for trial in trials] == pytest.approx(losses.mean(1), abs=1e-6)
    np.testing.assert_allclose([t.user_attrs["losses"] for t in trials], losses, atol=1e-6)


def test_the_weak_stop_after_the_first_repeat(objective: Objective, space: Space) -> None:
    study = study_of(space)
    search(objective, study, 8, HALVING, batch=8)
    trials = study.trials()
    losses = objective.losses([space.config(trial.params) for trial in trials])
    first = losses[:, :2].mean(1)
    weak = first > np.median(first)
    assert [trial.state == TrialState.PRUNED for trial in trials] == weak.tolist()
    for trial, mean, of_trial in zip(trials, first, losses, strict=True):
        if trial.state == TrialState.PRUNED:
            assert trial.intermediate_values == {2: pytest.approx(mean, abs=1e-6)}
        else:
            assert trial.value == pytest.approx(of_trial.mean(), abs=1e-6)


def test_batches_end_at_the_total_and_say_so(objective: Objective, space: Space) -> None:
    study, seen = study_of(space), []
    search(objective, study, 7, HALVING, batch=3, on_batch=lambda: seen.append(study.finished()))
    assert seen == [3, 6, 7]
    search(objective, study, 7, HALVING, batch=3, on_batch=lambda: pytest.fail("nothing was left"))
    search(objective, study, 9, HALVING, batch=3)
    assert study.finished() == 9


def test_no_batch_is_begun_when_time_is_up(objective: Objective, space: Space) -> None:
    study = study_of(space)
    search(objective, study, 1000, HALVING, batch=2, timeout=1e-9)
    assert study.finished() == 0


def test_the_sampler_goes_where_it_is_good() -> None:
    study = make_study()
    while study.finished() < 100:
        finish(study, study.take(20, total=100))
    best = study.best()
    assert best is not None
    assert best.value == pytest.approx(0.4, abs=0.001)
    above = [trial.value - 0.4 for trial in study.trials() if trial.value]
    assert sum(above[50:]) < sum(above[:50]) / 2
