"""The search: propose a batch of trials, train them together, prune the worst early."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

import numpy as np
from numpy.typing import NDArray

from titanic_nn.engine.train import scaled
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.study import SharedStudy, Trial

WAIT = 1.0  # seconds between two looks at the trials that other workers are running

# From the trials' losses so far (trials, splits): True where a trial is pruned, (trials,).
Pruner = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Schedule:
    """The stages in which a batch is trained, and what is pruned after each but the last."""

    stages: Sequence[int]  # the number of splits after which each ends; the last is all of them
    pruner: Pruner


def by_repeats(folds: int, repeats: int) -> list[int]:
    """A stage per repeat: after each, every labelled row was held out equally often."""
    return [folds * repeat for repeat in range(1, repeats + 1)]


def worse_half(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Successive halving (Jamieson and Talwalkar 2016): prune what is worse than the median."""
    means = losses.mean(axis=1)  # (trials,)
    return np.asarray(means > np.median(means))


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
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> None:
    """Run batches until `total` trials of the study are finished, by this worker or others.

    `batch` trials are proposed and trained together, and pruned as `schedule` says; after each
    batch `on_batch` is called, and while it trains `on_progress`, by several threads, with the
    fraction of all trials' work that was just done. After `timeout` seconds no further batch is
    begun.
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
                report = scaled(on_progress, len(trials) / total)
                run_batch(objective, study, trials, schedule, report)
        on_batch()


def run_batch(
    objective: Objective,
    study: SharedStudy,
    trials: Sequence[Trial],
    schedule: Schedule,
    on_progress: Callable[[float], None],
) -> None:
    """Train a batch stage by stage; record pruned trials after their stage, the rest at the end."""
    remaining = list(trials)
    losses = np.empty((len(trials), 0))
    for start, end in pairwise([0, *schedule.stages]):
        configs = [study.space.config(trial.params) for trial in remaining]
        report = scaled(on_progress, (end - start) / schedule.stages[-1])
        of_stage = objective.losses(configs, start, end, on_progress=report)
        losses = np.hstack([losses, of_stage])
        if end == schedule.stages[-1]:
            break
        pruned = schedule.pruner(losses)
        for i in np.flatnonzero(pruned):
            study.tell(remaining[i], losses[i], pruned=True)
        remaining, losses = list(compress(remaining, ~pruned)), losses[~pruned]
    for trial, of_trial in zip(remaining, losses, strict=True):
        study.tell(trial, of_trial)
