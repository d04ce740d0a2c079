"""The training loop, for all nets of a model at once.

Two axes lead every tensor: splits, which own the matrices, and members, which own the
hyper-parameters. The loop itself is the lesson's: take a batch, get the gradients, take a step. The
nets' losses share no parameter, so each net gets just its own gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.batched import random
from titanic_nn.batched.batches import Batches
from titanic_nn.batched.members import Members, net_keys, row_order
from titanic_nn.nets import Batch, Net, Params
from titanic_nn.nets.losses import LOSSES, Loss, penalty_gradient
from titanic_nn.nets.optimizers import SCHEDULES

# Predictions (net times row) that are made at a time: bounds what the hidden layers take.
PREDICTED_AT_ONCE = 2**18


class Split(Protocol):
    """Which split it is, and the positions of the rows that train and that are held out."""

    @property
    def repeat(self) -> int: ...
    @property
    def fold(self) -> int: ...
    @property
    def train(self) -> NDArray[np.int64]: ...
    @property
    def held_out(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class TrainedNets:
    """Nets after their last step; every array leads with (splits, members).

    Attributes:
        net: the structure that they share.
        params: their parameters, each (splits, members, ...).
        probability: of surviving, for every row of the table, (splits, members, rows).
        epochs: those after which the learning curves were read off, (points,).
        loss: mean loss without penalties, (splits, members, points, 2): in training, held out.
        accuracy: share of rows on the right side of 0.5, in the same shape.
    """

    net: Net
    params: Params
    probability: Tensor
    epochs: NDArray[np.int64]
    loss: Tensor
    accuracy: Tensor


@torch.no_grad()
def train_nets(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    splits: Sequence[Split],
    members: Members,
    *,
    seed: int,
    device: torch.device,
    history_points: int = 1,
    on_progress: Callable[[float], None] = lambda share: None,
) -> TrainedNets:
    """Train every member on every split's training rows.

    Args:
        x: each split's own encoding of the whole table, (splits, rows, features).
        y: labels 0 or 1 of the table's first rows, (labelled rows,). No other row trains.
        splits: which rows train, and which are held out.
        members: the settings and seeds that each split trains.
        seed: the number that all randomness grows from.
        device: where to train.
        history_points: how many times the learning curves are read off, evenly over the epochs.
        on_progress: is told the share of all the work that was just done.
    """
    labels = torch.tensor(y, dtype=torch.float32, device=device).unsqueeze(-1)  # (labelled rows, 1)
    programs = _programs(splits, members.shared.batch_size)
    parts = [
        _train_program(
            torch.from_numpy(x[positions]).to(device),
            labels,
            [splits[i] for i in positions],
            members,
            steps=steps,
            seed=seed,
            history_points=history_points,
            on_progress=_scaled(on_progress, len(positions) / len(splits)),
        )
        for steps, positions in programs.items()
    ]
    return _joined(parts, order=np.argsort(np.concatenate(list(programs.values()))))


def _programs(splits: Sequence[Split], batch_size: int | str) -> dict[int, NDArray[np.int64]]:
    """Positions of the splits that take the same number of steps an epoch, by that number."""
    rows = np.array([len(split.train) for split in splits])
    steps = np.ones_like(rows) if batch_size == "all" else -(-rows // int(batch_size))
    return {int(number): np.flatnonzero(steps == number) for number in np.unique(steps)}


def _scaled(on_progress: Callable[[float], None], factor: float) -> Callable[[float], None]:
    return lambda share: on_progress(share * factor)


def _train_program(
    x: Tensor,
    labels: Tensor,
    splits: Sequence[Split],
    members: Members,
    *,
    steps: int,
    seed: int,
    history_points: int,
    on_progress: Callable[[float], None],
) -> TrainedNets:
    """Splits of the same number of steps, trained as one tensor program."""
    settings, net, loss = members.shared, members.net(x.device), LOSSES[members.shared.loss]
    names = [(split.repeat, split.fold) for split in splits]
    batches = Batches(
        x, labels, [split.train for split in splits], steps, [row_order(n, seed) for n in names]
    )
    keys = net_keys(names, members, seed).to(x.device)  # (splits, members, 2)

    params = net.init(x.shape[-1], labels.shape[-1], partial(random.uniform, keys))
    flat, params, is_weight = _laid_end_to_end(params)
    optimizer = members.optimizer(is_weight)
    state = optimizer.init(flat)
    learning_rate = members.value("learning_rate", x.device)  # (members, 1)
    l1, l2 = (members.value(name, x.device) * is_weight for name in ("l1", "l2"))
    penalized = bool(l1.any() or l2.any())

    epochs = _evenly_spread(settings.epochs, history_points)
    sides = _sides(splits, len(labels)).to(x.device)
    curves = []
    step, last_step = 0, settings.epochs * steps
    for epoch in range(1, settings.epochs + 1):
        for batch_x, targets, weights in batches.epoch():
            rate = learning_rate * SCHEDULES[settings.schedule](step, last_step)
            step += 1
            batch = Batch(batch_x, targets, weights, partial(random.uniform, keys, step=step))
            gradients = net.gradients(params, batch, loss)
            gradient = torch.cat([g.flatten(2) for g in gradients.values()], -1)
            if penalized:
                gradient += penalty_gradient(flat, l1, l2)
            optimizer.update(flat, gradient, state, rate, step)
        if epoch in epochs:
            logits = _logits(net, params, x[:, : len(labels)])
            curves.append(_loss_and_accuracy(logits, labels, sides, loss))
        on_progress(1 / settings.epochs)

    scores = torch.stack(curves, dim=2)  # (splits, members, points, 2 sides, 2 scores)
    # In float64, where a net that is very sure does not round to 0 or 1.
    probability = _logits(net, params, x).double().sigmoid()
    return TrainedNets(net, params, probability, epochs, scores[..., 0], scores[..., 1])


def _laid_end_to_end(params: Params) -> tuple[Tensor, Params, Tensor]:
    """A net's trained parameters as one tensor (..., parameters), and as named views into it.

    One tensor is updated in a few large operations instead of many small ones. The third value
    (parameters,) is 1 where a parameter is a weight. Running statistics stay as they are.
    """
    trained = {name: p for name, p in params.items() if not name.startswith("running")}
    flat = torch.cat([p.flatten(2) for p in trained.values()], -1)
    parts = torch.split(flat, [p[0, 0].numel() for p in trained.values()], -1)
    views = {n: part.view(p.shape) for part, (n, p) in zip(parts, trained.items(), strict=True)}
    is_weight = [flat.new_full((v[0, 0].numel(),), n.startswith("w")) for n, v in views.items()]
    return flat, params | views, torch.cat(is_weight)


def _evenly_spread(epochs: int, points: int) -> NDArray[np.int64]:
    """So many epochs out of 1 to `epochs`, the last one among them."""
    return np.linspace(0, epochs, min(points, epochs) + 1)[1:].round().astype(np.int64)


def _logits(net: Net, params: Params, x: Tensor) -> Tensor:
    """The logits (splits, members, rows) of every net on its split's rows, in bounded memory."""
    splits, members = next(iter(params.values())).shape[:2]
    rows = max(1, PREDICTED_AT_ONCE // (splits * members))
    blocks = torch.split(x.unsqueeze(1), rows, dim=2)  # each (splits, 1, some rows, features)
    return torch.cat([net.logits(params, block).squeeze(-1) for block in blocks], -1)


def _sides(splits: Sequence[Split], labelled: int) -> Tensor:
    """Row weights of the training and of the held-out mean, (splits, labelled rows, 2).

    Rows without a label have no part; where none is left, the mean is NaN.
    """
    sides = torch.zeros(len(splits), labelled, 2)
    for i, split in enumerate(splits):
        sides[i, split.train, 0] = 1
        sides[i, split.held_out[split.held_out < labelled], 1] = 1
    return sides / sides.sum(1, keepdim=True)


def _loss_and_accuracy(logits: Tensor, labels: Tensor, sides: Tensor, loss: Loss) -> Tensor:
    """Both on both sides, (splits, members, 2 sides, 2 scores); logits (splits, members, rows)."""
    losses = loss.per_row(logits, labels.squeeze(-1))  # (splits, members, rows)
    right = (logits >= 0) == (labels.squeeze(-1) == 1)
    return torch.stack([losses @ sides, right.float() @ sides], -1)


def _joined(parts: Sequence[TrainedNets], order: NDArray[np.int64]) -> TrainedNets:
    """One result out of several over some of the splits each, the splits put in order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return replace(
        first,
        params={n: torch.cat([part.params[n] for part in parts])[order] for n in first.params},
        probability=torch.cat([part.probability for part in parts])[order],
        loss=torch.cat([part.loss for part in parts])[order],
        accuracy=torch.cat([part.accuracy for part in parts])[order],
    )
