"""The search: propose a batch of trials, train them together, prune the worst early."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.study import SharedStudy, Trial

WAIT = 1.0  # seconds between two looks at the trials that other workers are running

# From the trials' losses so far (trials, splits): True where a trial is pruned, (trials,).
Pruner = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Schedule:
    """The stages in which a batch is trained and pruned.

    Attributes:
        stages: the number of splits, counted from the first, after which each stage ends; the last
            is all of them.
        pruner: which trials are pruned at the end of a stage.
    """

    stages: Sequence[int]
    pruner: Pruner


def by_repeats(folds: int, repeats: int) -> list[int]:
    """A stage per repeat: after each, every labelled row was held out equally often."""
    return [folds * repeat for repeat in range(1, repeats + 1)]


def worse_half(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Successive halving (Jamieson and Talwalkar 2016): prune what is worse than the median."""
    means = losses.mean(axis=1)  # (trials,)
    pruned: NDArray[np.bool_] = means > np.median(means)
    return pruned


def no_pruning(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Score every trial on every split."""
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
    """Run batches until `total` trials of the study are finished, by this worker or others.

    Args:
        objective: what scores a trial.
        study: where trials are proposed and recorded.
        total: trials of the study, those finished before included.
        schedule: when trials are pruned.
        batch: trials that are proposed and trained together.
        timeout: seconds after which no further batch is begun.
        on_batch: is called after each batch.
    """
    start = time.monotonic()
    while study.finished() < total:
        if timeout is not None and time.monotonic() - start >= timeout:
            return
        trials = study.take(batch, total)
        if not trials:
            time.sleep(WAIT)  # other workers run the rest; should they die, it is taken here
        else:
            with study.running(trials):
                run_batch(objective, study, trials, schedule)
        on_batch()


def run_batch(
    objective: Objective, study: SharedStudy, trials: Sequence[Trial], schedule: Schedule
) -> None:
    """Train a batch stage by stage; record pruned trials after their stage, the rest at the end."""
    remaining = list(trials)
    losses = np.empty((len(trials), 0))
    done = 0
    for stage in schedule.stages:
        configs = [study.space.config(trial.params) for trial in remaining]
        losses = np.hstack([losses, objective.losses(configs, done, stage)])
        done = stage
        if stage == schedule.stages[-1]:
            break
        pruned = schedule.pruner(losses)
        for trial, of_trial, is_pruned in zip(remaining, losses, pruned, strict=True):
            if is_pruned:
                study.tell(trial, of_trial, pruned=True)
        remaining = [trial for trial, gone in zip(remaining, pruned, strict=True) if not gone]
        losses = losses[~pruned]
    for trial, of_trial in zip(remaining, losses, strict=True):
        study.tell(trial, of_trial)
