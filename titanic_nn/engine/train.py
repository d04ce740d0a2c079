"""The training loop, for all nets of a model at once.

One axis leads every tensor: nets, each of them a member on a split. The loop itself is the
lesson's: take a batch, get the gradients, take a step. The nets' losses share no parameter, so each
net gets just its own gradient.

Nets are trained in blocks that fit the processor's cache (or a GPU's memory), on a CPU one block a
core. No net's numbers depend on the block that it is in, but for float rounding.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from titanic_nn.engine import rng
from titanic_nn.engine.batches import Batches
from titanic_nn.engine.backends.numba_backend import compiled_epoch, worth_compiling
from titanic_nn.engine.backends.cuda_graph import repeated
from titanic_nn.engine.device import torch_threads
from titanic_nn.engine.backends.in_place import gradient_writer
from titanic_nn.engine.members import Block, Members, Hyperparameters, Split, net_keys
from titanic_nn.engine.backends.triton_backend import fits_on_chip, train_on_chip
from titanic_nn.nets.batch import Batch, Net, Params
from titanic_nn.nets.losses import Loss, choose_loss, penalty_gradient, probabilities
from titanic_nn.nets.optimizers import SCHEDULES, Adam

# How to train: all nets of a block at once by torch, or one after the other by loops that numba
# compiles (see compiled.py), or one on each of a GPU's multiprocessors (see on_chip.py).
BackendName = Literal["stacked", "compiled", "on chip"]

# Floats of a step's largest tensors that a block may have: what a core's cache holds, about.
CPU_BLOCK = 2**19
# Predictions (net times row) that a block may make: bounds its memory for tables of any length.
CPU_ROWS = 2**23
# Numbers that the host makes for a block's splits: matrices on demand, orders for a kernel.
CPU_MADE, GPU_MADE = 2**24, 2**28
# Predictions that are made at a time: few enough for the cache, enough to be worth the call.
PREDICTED_AT_ONCE = 2**14
# Share of a GPU's free memory that a block may take.
GPU_SHARE = 0.5


@dataclass(frozen=True)
class TrainedNets:
    """Nets after their last step; every array leads with (splits, members) or, in a block, (nets,).

    Attributes:
        net: the structure that they share.
        params: their parameters, each (..., as the net has it).
        probability: of surviving, for every row of the table, (..., rows); with an output a class,
            of each class, (..., rows, classes).
        epochs: those after which the learning curves were read off, (points,).
        loss: mean loss without penalties, (..., points, 2): in training, held out.
        accuracy: share of rows whose likeliest class is their own, in the same shape.
    """

    net: Net
    params: Params
    probability: Tensor
    epochs: NDArray[np.int64]
    loss: Tensor
    accuracy: Tensor


class Encodings(Protocol):
    """Each split's own encoding of the whole table, made when a block of nets asks for it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(splits, rows, features)."""

    def encode(self, which: Sequence[int]) -> NDArray[np.float32]:
        """Those of some splits, (splits asked for, rows, features)."""


@dataclass(frozen=True, eq=False)
class SplitData:
    """What nets are trained on.

    Attributes:
        x: each split's own encoding of the whole table, (splits, rows, features), or what makes it:
            then each block of nets has its own splits' matrices made, and memory is bounded for any
            number of splits.
        y: labels 0 or 1 of the table's first rows, (labelled rows,); for more classes one-hot,
            (labelled rows, classes). No other row trains.
        splits: which rows train, and which are held out.
        weights: how much each labelled row counts in the loss, above 0 where it trains; the same
            in all splits (labelled rows,) or not (splits, labelled rows). None: all rows count
            alike. Only ratios within a split matter.
    """

    x: NDArray[np.float32] | Encodings
    y: NDArray[np.int64]
    splits: Sequence[Split]
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Task:
    """What is to be trained on what.

    Attributes:
        x: each split's own encoding of the whole table, (splits, rows, features), or what makes it.
        labels: 0 or 1 for the table's first rows, (labelled rows, outputs): with one output whether
            it is the second of two classes, with more which class it is. No other row trains.
        weights: how much each of those rows counts, (splits, labelled rows), or None: all alike.
        splits: which rows train, and which are held out.
        members: the settings and seeds that each split trains.
        seed: the number that all randomness grows from.
        history_points: how many times the learning curves are read off, evenly over the epochs.
        road: how to train.
    """

    x: Tensor | Encodings
    labels: Tensor
    weights: NDArray[np.float32] | None
    splits: Sequence[Split]
    members: Members
    seed: int
    history_points: int = 0
    backend: BackendName = "stacked"

    @property
    def device(self) -> torch.device:
        """Where everything is."""
        return self.labels.device


