"""Folds are disjoint, cover every row, keep the class ratio, and depend on the seed alone."""

import numpy as np
import pytest

from titanic_nn.errors import ConfigError
from titanic_nn.tables.splits import FINAL, final_split, repeated_stratified_splits

Y = np.random.default_rng(0).permutation(
    [1] * 38 + [0] * 65
)  # 37 % are of class 1, as on the Titanic


def test_each_repeat_holds_every_row_out_once() -> None:
    splits = repeated_stratified_splits(Y, folds=5, repeats=3, seed=0)

    assert [(s.repeat, s.fold) for s in splits] == [(r, f) for r in range(3) for f in range(5)]
    for repeat in range(3):
        held_out = np.concatenate([s.held_out for s in splits if s.repeat == repeat])
        assert sorted(held_out) == list(range(103))


def test_a_split_uses_every_row_once() -> None:
    for split in repeated_stratified_splits(Y, folds=5, repeats=2, seed=0):
        assert sorted([*split.train, *split.held_out]) == list(range(103))


def test_each_fold_has_its_fraction_of_class_1_within_one_row() -> None:
    for split in repeated_stratified_splits(Y, folds=5, repeats=3, seed=0):
        assert abs(Y[split.held_out].sum() - 38 / 5) < 1


def test_repeats_differ() -> None:
    first, second = repeated_stratified_splits(Y, folds=5, repeats=2, seed=0)[::5]
    assert set(first.held_out) != set(second.held_out)


def test_more_repeats_leave_the_first_as_they_were() -> None:
    few = repeated_stratified_splits(Y, folds=5, repeats=2, seed=7)
    many = repeated_stratified_splits(Y, folds=5, repeats=4, seed=7)
    for a, b in zip(few, many, strict=False):
        np.testing.assert_array_equal(a.held_out, b.held_out)


def test_folds_depend_on_the_seed_alone() -> None:
    a, same, other = (
        repeated_stratified_splits(Y, folds=5, repeats=1, seed=seed)[0].held_out
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, same)
    assert set(a) != set(other)


@pytest.mark.parametrize("folds", [1, 39])
def test_folds_that_cannot_be_cut_are_refused(folds: int) -> None:
    message = f"folds = {folds}: choose from 2 to 38, the number of rows of the rarer class"
    with pytest.raises(ConfigError, match=message):
        repeated_stratified_splits(Y, folds=folds, repeats=1, seed=0)


def test_the_final_split_trains_on_all_labelled_rows_and_holds_out_the_test_table() -> None:
    split = final_split(train_rows=3, test_rows=2)
    assert split.train.tolist() == [0, 1, 2]
    assert split.held_out.tolist() == [3, 4]
    assert (split.repeat, split.fold) == (FINAL, FINAL)


GROUPS = np.arange(len(Y)) // 2  # two rows each


def test_no_group_is_on_both_sides_of_a_fold_and_every_row_is_held_out_once() -> None:
    splits = repeated_stratified_splits(Y, folds=5, repeats=2, seed=0, groups=GROUPS)
    for repeat in (splits[:5], splits[5:]):
        held_out = np.concatenate([split.held_out for split in repeat])
        np.testing.assert_array_equal(np.sort(held_out), np.arange(len(Y)))
    for split in splits:
        assert not set(GROUPS[split.train]) & set(GROUPS[split.held_out])
        assert abs(Y[split.held_out].mean() - Y.mean()) < 0.1
    assert set(splits[0].held_out) != set(splits[5].held_out)


def test_more_folds_than_groups_of_a_class_are_refused() -> None:
    with pytest.raises(ConfigError, match="folds = 5: the rows of a class are in 2 groups"):
        repeated_stratified_splits(Y, folds=5, repeats=1, seed=0, groups=np.arange(len(Y)) % 2)
