"""Which rows train and which are held out: repeated stratified folds, and the final fit.

Where rows belong together and the rows to predict are of other groups, folds keep groups whole:
else the rest of a row's group would be known when the row is scored, but not when it counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from titanic_nn.errors import ConfigError

FINAL = -1


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions of one table: those that train, and those that are predicted."""

    repeat: int  # FINAL for the final fit
    fold: int  # FINAL for the final fit
    train: NDArray[np.int64]  # (train rows,)
    held_out: NDArray[np.int64]  # (held-out rows,)
    within: "Split | None" = None  # the split whose training rows these are, or some of them

    def __str__(self) -> str:
        """How messages call it; repeat and fold are numbered as in a run's files."""
        if self.within:
            return f"{len(self.train)} rows of {self.within}"
        return (
            "all training rows" if self.fold == FINAL else f"repeat {self.repeat}, fold {self.fold}"
        )


def repeated_stratified_splits(
    y: ArrayLike, folds: int, repeats: int, seed: int, groups: NDArray[np.int64] | None = None
) -> list[Split]:
    """Cut the labelled rows, y (rows,), into stratified folds, `repeats` times over, each shuffled.

    Within a repeat every row is held out exactly once. Asking for more repeats leaves the first
    ones as they were. The folds depend on the order of the rows, besides labels and seed.
    `groups` and errors are those of `stratified_folds`.
    """
    y = np.asarray(y)
    rows = np.arange(len(y), dtype=np.int64)
    return [
        split
        for repeat in range(repeats)
        for split in stratified_folds(rows, y, folds, repeat, [seed, repeat], groups=groups)
    ]


def most_folds(
    rows: NDArray[np.int64], y: NDArray[np.int64], groups: NDArray[np.int64] | None = None
) -> int:
    """The number of rows of the rarest class, or of groups that have such rows.

    The arguments are those of `stratified_folds`.
    """
    members = rows if groups is None else groups[rows]
    return min(len(np.unique(members[y[rows] == label])) for label in np.unique(y[rows]))


def stratified_folds(
    rows: NDArray[np.int64],
    y: NDArray[np.int64],
    folds: int,
    repeat: int,
    entropy: Sequence[int],
    within: Split | None = None,
    groups: NDArray[np.int64] | None = None,
) -> list[Split]:
    """The rows at these positions in shuffled, stratified folds; also an outer split's train rows.

    Positions are shuffled, not ids: a table with its rows in another order has other folds.

    Args:
        rows: positions in the table, (rows,).
        y: labels of the table's first rows, (labelled rows,).
        folds, repeat: how many folds, and the number of the repeat that they belong to.
        entropy: what seeds the shuffle.
        within: the split whose training rows these are, if they are one's.
        groups: the group of each of the table's first rows, (labelled rows,): no group is in two
            folds. By default any row may be in any fold.

    Raises:
        ConfigError: fewer than two folds, or more folds than rows of the rarer class, or than
            groups that have such rows.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # takes long to load

    rarer = most_folds(rows, y)
    if not 2 <= folds <= rarer:
        raise ConfigError(
            f"folds = {folds}: choose from 2 to {rarer}, the number of rows of the rarer class"
        )
    shuffle_seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    if groups is None:
        kfold, of_rows = StratifiedKFold(folds, shuffle=True, random_state=shuffle_seed), None
    else:
        # It takes the groups in the order of their numbers, which is shuffled here: before
        # scikit-learn 1.7 its own shuffling did not keep the class ratios.
        kfold = StratifiedGroupKFold(folds)
        _, numbers = np.unique(groups[rows], return_inverse=True)
        order = np.arange(numbers.max() + 1)
        np.random.RandomState(shuffle_seed).shuffle(order)
        of_rows = np.argsort(order)[numbers]
        fewest = most_folds(rows, y, groups)
        if folds > fewest:
            raise ConfigError(
                f"folds = {folds}: the rows of a class are in {fewest} groups, which stay whole; "
                f"choose at most {fewest}"
            )
    return [
        Split(repeat, fold, rows[train], rows[held_out], within)
        for fold, (train, held_out) in enumerate(kfold.split(rows, y[rows], of_rows))
    ]


def final_split(train_rows: int, test_rows: int) -> Split:
    """The split behind a submission: all labelled rows train, the test table is held out.

    It is meant for the two tables stacked, the labelled one first.
    """
    rows = np.arange(train_rows + test_rows, dtype=np.int64)
    return Split(FINAL, FINAL, train=rows[:train_rows], held_out=rows[train_rows:])
