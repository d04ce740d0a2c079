"""What tuning is worth, all of it: search within each outer fold's training rows, then score once.

The loss of a search's winner, on whatever folds of the same rows, is that of settings which some of
these rows helped to choose. Here no outer held-out row has any part in its fold's choice (Varma and
Simon 2006; Cawley and Talbot 2010).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.tables.splits import Split, repeated_stratified_splits
from titanic_nn.config import NetConfig
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.search import Schedule, nobody, search
from titanic_nn.tuning.spaces import Space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy

INNER_FOLDS = 5
INNER_REPEATS = 1


def nested_estimate(
    features: pd.DataFrame,
    y: NDArray[np.int64],
    outer: Sequence[Split],
    space: Space,
    shipped: NetConfig,
    *,
    trials: int,
    batch: int,
    n_seeds: int,
    seed: int,
    device: str,
    on_split: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Tune within each outer split, and score its winner and the shipped settings there.

    Returns a row per outer split: repeat, fold, the held-out log loss of "tuned" and "shipped", and
    the parameters that were chosen.
    """
    rows: list[dict[str, Any]] = []
    shared: dict[str, Any] = {"seeds": n_seeds, "seed": seed, "device": device}
    for number, split in enumerate(outer):
        study = SharedStudy(f"outer {number}", in_memory(), space, {}, seed=seed)
        inner = Objective(features, y, inner_splits(y, split, seed), **shared)
        search(inner, study, trials, Schedule([len(inner.splits)], nobody), batch=batch)
        best = study.best()
        assert best is not None
        judged = Objective(features, y, [split], **shared)
        tuned, untuned = judged.losses([space.config(best.params), shipped])[:, 0]
        rows.append(
            {"repeat": split.repeat, "fold": split.fold, "tuned": tuned, "shipped": untuned}
            | best.params
        )
        on_split()
    return pd.DataFrame(rows)


def inner_splits(y: NDArray[np.int64], outer: Split, seed: int) -> list[Split]:
    """Folds of an outer split's training rows alone, as positions in the whole table."""
    train = outer.train
    inner = repeated_stratified_splits(y[train], INNER_FOLDS, INNER_REPEATS, seed)
    return [replace(s, train=train[s.train], held_out=train[s.held_out]) for s in inner]
