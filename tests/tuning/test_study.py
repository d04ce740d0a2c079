"""Trials are taken, recorded and counted; a study of something else is refused."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from scipy.spatial import KDTree
from studies import finish, make_study

from titanic_nn.errors import StudyError
from titanic_nn.tuning.objective import WORST
from titanic_nn.tuning.spaces import load_space
from titanic_nn.tuning.storage import in_memory, open_storage
from titanic_nn.tuning.study import SharedStudy, tpe


def test_a_batch_is_no_longer_than_what_is_left() -> None:
    study = make_study()
    finish(study, study.take(4, total=10))
    first = study.take(4, total=10)
    assert len(first) == 4
    second = study.take(4, total=10)  # as another worker would, while the four are running
    assert len(second) == 2
    assert study.take(4, total=10) == []
    finish(study, first + second)
    assert study.finished() == 10
    assert [trial.number for trial in study.trials()] == list(range(10))


def test_the_best_has_the_lowest_mean_of_all_folds() -> None:
    study = make_study()
    a, b, c = study.take(3, total=3)
    study.tell(a, np.array([0.5, 0.3]))  # 0.4
    study.tell(b, np.array([0.4, 0.36]))  # 0.38
    study.tell(c, np.array([0.1]), pruned=True)  # lower, but of one fold only
    best = study.best()
    assert best is not None
    assert best.number == b.number
    assert best.value == pytest.approx(0.38)
    assert best.user_attrs["losses"] == [0.4, 0.36]
    (pruned,) = study.trials(TrialState.PRUNED)
    assert pruned.intermediate_values == {1: 0.1}  # the mean so far, after one fold
    assert study.finished() == 3


def test_a_trial_with_a_net_that_diverged_is_finished_and_never_the_best() -> None:
    study = make_study()
    first, second = study.take(2, total=2)
    study.tell(first, np.array([0.4, WORST]))
    assert study.best() is None
    study.tell(second, np.array([20.0, 20.0]))
    best = study.best()
    assert best is not None
    assert best.number == second.number
    assert study.finished() == 2
    assert study.take(1, total=2) == []  # it is not run again
    (diverged,) = study.trials(TrialState.PRUNED)
    assert diverged.value == pytest.approx((0.4 + WORST) / 2)


def test_what_failed_is_run_again() -> None:
    study = make_study()
    trials = study.take(3, total=3)
    finish(study, trials[:1])
    study.fail(trials)  # the finished one stays
    assert study.finished() == 1
    finish(study, study.take(3, total=3))
    assert study.finished() == 3
    assert len(study.trials(TrialState.FAIL)) == 2


def test_an_interrupted_batch_leaves_no_running_trial() -> None:
    study = make_study()
    trials = study.take(3, total=3)
    with suppress(KeyboardInterrupt), study.running(trials):
        finish(study, trials[:1])
        raise KeyboardInterrupt
    assert study.finished() == 1
    assert len(study.trials(TrialState.FAIL)) == 2


def test_a_result_that_comes_too_late_is_not_counted_twice() -> None:
    study = make_study()
    (trial,) = study.take(1, total=1)
    study.fail([trial])  # as another worker does if this one seems dead
    (again,) = study.take(1, total=1)
    finish(study, [again])
    finish(study, [trial])
    study.tell(trial, np.array([0.1]), pruned=True)
    assert study.finished() == 1
    assert study.trials()[trial.number].state == TrialState.FAIL


def tpe_without_liar(seed: int) -> TPESampler:
    return TPESampler(seed=seed, constant_liar=False)


def spacing(*, liar: bool) -> float:
    """Mean distance from a batch's proposals to their nearest, each range being one long."""
    distances = []
    for seed in range(3):
        study = make_study(seed=seed, sampler=tpe if liar else tpe_without_liar)
        finish(study, study.take(30, total=70))
        batch = [trial.params for trial in study.take(40, total=70)]
        rates = [np.log10(params["learning_rate"]) / 2 for params in batch]
        decays = [np.log10(params["weight_decay"]) / 2.5 for params in batch]
        points = np.column_stack([rates, decays])
        nearest, _ = KDTree(points).query(points, k=[2])  # the first is the point itself
        distances.append(np.mean(nearest))
    return float(np.mean(distances))


def test_the_proposals_of_a_batch_lie_apart() -> None:
    assert spacing(liar=True) > 1.3 * spacing(liar=False)
    assert tpe(0)._constant_liar


def test_the_same_seed_proposes_the_same_trials_and_another_seed_others() -> None:
    def proposed(seed: int) -> list[dict[str, object]]:
        study = make_study(seed=seed)
        for _ in range(2):
            finish(study, study.take(10, total=20))
        return [trial.params for trial in study.trials()]

    assert proposed(1) == proposed(1)
    assert proposed(1) != proposed(2)


def test_a_continued_study_proposes_new_trials(tmp_path: Path) -> None:
    for total in (10, 20, 30):
        study = make_study(open_storage(None, tmp_path))
        assert study.finished() == total - 10
        finish(study, study.take(10, total))
    rates = [trial.params["learning_rate"] for trial in study.trials()]
    assert len(set(rates)) == 30


def test_two_workers_that_join_at_once_propose_different_trials(tmp_path: Path) -> None:
    make_study(open_storage(None, tmp_path))
    workers = [make_study(open_storage(None, tmp_path)) for _ in range(2)]
    rates = [t.params["learning_rate"] for worker in workers for t in worker.take(5, total=10)]
    assert len(set(rates)) == 10


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"folds": 10}, "its folds is 5, not 10"),
        ({"data": "b"}, "its data is a, not b"),
        ({"n_seeds": 1}, "its n_seeds is None, not 1"),
        ({"data": "b", "folds": 10}, "its folds is 5, not 10"),
    ],
)
def test_a_study_of_something_else_is_refused(changed: dict[str, object], message: str) -> None:
    storage = in_memory()
    made_of: dict[str, object] = {"folds": 5, "data": "a"}
    finish(study := make_study(storage, made_of=made_of), study.take(2, total=2))
    assert make_study(storage, made_of=made_of).finished() == 2
    with pytest.raises(StudyError) as raised:
        make_study(storage, made_of=made_of | changed)
    assert str(raised.value) == f"study s exists, and {message}: choose another --study"


def test_a_study_of_another_space_is_refused_by_the_parameters_name(tmp_path: Path) -> None:
    storage = in_memory()
    make_study(storage)
    (tmp_path / "space.toml").write_text("[relu]\nepochs = 20\n")
    with pytest.raises(StudyError, match=r"its epochs is .*IntDistribution.*, not 20: choose"):
        SharedStudy("s", storage, load_space("relu", tmp_path / "space.toml"), {}, seed=0)