def train_nets(
    data: SplitData,
    members: Members,
    *,
    seed: int,
    device: torch.device,
    history_points: int = 1,
    backend: BackendName | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> TrainedNets:
    """Train every member on every split's training rows.

    Args:
        data: matrices, labels, splits and row weights.
        members: the settings and seeds that each split trains.
        seed: the number that all randomness grows from.
        device: where to train.
        history_points: how many times the learning curves are read off, evenly over the epochs.
        road: how to train, by default the fastest that knows these nets.
        on_progress: is told the share of all the work that was just done.
    """
    task = make_task(data, members, seed, device, history_points, backend)
    splits = data.splits
    blocks, trained = zip(*train_blocks(task, on_progress), strict=True)

    # Back to (splits, members): a net's place is its split's, then its member's.
    place = np.concatenate([block.splits * len(members) + block.members for block in blocks])
    order = torch.from_numpy(np.argsort(place)).to(device)

    def in_place(parts: Sequence[Tensor]) -> Tensor:
        by_net = torch.cat(list(parts))[order]
        return by_net.view(len(splits), len(members), *by_net.shape[1:])

    return TrainedNets(
        trained[0].net,
        {name: in_place([part.params[name] for part in trained]) for name in trained[0].params},
        in_place([part.probability for part in trained]),
        trained[0].epochs,
        in_place([part.loss for part in trained]),
        in_place([part.accuracy for part in trained]),
    )


def make_task(
    data: SplitData,
    members: Members,
    seed: int,
    device: torch.device,
    history_points: int = 0,
    backend: BackendName | None = None,
) -> Task:
    """A task on a device; the arguments are those of `train_nets`."""
    x, y, splits, weights = data.x, data.y, data.splits, data.weights
    labels = torch.tensor(y.reshape(len(y), -1), dtype=torch.float32, device=device)
    if backend is None and weights is None and labels.shape[1] == 1:  # the others know no more
        backend = _fastest_road(splits, members, x.shape[2], device)
    return Task(
        torch.from_numpy(x).to(device) if isinstance(x, np.ndarray) else x,
        labels,
        None if weights is None else np.broadcast_to(weights, (len(splits), len(labels))),
        splits,
        members,
        seed,
        history_points,
        backend or "stacked",
    )


def _fastest_road(
    splits: Sequence[Split], members: Members, features: int, device: torch.device
) -> BackendName:
    """The fastest that knows these nets, where rows all count alike and there is one output."""
    sizes = [len(split.train) for split in splits]
    batch_size = members.shared.batch_size
    places = max(sizes) if batch_size == "all" else int(batch_size)
    if fits_on_chip(members, features, places, device):
        return "on chip"
    parameters = _parameters(members, features, 1)
    rows, steps = len(members) * sum(sizes), ceil(max(sizes) / places)
    long = worth_compiling(members.shared, parameters, rows, steps)
    return "compiled" if device.type == "cpu" and long else "stacked"


def train_blocks(
    task: Task, on_progress: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[Block, TrainedNets]]:
    """Train block after block, and yield each as it is done.

    Whoever keeps only what they need of a block can train any number of nets in bounded memory.
    """
    blocks = _blocks(task)
    nets = len(task.splits) * len(task.members)
    workers = torch.get_num_threads() if task.device.type == "cpu" else 1
    with _one_thread_each(workers), ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Block, Future[TrainedNets]]] = deque()
        try:
            while blocks or waiting:
                # No further ahead than the workers can use, so that results do not pile up.
                while blocks and len(waiting) < 2 * workers:
                    block = blocks.popleft()
                    share = len(block.splits) / nets
                    report = scaled(on_progress, share)
                    waiting.append((block, pool.submit(_train_block, task, block, report)))
                block, done = waiting.popleft()
                yield block, done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def scaled(report: Callable[[float], None], factor: float) -> Callable[[float], None]:
    """What tells `report` of a part's progress as a share of the whole."""
    return lambda share: report(share * factor)


@contextmanager
def _one_thread_each(workers: int) -> Iterator[None]:
    """Let each worker compute in a thread of its own: blocks need not wait for each other."""
    if workers > 1:
        with torch_threads(1), threadpool_limits(1, user_api="blas"):
            yield
    else:
        yield


