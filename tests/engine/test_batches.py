"""Each epoch reads every training row once, in a new order, in batches of equal size."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from plain import LINEAR

from titanic_nn.engine.batches import Batches
from titanic_nn.engine.members import Members
from titanic_nn.engine.task import Block, Task, initial_nets
from titanic_nn.tables.splits import Split

ROWS = 50
TRAIN = [np.arange(0, 50, 2), np.arange(10, 33), np.arange(20, 48)]  # 25, 23 and 28 rows
SIZES = [len(rows) for rows in TRAIN]
# A row's features are its split's matrix and its position; its target is its position, too.
X = torch.stack(
    [torch.stack([torch.full((ROWS,), i), torch.arange(ROWS)], 1) for i in range(3)]
).float()  # (splits, rows, 2)
TARGETS = torch.arange(ROWS).float().unsqueeze(-1)


SPLITS = [Split(0, i, train, np.setdiff1d(np.arange(ROWS), train)) for i, train in enumerate(TRAIN)]
# Five nets: two members on the first split, one on the second, two on the third.
NETS = np.array([0, 0, 1, 2, 2])


def make_batches(steps: int, seed: int = 0, weights: NDArray[np.float32] | None = None) -> Batches:
    block = Block(NETS, np.zeros(5, dtype=np.int64), steps, batch_rows=-(-max(SIZES) // steps))
    task = Task(X, TARGETS, weights, SPLITS, Members([LINEAR], 1), seed)
    return Batches(task, block, initial_nets(task, block))


def rows_of_an_epoch(batches: Batches, net: int) -> list[list[int]]:
    """The rows that count in each of a net's batches of a new epoch, checked on the way."""
    batches.shuffle()
    epoch = []
    for x, targets, weights in batches:
        counts = weights[net, :, 0] > 0
        assert (x[net, :, 0] == NETS[net]).all()
        assert torch.equal(x[net, :, 1:], targets[net])
        epoch.append(targets[net, counts, 0].int().tolist())
    return epoch


def in_order(rows: list[list[int]]) -> list[int]:
    return sorted(row for batch in rows for row in batch)


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
@pytest.mark.parametrize("net", range(5))
def test_an_epoch_reads_each_training_row_once_and_no_other(net: int, steps: int) -> None:
    batches = make_batches(steps)
    for _ in range(3):
        epoch = rows_of_an_epoch(batches, net)
        assert len(epoch) == steps
        assert in_order(epoch) == TRAIN[NETS[net]].tolist()
        sizes = [len(batch) for batch in epoch]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("steps", [1, 4])
def test_a_batch_s_rows_weigh_the_same_and_1_together(steps: int) -> None:
    batches = make_batches(steps)
    batches.shuffle()
    for x, targets, weights in batches:
        batch_rows = -(-28 // steps)  # of the largest split
        assert x.shape == (5, batch_rows, 2)
        assert targets.shape == weights.shape == (5, batch_rows, 1)
        assert_allclose(weights.sum(1), torch.ones(5, 1), rtol=1e-6)
        for net in range(5):
            assert len(set(weights[net][weights[net] > 0].tolist())) == 1


@pytest.mark.parametrize("steps", [1, 4])
def test_a_row_counts_by_its_weight_whichever_rows_are_in_its_batch(steps: int) -> None:
    # Each split has weights of its own.
    weights = 1 + np.arange(3 * ROWS, dtype=np.float32).reshape(3, ROWS)
    batches = make_batches(steps, weights=weights)
    for _ in range(2):
        batches.shuffle()
        for _, targets, shares in batches:
            for net, split in enumerate(NETS):
                real = shares[net, :, 0] > 0
                rows = targets[net, real, 0].long().numpy()  # a target is its row
                equal = 1 / len(rows)
                wanted = equal * weights[split, rows] / weights[split, TRAIN[split]].mean()
                assert_allclose(shares[net, real, 0], wanted, rtol=1e-6)


def test_a_split_s_members_see_the_same_batches() -> None:
    batches = make_batches(steps=4)
    batches.shuffle()
    for x, _, _ in batches:
        assert torch.equal(x[0], x[1])
        assert torch.equal(x[3], x[4])
        assert not torch.equal(x[0, :, 1], x[2, :, 1])


def test_every_epoch_has_an_order_of_its_own() -> None:
    batches = make_batches(steps=4)
    first, second = rows_of_an_epoch(batches, 0), rows_of_an_epoch(batches, 0)
    assert first != second
    assert first == rows_of_an_epoch(make_batches(steps=4), 0)


def test_a_row_is_in_each_batch_equally_often() -> None:
    # Over 400 epochs a row lies in each of 4 batches 100 times, give or take 4 sd of 8.7.
    batches = make_batches(steps=4)
    epochs = [rows_of_an_epoch(batches, 1) for _ in range(400)]
    counts = torch.tensor([[10 in batch for batch in epoch] for epoch in epochs]).sum(0)
    assert counts.sum() == 400
    assert ((counts - 100).abs() < 35).all()


def test_all_rows_at_once_have_no_order() -> None:
    (rows,) = rows_of_an_epoch(make_batches(steps=1), 3)
    assert rows == TRAIN[2].tolist()
