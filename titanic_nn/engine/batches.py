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

from titanic_nn.engine.members import Block, Split, row_orders

# Row numbers that are shuffled in one go: one call for several epochs costs less than several.
EPOCHS_TIMES_ROWS = 2**14
# Numbers of the features that are gathered in one go.
GATHERED_AT_ONCE = 2**20


class Batches:
    """The batches of a block of nets: shuffle, then iterate, for every epoch.

    Args:
        x: some splits' encodings of the whole table, (some splits, rows, features).
        which: each net's among them, (nets,).
        targets: (rows, outputs).
        splits: all splits, with the rows that train.
        block: which nets, how many steps an epoch, how many places a batch.
        seed: the number that all randomness grows from.
        weights: how much a labelled row counts in each split, (splits, labelled rows), or None: all
            alike.

    Attributes:
        steps: batches an epoch.
        table: these matrices, one below the other, (some splits * rows, features).
        rows: this epoch's rows, as positions in the table, (nets, steps, places).
        counts: how many places of a batch are taken, not filled up, (nets, steps).
        epoch_targets: this epoch's targets, (steps, nets, places, outputs).
    """

    def __init__(
        self,
        x: Tensor,
        which: NDArray[np.int64],
        targets: Tensor,
        splits: Sequence[Split],
        block: Block,
        seed: int,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        rows_at_once = EPOCHS_TIMES_ROWS // max(len(splits[i].train) for i in block.splits)
        self._epochs = max(1, rows_at_once)  # that are dealt in one go
        self.steps, self.table, self._targets = block.steps, x.flatten(0, 1), targets
        # Nets of a split share its order, so rows are dealt to splits, and then handed to nets.
        own, split_of = np.unique(block.splits, return_inverse=True)
        self._orders = [orders(splits[i], block, self._epochs, seed) for i in own]
        self._split_of = torch.from_numpy(split_of).to(x.device)  # (nets,)
        # Of each net's matrix in the table, (nets, 1, 1).
        self._first_row = torch.from_numpy(which * x.shape[1]).view(-1, 1, 1).to(x.device)

        sizes = np.array([len(splits[i].train) for i in own])
        place = np.arange(block.steps * block.places).reshape(block.places, block.steps).T
        self._dealt = place < sizes[:, None, None]  # (splits, steps, places): else filled up
        counts = self._dealt.sum(-1)  # (splits, steps)
        self.counts = counts[split_of]
        shares = torch.from_numpy((self._dealt / counts[..., None]).astype(np.float32))

        # What a step reads keeps its place in memory, so that a GPU can record the step.
        nets, features = len(block.splits), x.shape[2]
        self._equal = self._for_nets(shares.unsqueeze(-1).to(x.device))
        self._weights = self._equal.clone()  # (steps, nets, places, 1)
        self._relative: Tensor | None = None  # (splits, labelled rows)
        if weights is not None:
            # Around 1 in every split, so that over an epoch a row counts by its weight, whichever
            # rows share its batch: the mean of many batches is the loss of all rows.
            means = np.array([weights[i, splits[i].train].mean() for i in own])
            self._relative = torch.from_numpy(weights[own] / means[:, None]).to(x)
        shape = (nets, block.steps, block.places)
        self.rows = torch.zeros(shape, dtype=torch.int64, device=x.device)
        self.epoch_targets = torch.zeros_like(self._for_nets(targets[shares.long().to(x.device)]))
        # Rows are gathered for several steps at a time: net by net, a core's cache holds the table.
        self._at_once = min(
            block.steps, max(1, GATHERED_AT_ONCE // (nets * block.places * features))
        )
        self._x = x.new_empty(nets, self._at_once, block.places, features)
        self._coming: Iterator[Tensor] = iter(())

    def shuffle(self) -> None:
        """Deal every net's training rows in a new order, the same for all nets of a split."""
        rows = next(self._coming, None)  # (splits, steps, places)
        if rows is None:
            self._coming = iter(self._deal())
            rows = next(self._coming)
        torch.add(rows[self._split_of], self._first_row, out=self.rows)
        self.epoch_targets.copy_(self._for_nets(self._targets[rows]))
        if self._relative is not None:
            relative = self._relative.gather(1, rows.flatten(1)).view(*rows.shape, 1)
            torch.mul(self._equal, self._for_nets(relative), out=self._weights)

    def _for_nets(self, by_split: Tensor) -> Tensor:
        """What splits have, (splits, steps, ...), for their nets, (steps, nets, ...)."""
        return by_split.transpose(0, 1).index_select(1, self._split_of)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Each step's x, targets and weights, (nets, places, ...). x is overwritten by the next."""
        for first in range(0, self.steps, self._at_once):
            rows = self.rows[:, first : first + self._at_once]  # (nets, some steps, places)
            gathered = self._x.flatten(0, 2)[: rows.numel()]
            torch.index_select(self.table, 0, rows.flatten(), out=gathered)
            by_step = gathered.view(*rows.shape, -1).unbind(1)
            for step, x in enumerate(by_step, first):
                yield x, self.epoch_targets[step], self._weights[step]

    def _deal(self) -> Tensor:
        """The rows of the coming epochs' batches, (epochs, splits, steps, places)."""
        rows = np.zeros((self._epochs, *self._dealt.shape), dtype=np.int64)
        for split, dealt in enumerate(self._orders):
            rows[:, split, self._dealt[split]] = next(dealt)  # (epochs, training rows)
        return torch.from_numpy(rows).to(self._x.device)


def orders(split: Split, block: Block, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The order in which a split's training rows are dealt, so many epochs at a time."""
    if block.steps == 1:  # all rows at once need no order
        return repeat(np.tile(split.train, (epochs, 1)))
    return row_orders(split, epochs, seed)
