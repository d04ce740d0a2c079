"""The training of many nets at once.

One axis leads every tensor: nets, each of them a member on a split. Nets are trained in blocks that
fit the processor's cache (or a GPU's memory), on a CPU one block per core; a backend trains a
block. A net's numbers do not depend on the block that it is in, except for float rounding.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from titanic_nn.engine.backends import BACKENDS, choose_backend
from titanic_nn.engine.cost import memory_faults
from titanic_nn.engine.device import torch_threads
from titanic_nn.engine.members import Members
from titanic_nn.engine.task import Block, BlockNets, SplitData, Task, TrainedNets, initial_nets
from titanic_nn.errors import DivergenceError
from titanic_nn.nets.batch import is_trained
from titanic_nn.nets.losses import Loss, probabilities
from titanic_nn.nets.registry import spec_of
from titanic_nn.tables.splits import Split

__all__ = [
    "SplitData",
    "TrainedNets",
    "divergence",
    "make_task",
    "scaled",
    "train_blocks",
    "train_nets",
]

CPU_BLOCK = 2**19  # floats of a block's largest tensors in a step: about what a core's cache holds
CPU_ROWS = 2**23  # predictions (nets times rows) that a block may make: bounds its memory
# Numbers that the host makes for a block's splits: matrices on demand, orders for a kernel.
CPU_MADE, GPU_MADE = 2**24, 2**28
PREDICTED_AT_ONCE = 2**12  # few enough for the cache, enough for few calls
GPU_FRACTION = 0.5  # of a GPU's free memory that a block may take


def train_nets(
    data: SplitData,
    members: Members,
    *,
    seed: int,
    device: torch.device,
    history_points: int = 1,
    backend: str | None = None,
    part: float = 1.0,
    keep_diverged: bool = False,
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> TrainedNets:
    """Train every member on every split's training rows.

    Args:
        data: matrices, labels, splits and row weights.
        members: the settings and seeds that each split trains.
        seed: the random seed.
        device: where to train.
        history_points: of the learning curves, evenly over the epochs.
        backend: "eager", "numba" or "triton"; by default the fastest that supports these nets.
        part: the fraction of a longer job that this call is, so that compiling may pay although
            the call is short; 0 for a job of many calls, such as a study.
        keep_diverged: return nets that diverged, too; the caller reads `TrainedNets.diverged`.
        on_progress: is called with the fraction of the work that was just done.

    Raises:
        ConfigError: a backend does not support these nets, this data or this device; or memory is
            exhausted.
        DivergenceError: a net diverged, whichever of them. An average over the other seeds would
            be another model than the one that was asked for.
    """
    task = make_task(data, members, seed, device, history_points, backend, part)
    with memory_faults():
        blocks, trained = zip(*train_blocks(task, on_progress), strict=True)
    position = np.concatenate([block.splits * len(members) + block.members for block in blocks])
    order = torch.from_numpy(np.argsort(position)).to(device)

    def in_order(by_block: list[Tensor]) -> Tensor:
        by_net = torch.cat(by_block)[order]
        return by_net.view(len(data.splits), len(members), *by_net.shape[1:])

    first = trained[0]
    nets = TrainedNets(
        first.net,
        {name: in_order([nets.params[name] for nets in trained]) for name in first.params},
        in_order([nets.probability for nets in trained]),
        first.epochs,
        in_order([nets.loss for nets in trained]),
        in_order([nets.accuracy for nets in trained]),
        in_order([nets.diverged for nets in trained]),
    )
    error = divergence(nets.diverged, data.splits, members)
    if error and not keep_diverged:
        raise error
    return nets


def divergence(
    diverged: Tensor, splits: Sequence[Split], members: Members
) -> DivergenceError | None:
    """What to say of nets that diverged, (splits, members) as in `TrainedNets`; None if none did.

    It names the first of them and the settings to change.
    """
    found = diverged.nonzero().tolist()
    if not found:
        return None
    split, member = found[0]
    config = members.trials[member // members.n_seeds]
    changes = [
        f"{name} ({value:g})"
        for name in ("learning_rate", "weight_decay", "l1", "l2")
        if (value := getattr(config, name))
    ]
    return DivergenceError(
        f"{spec_of(config).name} diverged: {len(found)} of {diverged.numel()} nets are no longer "
        f"finite. The first is that of seed {member % members.n_seeds} on {splits[split]}, by "
        f"epoch {diverged[split, member]} of {config.epochs}. "
        f"Choose smaller values of {' or '.join(changes)}"
    )


def make_task(
    data: SplitData,
    members: Members,
    seed: int,
    device: torch.device,
    history_points: int = 0,
    backend: str | None = None,
    part: float = 1.0,
) -> Task:
    """A task on a device; the arguments are those of `train_nets`."""
    y, splits, weights = data.y, data.splits, data.weights
    x = torch.from_numpy(data.x).to(device) if isinstance(data.x, np.ndarray) else data.x
    labels = torch.tensor(y.reshape(len(y), -1), dtype=torch.float32, device=device)
    weights = None if weights is None else np.broadcast_to(weights, (len(splits), len(y)))
    task = Task(x, labels, weights, splits, members, seed, history_points)
    return replace(task, backend=choose_backend(task, backend, part=part))


def train_blocks(
    task: Task, on_progress: Callable[[float], None] = lambda fraction: None
) -> Iterator[tuple[Block, TrainedNets]]:
    """Train block after block, and yield each as it is done: its caller decides what to keep."""
    blocks = _blocks(task)
    nets = len(task.splits) * len(task.members)
    workers = torch.get_num_threads() if task.device.type == "cpu" else 1
    with ExitStack() as stack:
        if workers > 1:  # each computes in one thread, so that blocks do not wait for each other
            stack.enter_context(torch_threads(1))
            stack.enter_context(threadpool_limits(1, user_api="blas"))
        # Unused weights decay to subnormal numbers, with which many processors compute up to a
        # hundred times as slowly; here they are 0.
        flush = partial(torch.set_flush_denormal, True)
        pool = stack.enter_context(ThreadPoolExecutor(workers, initializer=flush))
        waiting: deque[tuple[Block, Future[TrainedNets]]] = deque()
        try:
            while blocks or waiting:
                # No further ahead than the workers can use, so that results do not pile up.
                while blocks and len(waiting) < 2 * workers:
                    block = blocks.popleft()
                    report = scaled(on_progress, len(block.splits) / nets)
                    waiting.append((block, pool.submit(_train_block, task, block, report)))
                block, done = waiting.popleft()
                yield block, done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def scaled(report: Callable[[float], None], factor: float) -> Callable[[float], None]:
    """A callback for the progress of a part that is this fraction of the whole."""
    return lambda fraction: report(fraction * factor)


def _blocks(task: Task) -> deque[Block]:
    """All nets, in blocks of nets with the same number of steps per epoch."""
    members, batch_size = len(task.members), task.members.shared.batch_size
    rows = np.array([len(split.train) for split in task.splits])
    steps = np.ones_like(rows) if batch_size == "all" else -(-rows // int(batch_size))
    blocks: deque[Block] = deque()
    for number in np.unique(steps):
        splits = np.flatnonzero(steps == number)
        batch_rows = ceil(rows[splits].max() / number)
        nets = len(splits) * members
        count = ceil(nets / _nets_at_once(task, batch_rows))
        if task.device.type == "cpu":
            workers = torch.get_num_threads()
            count = min(nets, ceil(count / workers) * workers)  # no worker idle at the end
        for some in np.array_split(np.arange(nets), count):
            blocks.append(Block(splits[some // members], some % members, int(number), batch_rows))
    return blocks


def _nets_at_once(task: Task, batch_rows: int) -> int:
    """How many nets a block may have, for batches of so many rows."""
    _, rows, features = task.x.shape
    batch = batch_rows * (features + task.activations)
    made = 0 if isinstance(task.x, Tensor) else rows * features  # for a split
    made += BACKENDS[task.backend].host_numbers(task)
    if task.device.type == "cpu":
        at_once, made_at_once = min(CPU_BLOCK // batch, CPU_ROWS // (rows * task.outputs)), CPU_MADE
    else:
        bytes_of_net = 4 * (4 * batch + 8 * task.n_parameters + 8 * rows * task.outputs)
        free, _ = torch.cuda.mem_get_info(task.device)
        at_once, made_at_once = int(GPU_FRACTION * free) // bytes_of_net, GPU_MADE
    if made:
        at_once = min(at_once, made_at_once // made * len(task.members))
    return max(1, at_once)


@torch.no_grad()
def _train_block(task: Task, block: Block, on_progress: Callable[[float], None]) -> TrainedNets:
    """Train a block's nets from their first step to their last."""
    config, labels = task.members.shared, task.labels
    backend = BACKENDS[task.backend]
    nets = initial_nets(task, block)
    train = backend.start(task, block, nets)
    at_once = max(block.batch_rows, PREDICTED_AT_ONCE // len(nets.flat))
    running = [p for name, p in nets.params.items() if not is_trained(name)]
    epochs = _evenly_spread(config.epochs, task.history_points)
    sides = _sides(task, block) if len(epochs) else None  # (nets, labelled rows, 2)
    scores = []
    diverged = torch.zeros(len(nets.flat), dtype=torch.int64, device=nets.x.device)
    stops = np.union1d(epochs, _evenly_spread(config.epochs, backend.n_reports))
    for before, epoch in pairwise([0, *stops]):
        train(int(epoch - before))
        finite = _finite(nets.flat, *running)
        last = epoch == config.epochs
        if last or epoch in epochs:
            logits = _logits(nets, nets.x.shape[1] if last else len(labels), at_once)
            finite &= _finite(logits)
        if sides is not None and epoch in epochs:
            of_labelled = logits[:, : len(labels)]
            scores.append(_loss_and_accuracy(of_labelled, labels, nets.loss, sides))
        diverged[(diverged == 0) & ~finite] = int(epoch)
        on_progress((epoch - before) / config.epochs)

    # (nets, points, 2 sides, 2 scores)
    curves = torch.stack(scores, 1) if scores else nets.flat.new_empty(len(nets.flat), 0, 2, 2)
    # In float64, in which a confident prediction does not round to 0 or 1.
    probability = probabilities(logits.double())
    if probability.shape[-1] == 1:
        probability = probability.squeeze(-1)
    loss, accuracy = curves.unbind(-1)
    return TrainedNets(nets.net, nets.params, probability, epochs, loss, accuracy, diverged)


def _finite(*of_nets: Tensor) -> Tensor:
    """Whether all numbers of a net are finite, (nets,), by tensors (nets, ...)."""
    # 0 times infinity or NaN is NaN: fewer passes than `isfinite` takes.
    return torch.stack([(p.flatten(1) * 0).sum(1) == 0 for p in of_nets]).all(0)


def _evenly_spread(epochs: int, points: int) -> NDArray[np.int64]:
    """So many epochs out of 1 to `epochs`, the last one among them."""
    return np.linspace(0, epochs, min(points, epochs) + 1)[1:].round().astype(np.int64)


def _logits(nets: BlockNets, rows: int, at_once: int) -> Tensor:
    """The logits (nets, rows, outputs) of the table's first rows, some rows at a time."""
    own, first = nets.matrix_of_net, nets.matrix_of_net[0]
    if np.array_equal(own, np.arange(first, first + len(own))):  # where they are, without a copy
        chosen: slice | Tensor = slice(first, first + len(own))
    else:
        chosen = torch.from_numpy(own).to(nets.x.device)
    chunks = torch.split(nets.x[:, :rows], at_once, dim=1)  # (some splits, some rows, features)
    return torch.cat([nets.net.logits(nets.params, chunk[chosen]) for chunk in chunks], -2)


def _loss_and_accuracy(logits: Tensor, labels: Tensor, loss: Loss, sides: Tensor) -> Tensor:
    """Of the rows that train and of those held out: (nets, 2 sides, 2 scores).

    logits: (nets, labelled rows, outputs); labels: (labelled rows, outputs). Rows without a label
    do not count; where a side has no row, the score is NaN.
    """
    losses = loss.per_row(logits, labels).squeeze(-1)  # (nets, labelled rows)
    right = (_most_probable(logits) == _most_probable(labels - 0.5)).to(losses)  # a label is 0 or 1
    both = torch.stack([losses, right], dim=1)  # (nets, 2 scores, labelled rows)
    return (both @ sides).mT


def _most_probable(logits: Tensor) -> Tensor:
    """Each row's most probable class, (..., rows), by logits (..., rows, outputs)."""
    return (logits >= 0).squeeze(-1).long() if logits.shape[-1] == 1 else logits.argmax(-1)


def _sides(task: Task, block: Block) -> Tensor:
    """Row weights of the mean over each side's rows, (nets, labelled rows, 2 sides)."""
    splits, place = np.unique(block.splits, return_inverse=True)
    sides = np.zeros((len(splits), len(task.labels), 2), dtype=np.float32)
    for side, i in zip(sides, splits, strict=True):
        held_out = task.splits[i].held_out
        for j, rows in enumerate((task.splits[i].train, held_out[held_out < len(task.labels)])):
            if len(rows):
                side[rows, j] = 1 / len(rows)
            else:
                side[:, j] = np.nan
    return torch.from_numpy(sides).to(task.device)[torch.from_numpy(place).to(task.device)]
