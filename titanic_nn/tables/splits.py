"""Which rows train and which are held out: repeated stratified folds, and the final fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold

from titanic_nn.errors import ConfigError

FINAL = -1


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions of one table: those that train, and those that are predicted."""

    repeat: int  # FINAL for the final fit
    fold: int  # FINAL for the final fit
    train: NDArray[np.int64]  # (train rows,)
    held_out: NDArray[np.int64]  # (held-out rows,)


def repeated_stratified_splits(y: ArrayLike, folds: int, repeats: int, seed: int) -> list[Split]:
    """Cut the labelled rows into stratified folds, `repeats` times over, each shuffled afresh.

    Within a repeat every row is held out exactly once. Asking for more repeats
    leaves the first ones as they were.

    Args:
        y: labels, shape (rows,).

    Returns:
        `repeats * folds` splits, repeat by repeat.

    Raises:
        ConfigError: fewer than two folds, or more folds than rows of the rarer class.
    """
    y = np.asarray(y)
    rarer = int(np.unique(y, return_counts=True)[1].min())
    if not 2 <= folds <= rarer:
        raise ConfigError(
            f"folds = {folds}: choose from 2 to {rarer}, the number of rows of the rarer class"
        )
    splits = []
    for repeat in range(repeats):
        shuffle_seed = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        kfold = StratifiedKFold(folds, shuffle=True, random_state=shuffle_seed)
        for fold, (train, held_out) in enumerate(kfold.split(y, y)):
            splits.append(Split(repeat, fold, train.astype(np.int64), held_out.astype(np.int64)))
    return splits


def final_split(train_rows: int, test_rows: int) -> Split:
    """The split behind a submission: all labelled rows train, the test table is held out.

    It is meant for the two tables stacked, the labelled one first.
    """
    rows = np.arange(train_rows + test_rows, dtype=np.int64)
    return Split(FINAL, FINAL, train=rows[:train_rows], held_out=rows[train_rows:])
