"""The numba backend: a net's epoch in loops that are compiled for the CPU, one net after the other.

Stacked tensors go through memory once for every operation of a step. One net alone, with its table
and Adam's state, fits a core's nearest cache, where numba_loops.py trains it twice as fast.
"""

from collections.abc import Callable
from importlib import import_module
from math import ceil

import numpy as np

from titanic_nn.engine import rng
from titanic_nn.engine.backends.base import DEEP, LINEAR_AND_RELU, Backend, lists
from titanic_nn.engine.batches import RowOrders
from titanic_nn.engine.task import Block, BlockNets, Task
from titanic_nn.nets.optimizers import Adam

WORTH_COMPILING = 2**30  # products of a row and a parameter: a second's work
STACKED_STEP = 2**17  # as many take the time of a step of stacked tensors, however few its nets
# A first layer of so many units, at least, skips the zeros of sparse columns: those that are not 0
# in a smaller fraction of the rows. A number of theirs takes as long as five of dense columns, and
# longer where a split's matrix has more numbers than a cache holds.
WIDE, SPARSE, CACHED = 64, 0.22, 2**20
OF_WEIGHTS = ("weight_decay", "l1", "l2")  # settings that do not act on biases


class Numba(Backend):
    """Linear models, and nets of ReLUs with any number of layers, on a CPU."""

    name = "numba"
    supported = LINEAR_AND_RELU | DEEP

    def supports(self, task: Task) -> bool:
        """What the list has, where numba is installed and can keep what it compiles."""
        if task.device.type != "cpu" or not lists(self.supported, task):
            return False
        try:
            import_module("titanic_nn.engine.backends.numba_loops")
        except (ImportError, RuntimeError):
            return False
        return True

    def worthwhile(self, task: Task, part: float) -> bool:
        """Long tasks, and parts of long jobs: compiling takes seconds."""
        sizes = [len(split.train) for split in task.splits]
        rows, steps = len(task.members) * sum(sizes), ceil(max(sizes) / task.batch_rows)
        products = rows * task.n_parameters + steps * STACKED_STEP  # of an epoch
        return task.members.shared.epochs * products >= part * WORTH_COMPILING

    def start(self, task: Task, block: Block, nets: BlockNets) -> Callable[[int], None]:
        """The loops work on memory that they share with the tensors."""
        from titanic_nn.engine.backends import numba_loops as loops

        config, own = task.members.shared, nets.hyperparameters
        rows = RowOrders(task, block, nets)
        first, last = nets.matrix_of_net.min(), nets.matrix_of_net.max()
        x = nets.x[first : last + 1].flatten(0, 1).numpy()  # the block's own
        widths = (nets.x.shape[2], *config.layer_widths, 1)
        is_dense = np.ones(nets.x.shape[2], bool)
        if widths[1] >= WIDE and nets.x[0].numel() <= CACHED:
            is_dense = (nets.x[0].numpy() != 0).mean(axis=0) >= SPARSE
        dense_columns = np.flatnonzero(is_dense)
        indptr, indices, values = loops.compress(x, np.flatnonzero(~is_dense))
        data = loops.Data(
            dense=x if is_dense.all() else np.take(x, dense_columns, axis=1),
            dense_columns=dense_columns,
            indptr=indptr,
            indices=indices,
            values=values,
            labels=task.labels.squeeze(-1).numpy(),
            split_of=rows.split_of.numpy(),
            first_row=(nets.matrix_of_net - first) * nets.x.shape[1],
            counts=rows.counts,
        )
        state = Adam().init(nets.flat)
        streams = [rng.stream_of(f"dropout{i}") for i in range(1, len(widths) - 1)]
        arrays = loops.Arrays(
            widths=np.array(widths),
            params=nets.flat.numpy(),
            exp_avg=state["exp_avg"].numpy(),
            exp_avg_sq=state["exp_avg_sq"].numpy(),
            keys=nets.keys.numpy().view(np.uint32),
            streams=np.array(streams, np.uint32),
        )
        rates = own.learning_rates(config.epochs * block.steps).squeeze(-1).T  # (nets, all steps)
        dropout = own.value("dropout") if "dropout" in config.per_member else 0 * own.value("l1")
        per_net = loops.PerNet(
            learning_rates=rates.contiguous().numpy(),
            **{name: (own.value(name) * nets.is_weight).numpy() for name in OF_WEIGHTS},
            dropout=dropout.squeeze(-1).numpy(),
        )
        step = 0

        def train(epochs: int) -> None:
            nonlocal step
            while epochs:
                coming = rows.draw(epochs)
                loops.train_epochs(coming.numpy(), data, arrays, per_net, step)
                epochs -= len(coming)
                step += len(coming) * block.steps

        return train
