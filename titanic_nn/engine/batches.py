"""Batches for many nets at once, though their training sets differ in size.

An epoch's rows are shuffled and distributed evenly: the batches of a split differ by at most one
row. Where a split has fewer rows than another, rows of weight 0 pad its batches.
"""

from collections.abc import Iterator
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.engine.task import Block, BlockNets, Task
from titanic_nn.tables.splits import Split

EPOCHS_TIMES_ROWS = 2**14  # row numbers that are shuffled in one call
GATHERED_AT_ONCE = 2**20  # numbers of the features


class RowOrders:
    """The rows of each batch of a block of nets, some epochs at a time: call `draw`.

    Attributes:
        counts: rows of a batch that are not padding, (splits, steps).
        split_of: which of the splits is each net's, (nets,).
    """

    def __init__(self, task: Task, block: Block, nets: BlockNets) -> None:
        splits, self._device = task.splits, nets.x.device
        at_once = EPOCHS_TIMES_ROWS // max(len(splits[i].train) for i in block.splits)
        self._epochs = max(1, at_once)  # that are shuffled at once
        # Nets of a split share its order, so rows are drawn per split.
        self._own, split_of = np.unique(block.splits, return_inverse=True)
        self._orders = [orders(splits[i], block, self._epochs, task.seed) for i in self._own]
        self.split_of = torch.from_numpy(split_of).to(self._device)

        sizes = np.array([len(splits[i].train) for i in self._own])
        shape = (block.batch_rows, block.steps)
        position = np.arange(block.batch_rows * block.steps).reshape(shape).T
        self._is_row = position < sizes[:, None, None]  # (splits, steps, batch_rows): else padding
        self.counts = self._is_row.sum(-1)
        self._coming = torch.empty(0, *self._is_row.shape, dtype=torch.int64)

    def draw(self, epochs: int) -> Tensor:
        """The rows of the next epochs: of one at least, of `epochs` at most.

        They are positions in each split's own matrix, (epochs, splits, steps, batch_rows).
        """
        if not len(self._coming):
            self._coming = self._next_epochs()
        rows, self._coming = self._coming[:epochs], self._coming[epochs:]
        return rows

    def _next_epochs(self) -> Tensor:
        """The rows of the coming epochs, (epochs, splits, steps, batch_rows)."""
        rows = np.zeros((self._epochs, *self._is_row.shape), dtype=np.int64)
        for split, order in enumerate(self._orders):
            rows[:, split, self._is_row[split]] = next(order)  # (epochs, training rows)
        return torch.from_numpy(rows).to(self._device)


class Batches(RowOrders):
    """The batches of a block of nets, copied per net: in every epoch `shuffle`, then iterate."""

    def __init__(self, task: Task, block: Block, nets: BlockNets) -> None:
        super().__init__(task, block, nets)
        x, weights = nets.x, task.weights
        # The nets' matrices, one below the other, (some splits * rows, features), and where each
        # net's begins, (nets,).
        self._table, self._labels = x.flatten(0, 1), task.labels
        self._first_row = torch.from_numpy(nets.matrix_of_net * x.shape[1]).to(x.device)
        self.steps = block.steps  # of an epoch
        equal = torch.from_numpy((self._is_row / self.counts[..., None]).astype(np.float32))

        # What a step reads stays where it is in memory, so that a GPU can record the step.
        self._equal = self._for_nets(equal.unsqueeze(-1).to(x.device))
        self._weights = self._equal.clone()  # (steps, nets, batch_rows, 1)
        self._relative: Tensor | None = None  # (splits, labelled rows)
        if weights is not None:
            # With mean 1 in every split: over an epoch a row counts by its weight, whichever rows
            # are in its batch, and the mean of the batches' losses is the loss of all rows.
            means = np.array([weights[i, task.splits[i].train].mean() for i in self._own])
            self._relative = torch.from_numpy(weights[self._own] / means[:, None]).to(x)
        n_nets = len(block.splits)
        # The epoch's rows, as positions in the table, (nets, steps, batch_rows).
        shape = (n_nets, block.steps, block.batch_rows)
        self.rows = torch.zeros(shape, dtype=torch.int64, device=x.device)
        # The epoch's targets, (steps, nets, batch_rows, outputs).
        self.epoch_targets = x.new_zeros(*self._equal.shape[:-1], task.outputs)
        # Rows are gathered for several steps at once, net by net: the table stays in the cache.
        numbers = n_nets * block.batch_rows * x.shape[2]  # of a step
        self._at_once = min(block.steps, max(1, GATHERED_AT_ONCE // numbers))  # steps
        self._x = x.new_empty(n_nets, self._at_once, block.batch_rows, x.shape[2])

    def shuffle(self) -> None:
        """Put every net's training rows in a new order, the same for all nets of a split."""
        rows = self.draw(1)[0]
        torch.add(rows[self.split_of], self._first_row.view(-1, 1, 1), out=self.rows)
        self.epoch_targets.copy_(self._for_nets(self._labels[rows]))
        if self._relative is not None:
            relative = self._relative.gather(1, rows.flatten(1)).view(*rows.shape, 1)
            torch.mul(self._equal, self._for_nets(relative), out=self._weights)

    def _for_nets(self, by_split: Tensor) -> Tensor:
        """From one entry per split, (splits, steps, ...), to one per net, (steps, nets, ...)."""
        return by_split.transpose(0, 1).index_select(1, self.split_of)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Each step's x, targets and weights, (nets, batch_rows, ...); x is valid for one step."""
        for first in range(0, self.steps, self._at_once):
            rows = self.rows[:, first : first + self._at_once]  # (nets, some steps, batch_rows)
            gathered = self._x.flatten(0, 2)[: rows.numel()]
            torch.index_select(self._table, 0, rows.flatten(), out=gathered)
            for step, x in enumerate(gathered.view(*rows.shape, -1).unbind(1), first):
                yield x, self.epoch_targets[step], self._weights[step]


def orders(split: Split, block: Block, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """A split's training rows in the order of batches, so many epochs at a time."""
    if block.steps == 1:  # a batch of all rows needs no order
        return repeat(np.tile(split.train, (epochs, 1)))
    return row_orders(split, epochs, seed)


def row_orders(split: Split, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """A split's training rows in random orders, (epochs, training rows) at a time, without end."""
    sequence = np.random.SeedSequence(seed, spawn_key=(1, split.repeat + 1, split.fold + 1))
    generator = np.random.default_rng(sequence)
    while True:
        yield generator.permuted(np.tile(split.train, (epochs, 1)), axis=1)
