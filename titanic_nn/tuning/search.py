"""The search: ask for a batch of trials, train it together, drop the weak early, tell."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.study import SharedStudy, Trial

WAIT = 1.0  # seconds between two looks at what other workers are finishing

# Says which trials go no further, by their losses so far (trials, splits): True where one is weak.
Stopping = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Schedule:
    """How a batch is worked through.

    Attributes:
        stages: after how many splits, all in all, the weak are sought; the last is all of them.
        weak: says who goes no further.
    """

    stages: Sequence[int]
    weak: Stopping


def by_repeats(folds: int, repeats: int) -> list[int]:
    """Stages of one repeat each: every labelled row was held out as often as any other."""
    return [folds * repeat for repeat in range(1, repeats + 1)]


def worse_half(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Successive halving (Jamieson and Talwalkar 2016): those behind the median so far."""
    means = losses.mean(axis=1)  # (trials,)
    weak: NDArray[np.bool_] = means > np.median(means)
    return weak


def nobody(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Every trial is scored on every split."""
    return np.zeros(len(losses), dtype=bool)


def search(
    objective: Objective,
    study: SharedStudy,
    total: int,
    schedule: Schedule,
    *,
    batch: int,
    timeout: float | None = None,
    on_batch: Callable[[], None] = lambda: None,
) -> None:
    """Go on with a study until `total` of its trials are finished, here or by other workers.

    Args:
        batch: trials that are asked for at a time.
        timeout: seconds after which no further batch is begun.
        on_batch: is called whenever some trials are finished.
    """
    start = time.monotonic()
    while study.finished() < total:
        if timeout is not None and time.monotonic() - start >= timeout:
            return
        trials = study.take(batch, total)
        if not trials:
            time.sleep(WAIT)  # others are at the rest; should they die, it is ours
        else:
            with study.at_work(trials):
                run_batch(objective, study, trials, schedule)
        on_batch()


def run_batch(
    objective: Objective, study: SharedStudy, trials: Sequence[Trial], schedule: Schedule
) -> None:
    """Train a batch stage by stage, tell the weak as they fall and the rest at the end."""
    going = list(trials)
    losses = np.empty((len(trials), 0))
    done = 0
    for stage in schedule.stages:
        config = [study.space.config(trial.params) for trial in going]
        losses = np.hstack([losses, objective.losses(config, done, stage)])
        done = stage
        if stage == schedule.stages[-1]:
            break
        weak = schedule.weak(losses)
        for trial, of_trial, is_weak in zip(going, losses, weak, strict=True):
            if is_weak:
                study.tell(trial, of_trial, weak=True)
        going = [trial for trial, is_weak in zip(going, weak, strict=True) if not is_weak]
        losses = losses[~weak]
    for trial, of_trial in zip(going, losses, strict=True):
        study.tell(trial, of_trial)
