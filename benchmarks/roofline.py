"""How fast could a machine train these nets at best? The roofline (Williams et al. 2009).

A net needs so many operations and moves so many bytes; the slower of the two limits a machine that
does nothing else. Both rates are measured here, not taken from a data sheet.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Work:
    """What training one net takes at least.

    Attributes:
        operations: multiplications and additions of its matrix products.
        bytes: rows read, with their number and label, and parameters in and out once.
    """

    operations: float
    bytes: float


def work_of_a_net(widths: Sequence[int], rows: float, epochs: int) -> Work:
    """For layers of these widths, on so many training rows."""
    layers = list(pairwise(widths))
    products = sum(i * o for i, o in layers)
    # Forward and to the weights in each layer, to the layer below in all but the first.
    a_row = 2 * (3 * products - layers[0][0] * layers[0][1])
    parameters = sum((i + 1) * o for i, o in layers)
    read = epochs * rows * (widths[0] + 2)
    return Work(epochs * rows * a_row, FLOAT * (read + 2 * parameters))


@dataclass(frozen=True)
class Rates:
    """A machine's peak rates: operations (float32) and bytes per second."""

    operations: float
    bytes: float

    def nets_per_second(self, work: Work) -> float:
        """The roofline."""
        return min(self.operations / work.operations, self.bytes / work.bytes)


def measure_rates(device: torch.device) -> Rates:
    """Of one large product and one large copy, each the best of ten."""
    side, copied = (8192, 2**28) if device.type == "cuda" else (1024, 2**24)
    a, b, product = torch.rand(3, side, side, device=device)
    source, target = torch.rand(2, copied, device=device)
    multiply = _fastest(lambda: torch.mm(a, b, out=product), device)
    copy = _fastest(lambda: target.copy_(source), device)
    return Rates(2 * side**3 / multiply, 2 * FLOAT * copied / copy)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of ten runs."""
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
