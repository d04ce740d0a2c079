"""Predictions in which each row stands alone: the same bits, whatever rows stand beside it.

A matrix product may add up in another order when a matrix has other rows, and vectorised functions
may round the last few numbers of an array in another way. In training that does not matter. A
prediction should not depend on how a table was cut into pieces, so here neither happens.
"""

from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.engine.device import torch_threads
from titanic_nn.nets.batch import Net, Params
from titanic_nn.nets.losses import probabilities

# Rows that are predicted at a time; a multiple of what any processor's vectors hold.
ROWS_AT_ONCE = 1024
MULTIPLE = 64


class _RowByRow(Tensor):
    """A tensor whose `@` adds up from the first feature to the last, one at a time."""

    def __matmul__(self, w: Tensor) -> Tensor:  # type: ignore[override]
        """Of rows (..., rows, features) and weights (..., features, outputs)."""
        product = self[..., :1] * w[..., :1, :]  # (..., rows, outputs)
        summand = torch.empty_like(product)
        for f in range(1, w.shape[-2]):
            torch.mul(self[..., f : f + 1], w[..., f : f + 1, :], out=summand)
            product.add_(summand)
        return product


@torch.no_grad()
def mean_probabilities(net: Net, params: Params, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """What some nets say of rows x (rows, features), averaged over the nets.

    params: of all nets, each (nets, ...), on the CPU. Returns (rows, classes).
    """
    # Threads would share an array out, and each round the end of its part in its own way.
    with torch_threads(1):
        parts = [
            _some_rows(partial(net.logits, params), x[first : first + ROWS_AT_ONCE])
            for first in range(0, len(x), ROWS_AT_ONCE)
        ]
    return np.concatenate(parts)


def _some_rows(
    logits_of: Callable[[Tensor], Tensor], x: NDArray[np.float32]
) -> NDArray[np.float64]:
    filled_up = np.zeros((-(-len(x) // MULTIPLE) * MULTIPLE, x.shape[1]), dtype=np.float32)
    filled_up[: len(x)] = x
    rows = cast(Tensor, torch.from_numpy(filled_up).as_subclass(_RowByRow))
    # In float64, where a net that is very sure does not round to 0 or 1.
    logits = logits_of(rows).as_subclass(Tensor).double()  # (nets, rows, outputs)
    if logits.shape[-1] == 1:  # each class by itself: 1 - p would lose what is small
        by_net = torch.cat([probabilities(-logits), probabilities(logits)], -1)
    else:
        by_net = probabilities(logits)  # (nets, rows, classes)
    total = torch.zeros_like(by_net[0])
    for one in by_net:
        total += one
    return (total / len(by_net)).numpy()[: len(x)]
