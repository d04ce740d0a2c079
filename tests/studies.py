"""A small study for tests: the relu net's space, and losses made up by a formula."""

from collections.abc import Mapping

import numpy as np

from titanic_nn.tuning.spaces import load_space
from titanic_nn.tuning.storage import Storage, in_memory
from titanic_nn.tuning.study import Sampler, SharedStudy, Trial, tpe


def make_study(
    storage: Storage | None = None,
    *,
    seed: int = 0,
    sampler: Sampler = tpe,
    made_of: Mapping[str, object] | None = None,
) -> SharedStudy:
    space = load_space("relu")
    storage = storage or in_memory()
    return SharedStudy("s", storage, space, made_of or {}, seed=seed, sampler=sampler)


def loss_of(trial: Trial) -> float:
    """A bowl: lowest, 0.4, at a learning rate of 0.01 and 64 hidden units."""
    off = np.log10(trial.params["learning_rate"]) + 2
    return float(0.4 + 0.01 * off**2 + (trial.params["hidden"] / 64 - 1) ** 2 / 100)


def finish(study: SharedStudy, trials: list[Trial]) -> None:
    """Tell each of these trials the loss of the formula, on each of three folds."""
    for trial in trials:
        study.tell(trial, np.full(3, loss_of(trial)))
