"""Predictions that are the same bits for a row, whatever other rows are predicted with it.

A matrix product may add up in another order when a matrix has other rows, and vectorised functions
may round the last few numbers of an array differently. In training that does not matter. A
prediction must not depend on how a table was cut into pieces, so both are avoided here.
"""

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
    """A tensor whose `@` adds up from the first feature to the last, one after the other."""

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
    """Class probabilities of rows x (rows, features), averaged over some nets.

    params: of all nets, each (nets, ...), on the CPU. Returns (rows, classes).
    """
    # Threads would divide an array, and each might round the end of its part differently.
    with torch_threads(1):
        chunks = np.split(x, range(ROWS_AT_ONCE, len(x), ROWS_AT_ONCE))
        return np.concatenate([_some_rows(net, params, chunk) for chunk in chunks])


def _some_rows(net: Net, params: Params, x: NDArray[np.float32]) -> NDArray[np.float64]:
    padded = np.pad(x, ((0, -len(x) % MULTIPLE), (0, 0)))
    rows = cast(Tensor, torch.from_numpy(padded).as_subclass(_RowByRow))
    # In float64, in which a confident prediction does not round to 0 or 1.
    logits = net.logits(params, rows).as_subclass(Tensor).double()  # (nets, rows, outputs)
    if logits.shape[-1] == 1:  # not 1 - p, which loses the digits of a small probability
        by_net = torch.cat([probabilities(-logits), probabilities(logits)], -1)
    else:
        by_net = probabilities(logits)  # (nets, rows, classes)
    total = torch.zeros_like(by_net[0])
    for one in by_net:
        total += one
    return (total / len(by_net)).numpy()[: len(x)]
