"""Batches for many splits at once, though their training sets differ in size.

An epoch's rows are shuffled and dealt like cards, one to each batch in turn, so batches of a split
differ by one row at most and none is a handful. Where a split has fewer rows than another, its
last places are filled up with rows of weight 0.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Batches:
    """Deals the training rows of splits that take the same number of steps an epoch.

    Args:
        x: each split's encoding of the whole table, (splits, rows, features).
        targets: (rows, outputs).
        train: each split's training rows, as positions.
        steps: batches an epoch.
        orders: for each split, what draws the next order of so many rows.
    """

    def __init__(
        self,
        x: Tensor,
        targets: Tensor,
        train: Sequence[NDArray[np.int64]],
        steps: int,
        orders: Sequence[Callable[[int], Tensor]],
    ) -> None:
        self.steps = steps
        self._x, self._targets, self._orders = x, targets, orders
        self._train = [torch.from_numpy(rows) for rows in train]
        self._deals = ceil(max(map(len, train)) / steps)  # places of a batch

        sizes = torch.tensor([len(rows) for rows in train])
        place = torch.arange(self._deals * steps).view(self._deals, steps)
        dealt = (place < sizes.view(-1, 1, 1)).float()  # (splits, places, steps)
        weights = dealt / dealt.sum(1, keepdim=True)
        self._weights = weights.mT.unsqueeze(-1).to(x.device)  # (splits, steps, places, 1)

    def epoch(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Each step's x, targets and weights, (splits, 1, places, ...): the 1 is for members."""
        rows = self._dealt_rows().to(self._x.device)  # (splits, steps, places)
        splits, _, features = self._x.shape
        offset = torch.arange(splits, device=self._x.device) * self._x.shape[1]
        positions = (rows + offset.view(-1, 1, 1)).flatten()
        x = self._x.flatten(0, 1).index_select(0, positions).view(*rows.shape, features)
        targets = self._targets[rows]  # (splits, steps, places, outputs)
        for step in range(self.steps):
            here = slice(step, step + 1)
            yield x[:, here], targets[:, here], self._weights[:, here]

    def _dealt_rows(self) -> Tensor:
        """A new order of every split's training rows, dealt: (splits, steps, places)."""
        dealt = torch.zeros(len(self._train), self._deals * self.steps, dtype=torch.int64)
        for split, (train, order) in enumerate(zip(self._train, self._orders, strict=True)):
            # The whole set at once has no order.
            shuffled = train if self.steps == 1 else train[order(len(train))]
            dealt[split, : len(train)] = shuffled
        return dealt.view(-1, self._deals, self.steps).mT
