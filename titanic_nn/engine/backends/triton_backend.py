"""The Triton backend: all of a net's training in one launch on a GPU.

Written for NVIDIA's Hopper generation. In Triton's interpreter (TRITON_INTERPRET=1), which needs no
GPU, tests compare it with the eager backend.
"""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray

from titanic_nn.engine.backends.base import LINEAR_AND_RELU, Backend, lists
from titanic_nn.engine.batches import orders
from titanic_nn.engine.task import Block, BlockNets, Task
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.optimizers import SCHEDULES, Adam

# The largest tiles that a multiprocessor's registers and shared memory hold.
BATCH_ROWS, FEATURES, HIDDEN = 128, 64, 64
SMALLEST_TILE = 16  # of a matrix product
WARPS = 8


class Triton(Backend):
    """Linear models and nets with one layer of ReLUs, one on each multiprocessor of a GPU."""

    name = "triton"
    n_reports = 1  # a launch returns at once: nothing is known in between
    supported = LINEAR_AND_RELU

    def supports(self, task: Task) -> bool:
        """What the list has and the tiles hold, on a Hopper GPU or in Triton's interpreter."""
        return (
            lists(self.supported, task)
            and task.batch_rows <= BATCH_ROWS
            and task.x.shape[2] + 1 <= FEATURES
            and sum(task.members.shared.layer_widths) <= HIDDEN
            and find_spec("triton") is not None
            and _can_launch(task.device)
        )

    def worthwhile(self, task: Task, part: float) -> bool:
        """On a GPU, always."""
        return task.device.type == "cuda"

    def host_numbers(self, task: Task) -> int:
        """The orders of all epochs."""
        return task.members.shared.epochs * task.x.shape[1]

    def start(self, task: Task, block: Block, nets: BlockNets) -> Callable[[int], None]:
        """Whatever the host makes is on the device before the first launch; nothing waits later."""
        from titanic_nn.engine.backends import triton_kernel

        config, x, own = task.members.shared, nets.x, nets.hyperparameters
        hidden = sum(config.layer_widths)  # of the one layer, or none
        kernel = triton_kernel.train_relu if hidden else triton_kernel.train_linear
        splits, net_of, split_of = np.unique(block.splits, return_index=True, return_inverse=True)
        sizes = [len(task.splits[i].train) for i in splits]
        # Where in the table the rows are, in the order of batches.
        positions = np.zeros((len(sizes), config.epochs, max(sizes)), dtype=np.int32)
        for position, i, matrix in zip(positions, splits, nets.matrix_of_net[net_of], strict=True):
            order = next(orders(task.splits[i], block, config.epochs, task.seed))
            position[:, : order.shape[1]] = matrix * x.shape[1] + order  # (epochs, training rows)

        data = triton_kernel.Rows(
            table=x.flatten(0, 1),
            labels=task.labels.flatten(),
            split_of_net=torch.from_numpy(split_of).to(x.device),
            orders=torch.from_numpy(positions).to(x.device),
            sizes=torch.tensor(sizes, dtype=torch.int32, device=x.device),
            epochs=config.epochs,
            longest=max(sizes),
            steps=block.steps,
            rows=x.shape[1],
        )
        state = Adam().init(nets.flat)
        names = ("learning_rate", "weight_decay", "l1", "l2")
        arrays = triton_kernel.Arrays(
            params=nets.flat,
            exp_avg=state["exp_avg"],
            exp_avg_sq=state["exp_avg_sq"],
            own=torch.cat([own.value(name) for name in names], -1),
            schedule=torch.from_numpy(_schedule(config, config.epochs * block.steps)).to(x.device),
        )
        constants = {
            "features": x.shape[2],
            "hidden": hidden,
            "BATCH_ROWS": _tile(block.batch_rows),
            "FEATURES": _tile(x.shape[2] + 1),
            "HIDDEN": _tile(hidden),
        }
        done = 0

        def train(epochs: int) -> None:
            nonlocal done
            first, done = done, done + epochs
            kernel[(len(nets.flat),)](data, arrays, first, done, **constants, num_warps=WARPS)

        return train


def _schedule(config: NetConfig, steps: int) -> NDArray[np.float32]:
    """Each step's factor on the learning rate, Adam's correction of it, its epsilon, (steps, 3)."""
    factor = [SCHEDULES[config.schedule](step, steps) for step in range(steps)]
    step = np.arange(1, steps + 1)
    bias_correction1, bias_correction2 = 1 - Adam.beta1**step, 1 - Adam.beta2**step
    root = np.sqrt(bias_correction2)
    table = np.stack([factor, root / bias_correction1, Adam.epsilon * root], axis=1)
    return table.astype(np.float32)  # only now: 1 - 0.999 has few digits in it


def _can_launch(device: torch.device) -> bool:
    """Whether it is a Hopper GPU, with a C compiler to build a launcher; or interpreted."""
    if device.type != "cuda":
        return os.environ.get("TRITON_INTERPRET") == "1"
    compilers = (os.environ.get("CC"), "clang", "gcc")
    has_compiler = any(name and shutil.which(name) for name in compilers)
    return has_compiler and torch.cuda.get_device_capability(device)[0] == 9


def _tile(size: int) -> int:
    """The power of two that holds so many."""
    return max(SMALLEST_TILE, 1 << (size - 1).bit_length())
