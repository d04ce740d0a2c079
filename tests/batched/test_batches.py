"""Each epoch deals every training row once, in a new order, into batches of like size."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from titanic_nn.batched.batches import Batches
from titanic_nn.batched.members import row_order

ROWS = 50
TRAIN = [np.arange(0, 50, 2), np.arange(10, 33), np.arange(20, 48)]  # 25, 23 and 28 rows
SIZES = [len(rows) for rows in TRAIN]
# A row's features say which split's matrix and which row it is; its target says so again.
X = torch.stack(
    [torch.stack([torch.full((ROWS,), i), torch.arange(ROWS)], 1) for i in range(3)]
).float()  # (splits, rows, 2)
TARGETS = torch.arange(ROWS).float().unsqueeze(-1)


def deal(steps: int) -> Batches:
    return Batches(X, TARGETS, TRAIN, steps, [row_order((0, fold), seed=0) for fold in range(3)])


def dealt_rows(batches: Batches, split: int) -> list[list[int]]:
    """The rows that count in each of a split's batches of one epoch, checked on the way."""
    epoch = []
    for x, targets, weights in batches.epoch():
        counts = weights[split, 0, :, 0] > 0
        assert (x[split, 0, :, 0] == split).all()
        assert torch.equal(x[split, 0, :, 1:], targets[split, 0])
        epoch.append(targets[split, 0, counts, 0].int().tolist())
    return epoch


def mark(rows: list[list[int]]) -> list[int]:
    return sorted(row for batch in rows for row in batch)


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
@pytest.mark.parametrize("split", [0, 1, 2])
def test_an_epoch_deals_each_training_row_once_and_no_other(split: int, steps: int) -> None:
    batches = deal(steps)
    for _ in range(3):
        epoch = dealt_rows(batches, split)
        assert len(epoch) == steps
        assert mark(epoch) == TRAIN[split].tolist()
        sizes = [len(batch) for batch in epoch]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("steps", [1, 4])
def test_a_batch_s_rows_weigh_the_same_and_1_together(steps: int) -> None:
    for x, targets, weights in deal(steps).epoch():
        places = -(-28 // steps)  # of the largest split
        assert x.shape == (3, 1, places, 2)
        assert targets.shape == weights.shape == (3, 1, places, 1)
        assert_allclose(weights.sum(2), torch.ones(3, 1, 1), rtol=1e-6)
        for split in range(3):
            assert len(set(weights[split][weights[split] > 0].tolist())) == 1


def test_every_epoch_has_an_order_of_its_own() -> None:
    batches = deal(steps=4)
    first, second = dealt_rows(batches, 0), dealt_rows(batches, 0)
    assert first != second
    assert first == dealt_rows(deal(steps=4), 0)


def test_a_row_is_dealt_to_each_batch_alike() -> None:
    # Over 400 epochs a row lies in each of 4 batches 100 times, give or take 4 sd of 8.7.
    batches = deal(steps=4)
    epochs = [dealt_rows(batches, 1) for _ in range(400)]
    counts = torch.tensor([[10 in batch for batch in epoch] for epoch in epochs]).sum(0)
    assert counts.sum() == 400
    assert ((counts - 100).abs() < 35).all()


def test_all_rows_at_once_have_no_order() -> None:
    (rows,) = dealt_rows(deal(steps=1), 2)
    assert rows == TRAIN[2].tolist()
