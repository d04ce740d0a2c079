"""All of a net's training in one launch on a GPU: where that applies, and what kernels.py needs.

Written for NVIDIA's Hopper generation. Tests hold the kernels to the stacked road in Triton's
interpreter, which needs no GPU.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.engine.batches import orders
from titanic_nn.engine.backends.numba_backend import is_plain
from titanic_nn.engine.members import Block, Members, Hyperparameters, Split
from titanic_nn.nets.optimizers import SCHEDULES, Adam, State
from titanic_nn.nets.config import DeepConfig, NetConfig

# The largest tiles that a multiprocessor's registers and shared memory hold.
PLACES, FEATURES, HIDDEN = 128, 64, 64
SMALLEST_TILE = 16  # that a matrix product takes
WARPS = 8


def fits_on_chip(members: Members, features: int, places: int, device: torch.device) -> bool:
    """Whether kernels.py has these nets, and the device can hold one on each multiprocessor.

    places: rows of a batch.
    """
    config = members.shared
    return (
        device.type == "cuda"
        and _triton_works()
        and torch.cuda.get_device_capability(device)[0] == 9  # Hopper
        and is_plain(config)
        and not isinstance(config, DeepConfig)
        and places <= PLACES
        and features + 1 <= FEATURES
        and sum(members.shared.layer_widths) <= HIDDEN
    )


def train_on_chip(
    own: Hyperparameters,
    x: Tensor,
    which: NDArray[np.int64],
    labels: Tensor,
    splits: Sequence[Split],
    block: Block,
    seed: int,
    flat: Tensor,
    state: State,
) -> Callable[[int], None]:
    """What trains these nets for so many epochs more, each time in one launch.

    All that is drawn and computed on the host is on the device before the first launch: nothing
    waits for the host in between.

    Args:
        x: (some splits, rows, features).
        which: each net's matrix in x, (nets,).
        labels: (labelled rows, 1).
        flat: parameters, (nets, parameters), which change in place.
        state: Adam's, likewise.
    """
    from titanic_nn.engine import kernels

    config = own.members.shared
    hidden = sum(own.members.shared.layer_widths)  # of the one layer, or none
    kernel = kernels.train_relu if hidden else kernels.train_linear
    own_splits, net_of, split_of = np.unique(block.splits, return_index=True, return_inverse=True)
    sizes = [len(splits[i].train) for i in own_splits]
    # Where in the table the rows are, in the order in which they are dealt.
    positions = np.zeros((len(sizes), config.epochs, max(sizes)), dtype=np.int32)
    for position, i, matrix in zip(positions, own_splits, which[net_of], strict=True):
        order = next(orders(splits[i], block, config.epochs, seed))  # (epochs, rows that train)
        position[:, : order.shape[1]] = matrix * x.shape[1] + order

    names = ("learning_rate", "weight_decay", "l1", "l2")
    tensors = (
        x.flatten(0, 1),
        labels.flatten(),
        torch.from_numpy(split_of).to(x.device),
        torch.from_numpy(positions).to(x.device),
        torch.tensor(sizes, dtype=torch.int32, device=x.device),
        flat,
        state["mean"],
        state["square"],
        torch.cat([own.value(name) for name in names], -1),  # (nets, 4)
        torch.from_numpy(_schedule(config, config.epochs * block.steps)).to(x.device),
    )
    numbers = (config.epochs, max(sizes), block.steps, x.shape[1])
    constants = {
        "features": x.shape[2],
        "hidden": hidden,
        "PLACES": _tile(block.places),
        "FEATURES": _tile(x.shape[2] + 1),
        "HIDDEN": _tile(hidden),
    }
    done = 0

    def train(epochs: int) -> None:
        nonlocal done
        kernel[(len(flat),)](*tensors, done, done + epochs, *numbers, **constants, num_warps=WARPS)
        done += epochs

    return train


def _schedule(config: NetConfig, steps: int) -> NDArray[np.float32]:
    """Each step's factor on the learning rate, Adam's correction of it, its epsilon, (steps, 3).

    In float64 until the end: 1 - 0.999 has few digits in float32.
    """
    factor = [SCHEDULES[config.schedule](step, steps) for step in range(steps)]
    step = np.arange(1, steps + 1)
    seen1, seen2 = 1 - Adam.beta1**step, 1 - Adam.beta2**step
    table = np.stack([factor, np.sqrt(seen2) / seen1, Adam.epsilon * np.sqrt(seen2)], axis=1)
    return table.astype(np.float32)


def _triton_works() -> bool:
    """Whether it is installed, and the C compiler with which it builds a kernel's launcher."""
    compilers = (os.environ.get("CC"), "clang", "gcc")
    return find_spec("triton") is not None and any(
        name and shutil.which(name) for name in compilers
    )


def _tile(size: int) -> int:
    """The power of two that holds so many."""
    return max(SMALLEST_TILE, 1 << (size - 1).bit_length())