def _blocks(task: Task) -> deque[Block]:
    """All nets, cut into blocks of nets with the same number of steps an epoch."""
    members, batch_size = len(task.members), task.members.shared.batch_size
    rows = np.array([len(split.train) for split in task.splits])
    steps = np.ones_like(rows) if batch_size == "all" else -(-rows // int(batch_size))
    blocks: deque[Block] = deque()
    for number in np.unique(steps):
        splits = np.flatnonzero(steps == number)
        places = ceil(rows[splits].max() / number)
        nets = len(splits) * members
        count = ceil(nets / _nets_at_once(task, places))
        if task.device.type == "cpu":
            workers = torch.get_num_threads()
            count = min(nets, ceil(count / workers) * workers)  # no worker idle at the end
        for part in np.array_split(np.arange(nets), count):
            blocks.append(Block(splits[part // members], part % members, int(number), places))
    return blocks


def _nets_at_once(task: Task, places: int) -> int:
    """How many nets a block may have, for batches of so many rows."""
    _, rows, features = task.x.shape
    outputs = task.labels.shape[1]
    batch = places * (features + 2 * sum(task.members.shared.layer_widths))
    made = 0 if isinstance(task.x, Tensor) else rows * features  # for a split
    if task.backend == "on chip":
        made += task.members.shared.epochs * rows
    if task.device.type == "cpu":
        at_once, made_at_once = min(CPU_BLOCK // batch, CPU_ROWS // (rows * outputs)), CPU_MADE
    else:
        parameters = _parameters(task.members, features, outputs)
        a_net = 4 * (4 * batch + 8 * parameters + 8 * rows * outputs)  # bytes
        free, _ = torch.cuda.mem_get_info(task.device)
        at_once, made_at_once = int(GPU_SHARE * free) // a_net, GPU_MADE
    if made:
        at_once = min(at_once, made_at_once // made * len(task.members))
    return max(1, at_once)


def _parameters(members: Members, features: int, outputs: int) -> int:
    """Weights and biases of one net."""
    widths = [features, *members.shared.layer_widths, outputs]
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


@dataclass(frozen=True, eq=False)
class _Nets:
    """A block's nets while they train.

    Attributes:
        x: the matrices that they read, (some splits, rows, features).
        which: each net's matrix, (nets,).
        keys: of each net's random numbers, (nets, 2).
        flat: each net's trained parameters end to end, (nets, parameters), and
        params: the same and running statistics by name, as views.
        is_weight: 1 where a parameter is a weight, (parameters,).
    """

    own: Hyperparameters
    net: Net
    loss: Loss
    x: Tensor
    which: NDArray[np.int64]
    keys: Tensor
    flat: Tensor
    params: Params
    is_weight: Tensor


@torch.no_grad()
def _train_block(task: Task, block: Block, on_progress: Callable[[float], None]) -> TrainedNets:
    """Train a block's nets from their first step to their last."""
    config, labels = task.members.shared, task.labels
    nets = _start(task, block)
    if task.backend == "on chip":
        state = Adam().init(nets.flat)
        train = train_on_chip(
            nets.own, nets.x, nets.which, labels, task.splits, block, task.seed, nets.flat, state
        )
    else:
        train = _epoch_by_epoch(task, block, nets)
    at_once = max(block.places, PREDICTED_AT_ONCE // len(nets.flat))
    epochs = _evenly_spread(config.epochs, task.history_points)
    sides = _sides(task, block) if len(epochs) else None  # (nets, labelled rows, 2)
    scores = []
    # For whoever waits to see progress; a kernel shows none, its launch returns at once.
    reports = 1 if task.backend == "on chip" else 10
    stops = np.union1d(epochs, _evenly_spread(config.epochs, reports))
    for before, epoch in pairwise([0, *stops]):
        train(int(epoch - before))
        if sides is not None and epoch in epochs:
            logits = _logits(nets, len(labels), at_once)
            scores.append(_loss_and_accuracy(logits, labels, nets.loss, sides))
        on_progress((epoch - before) / config.epochs)

    # (nets, points, 2 sides, 2 scores)
    curves = torch.stack(scores, 1) if scores else nets.flat.new_empty(len(nets.flat), 0, 2, 2)
    # In float64, where a net that is very sure does not round to 0 or 1.
    probability = probabilities(_logits(nets, nets.x.shape[1], at_once).double())
    if probability.shape[-1] == 1:
        probability = probability.squeeze(-1)
    return TrainedNets(nets.net, nets.params, probability, epochs, *curves.unbind(-1))


def _start(task: Task, block: Block) -> _Nets:
    """A block's nets before their first step."""
    x, which = _encoded(task, block)
    own = Hyperparameters(task.members, block.members, x.device)
    net, outputs = own.net(), task.labels.shape[1]
    keys = net_keys(task.splits, task.members, block, task.seed).to(x.device)
    params = net.init(x.shape[-1], outputs, partial(rng.uniform, keys))
    flat, params, is_weight = _laid_end_to_end(params)
    loss = choose_loss(task.members.shared.loss, outputs)
    return _Nets(own, net, loss, x, which, keys, flat, params, is_weight)


def _epoch_by_epoch(task: Task, block: Block, nets: _Nets) -> Callable[[int], None]:
    """What trains a block's nets for so many epochs more, on the stacked or the compiled road."""
    config, flat, own, device = task.members.shared, nets.flat, nets.own, nets.x.device
    batches = Batches(nets.x, nets.which, task.labels, task.splits, block, task.seed, task.weights)
    slope, gradients, _ = _laid_end_to_end({n: torch.zeros_like(p) for n, p in nets.params.items()})
    write_gradients = gradient_writer(nets.net, nets.params, gradients, flat, slope, block.places)
    optimizer = own.optimizer(nets.is_weight)
    state = optimizer.init(flat)
    l1, l2 = own.value("l1") * nets.is_weight, own.value("l2") * nets.is_weight
    penalized = bool(l1.any() or l2.any())

    steps = config.epochs * block.steps
    factors = [SCHEDULES[config.schedule](step, steps) for step in range(steps)]
    rates = torch.tensor(factors, device=device).view(-1, 1, 1) * own.value("learning_rate")
    # On a GPU the count is there too, so that a recorded epoch counts on by itself.
    step: int | Tensor = 0
    if device.type == "cuda":
        step = torch.zeros((), dtype=torch.int64, device=device)

    def train_epoch() -> None:
        nonlocal step
        for x, targets, weights in batches:
            rate = _at(rates, step)  # (nets, 1)
            step += 1
            uniform = partial(rng.uniform, nets.keys, step=step)
            write_gradients(Batch(x, targets, weights, uniform), nets.loss)
            if penalized:
                slope.add_(penalty_gradient(flat, l1, l2))
            optimizer.update(flat, slope, state, rate, step)

    if task.backend == "compiled":
        run_epoch = compiled_epoch(own, nets.keys, batches, flat, state, rates, nets.is_weight)
    else:
        run_epoch = repeated(train_epoch, device)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            batches.shuffle()
            run_epoch()

    return train


def _at(table: Tensor, step: int | Tensor) -> Tensor:
    """table[step], without a round trip to the host where step is on a GPU."""
    return table[step] if isinstance(step, int) else table.index_select(0, step.view(1))[0]


def _laid_end_to_end(params: Params) -> tuple[Tensor, Params, Tensor]:
    """Nets' trained parameters as one tensor (nets, parameters), and as named views into it.

    One tensor is updated in a few large operations instead of many small ones. The third value
    (parameters,) is 1 where a parameter is a weight. Running statistics stay as they are.
    """
    trained = {name: p for name, p in params.items() if not name.startswith("running")}
    flat = torch.cat([p.flatten(1) for p in trained.values()], -1)
    parts = torch.split(flat, [p[0].numel() for p in trained.values()], -1)
    views = {n: part.view(p.shape) for part, (n, p) in zip(parts, trained.items(), strict=True)}
    is_weight = [flat.new_full((v[0].numel(),), n.startswith("w")) for n, v in views.items()]
    return flat, params | views, torch.cat(is_weight)


def _evenly_spread(epochs: int, points: int) -> NDArray[np.int64]:
    """So many epochs out of 1 to `epochs`, the last one among them."""
    return np.linspace(0, epochs, min(points, epochs) + 1)[1:].round().astype(np.int64)


def _encoded(task: Task, block: Block) -> tuple[Tensor, NDArray[np.int64]]:
    """The matrices that a block's nets read, (some splits, rows, features), and which is whose."""
    if isinstance(task.x, Tensor):
        return task.x, block.splits
    splits, which = np.unique(block.splits, return_inverse=True)
    return torch.from_numpy(task.x.encode(splits.tolist())).to(task.device), which


def _logits(nets: _Nets, rows: int, at_once: int) -> Tensor:
    """The logits (nets, rows, outputs) of the table's first rows, some of them at a time."""
    which = torch.from_numpy(nets.which).to(nets.x.device)
    parts = torch.split(nets.x[:, :rows], at_once, dim=1)  # each (some splits, some rows, features)
    return torch.cat([nets.net.logits(nets.params, part[which]) for part in parts], -2)


def _loss_and_accuracy(logits: Tensor, labels: Tensor, loss: Loss, sides: Tensor) -> Tensor:
    """Both, on the rows that train and on those held out: (nets, 2 sides, 2 scores).

    logits: (nets, labelled rows, outputs); labels: (labelled rows, outputs). Rows without a label
    have no part; where none is left, the score is NaN.
    """
    losses = loss.per_row(logits, labels).squeeze(-1)  # (nets, labelled rows)
    right = (_likeliest(logits) == _likeliest(labels - 0.5)).to(losses)  # a label is 0 or 1
    both = torch.stack([losses, right], dim=1)  # (nets, 2 scores, labelled rows)
    return (both @ sides).mT


def _likeliest(logits: Tensor) -> Tensor:
    """Each row's likeliest class, (..., rows), by logits (..., rows, outputs)."""
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
