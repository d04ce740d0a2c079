"""Nested cross-validation: tune within each outer fold's training rows, then score there once.

On any folds of the rows that a search has used, the loss of its best settings is biased: these rows
helped to choose them. Here no outer held-out row takes part in its fold's search (Varma and Simon
2006; Cawley and Talbot 2010).
"""

from functools import partial
from typing import Any

import pandas as pd

from titanic_nn.engine.train import scaled
from titanic_nn.errors import StudyError
from titanic_nn.evaluation.experiment import Experiment
from titanic_nn.tables.splits import stratified_folds
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.search import Schedule, no_pruning, search
from titanic_nn.tuning.spaces import Space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy


def nested_estimate(
    experiment: Experiment, space: Space, *, trials: int, batch: int
) -> pd.DataFrame:
    """Tune within each outer fold, and score the result on its held-out rows.

    Args:
        experiment: the tables; its `folds` are the outer ones, its `config` has the number of
            inner folds and the shipped settings, and its `on_progress` is called as nets train.
        space: what is searched.
        trials, batch: of each search, as `search` takes them.

    Returns:
        A row per outer fold: repeat, fold, the held-out log loss of "best" and "shipped", and the
        best parameters.

    A net that diverges on an outer fold has the largest loss there (`objective.WORST`).

    Raises:
        ConfigError: a class has fewer training rows than there are inner folds.
        StudyError: a net diverged in each of a search's trials.
    """
    config, y = experiment.config, experiment.tables.y
    rows: list[dict[str, Any]] = []
    on_progress = scaled(partial(experiment.on_progress, space.model), 1 / len(experiment.folds))
    for split in experiment.folds:
        inner = stratified_folds(
            split.train, y, config.inner_folds, 0, [config.seed, 0], groups=experiment.groups
        )
        study = SharedStudy("inner", in_memory(), space, {}, seed=config.seed)
        schedule = Schedule([len(inner)], no_pruning)
        objective = Objective(experiment, inner)
        search(objective, study, trials, schedule, batch=batch, on_progress=on_progress)
        found = study.best()
        if found is None:
            raise StudyError(
                f"a net diverged in each of the {trials} trials within {split}; "
                "narrow learning_rate with --space"
            )
        rivals = [space.config(found.params), config.nets[space.model]]
        best, shipped = Objective(experiment, [split]).losses(rivals)[:, 0]
        scores = {"best": best, "shipped": shipped}
        rows.append({"repeat": split.repeat, "fold": split.fold, **scores, **found.params})
    return pd.DataFrame(rows)
