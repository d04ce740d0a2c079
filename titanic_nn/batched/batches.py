"""Batches for many nets at once, though their training sets differ in size.

An epoch's rows are shuffled and dealt as evenly as can be, so that batches of a split differ by one
row at most and none is a handful. Where a split has fewer rows than another, its
last places are filled up with rows of weight 0.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.batched.members import Block, Split, row_orders

# Row numbers that are shuffled in one go: one call for several epochs costs less than several.
EPOCHS_TIMES_ROWS = 2**14
# Numbers of the features that are gathered in one go.
GATHERED_AT_ONCE = 2**20


class Batches:
    """The batches of a block of nets: shuffle, then iterate, for every epoch.

    Args:
        x: each split's encoding of the whole table, (splits, rows, features).
        targets: (rows, outputs).
        splits: all splits, with the rows that train.
        block: which nets, how many steps an epoch, how many places a batch.
        seed: the number that all randomness grows from.
        weights: how much a labelled row counts in each split, (splits, labelled rows), or None: all
            alike.

    Attributes:
        steps: batches an epoch.
        table: every split's matrix, one below the other, (splits * rows, features).
        rows: this epoch's rows, as positions in the table, (nets, steps, places).
        counts: how many places of a batch are taken, not filled up, (nets, steps).
        epoch_targets: this epoch's targets, (steps, nets, places, outputs).
    """

    def __init__(
        self,
        x: Tensor,
        targets: Tensor,
        splits: Sequence[Split],
        block: Block,
        seed: int,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        rows_at_once = EPOCHS_TIMES_ROWS // max(len(splits[i].train) for i in block.splits)
        self._epochs = max(1, rows_at_once)  # that are dealt in one go
        self.steps, self.table, self._targets = block.steps, x.flatten(0, 1), targets
        # Of each net's matrix in the table, (nets, 1, 1).
        self._first_row = (block.splits * x.shape[1])[:, None, None]
        self._nets_of = {int(i): np.flatnonzero(block.splits == i) for i in np.unique(block.splits)}
        self._orders = {i: _orders(splits[i], block, self._epochs, seed) for i in self._nets_of}

        sizes = np.array([len(splits[i].train) for i in block.splits])
        place = np.arange(block.steps * block.places).reshape(block.places, block.steps).T
        self._dealt = place < sizes[:, None, None]  # (nets, steps, places): else filled up
        self.counts = self._dealt.sum(-1)
        shares = self._dealt / self.counts[..., None]

        # What a step reads keeps its place in memory, so that a GPU can record the step.
        nets, features = len(block.splits), x.shape[2]
        equal = torch.from_numpy(shares.astype(np.float32)).transpose(0, 1).contiguous()
        self._equal = equal.unsqueeze(-1).to(x.device)  # (steps, nets, places, 1)
        self._weights = self._equal.clone()
        self._relative: NDArray[np.float32] | None = None  # (nets, labelled rows)
        if weights is not None:
            # Around 1 in every split, so that over an epoch a row counts by its weight, whichever
            # rows share its batch: the mean of many batches is the loss of all rows.
            means = [weights[i, splits[i].train].mean() for i in block.splits]
            self._relative = weights[block.splits] / np.array(means)[:, None]
        self.rows = torch.zeros(self._dealt.shape, dtype=torch.int64).to(x.device)
        shape = (block.steps, nets, block.places, targets.shape[1])
        self.epoch_targets = targets.new_zeros(shape)
        # Rows are gathered for several steps at a time: net by net, a core's cache holds the table.
        self._at_once = min(
            block.steps, max(1, GATHERED_AT_ONCE // (nets * block.places * features))
        )
        self._x = x.new_empty(nets, self._at_once, block.places, features)
        self._coming: Iterator[NDArray[np.int64]] = iter(())

    def shuffle(self) -> None:
        """Deal every net's training rows in a new order, the same for all nets of a split."""
        rows = next(self._coming, None)  # (nets, steps, places)
        if rows is None:
            self._coming = iter(self._deal())
            rows = next(self._coming)
        self.rows.copy_(torch.from_numpy(rows + self._first_row))
        by_step = torch.from_numpy(rows.transpose(1, 0, 2)).to(self._x.device)
        self.epoch_targets.copy_(self._targets[by_step])
        if self._relative is not None:
            counts = np.take_along_axis(self._relative[:, None], rows, axis=-1)  # like rows
            by_step = torch.from_numpy(counts.transpose(1, 0, 2)).unsqueeze(-1)
            torch.mul(self._equal, by_step.to(self._x.device), out=self._weights)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Each step's x, targets and weights, (nets, places, ...). x is overwritten by the next."""
        for first in range(0, self.steps, self._at_once):
            rows = self.rows[:, first : first + self._at_once]  # (nets, some steps, places)
            gathered = self._x.flatten(0, 2)[: rows.numel()]
            torch.index_select(self.table, 0, rows.flatten(), out=gathered)
            by_step = gathered.view(*rows.shape, -1).unbind(1)
            for step, x in enumerate(by_step, first):
                yield x, self.epoch_targets[step], self._weights[step]

    def _deal(self) -> NDArray[np.int64]:
        """The rows of the coming epochs' batches, (epochs, nets, steps, places)."""
        rows = np.zeros((self._epochs, *self._dealt.shape), dtype=np.int64)
        for split, nets in self._nets_of.items():
            order = next(self._orders[split])  # (epochs, training rows)
            one = np.zeros((self._epochs, *self._dealt.shape[1:]), dtype=np.int64)
            one[:, self._dealt[nets[0]]] = order
            rows[:, nets] = one[:, None]
        return rows


def _orders(split: Split, block: Block, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    if block.steps == 1:  # all rows at once need no order
        return repeat(np.tile(split.train, (epochs, 1)))
    return row_orders(split, epochs, seed)
