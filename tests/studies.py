"""For tests: a small experiment, and a study of the relu net whose losses are a formula's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from titanic_nn.competitions.registry import load_config
from titanic_nn.evaluation.experiment import Experiment, no_progress
from titanic_nn.tuning.spaces import load_space
from titanic_nn.tuning.storage import Storage, in_memory
from titanic_nn.tuning.study import Sampler, SharedStudy, Trial, tpe


BUNDLED = Path(__file__).parents[1] / "data" / "bundled"


def make_experiment(**overrides: Any) -> Experiment:
    """The bundled tables; two folds, drawn twice, on the CPU, unless overrides say otherwise."""
    chosen = {"folds": 2, "repeats": 2, "n_seeds": 1, "seed": 1, "device": "cpu", **overrides}
    config = load_config(**chosen)
    return Experiment.start(BUNDLED, config, {}, no_progress)


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
    """A convex function; its minimum is 0.4, at a learning rate of 0.01 and 64 hidden units."""
    off = np.log10(trial.params["learning_rate"]) + 2
    return float(0.4 + 0.01 * off**2 + (trial.params["hidden_size"] / 64 - 1) ** 2 / 100)


def finish(study: SharedStudy, trials: list[Trial]) -> None:
    """Record the formula's loss for each of these trials, on each of three folds."""
    for trial in trials:
        study.tell(trial, np.full(3, loss_of(trial)))
