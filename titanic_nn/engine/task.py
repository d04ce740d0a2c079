"""What is trained on what: a task, its blocks of nets, and a block's nets while they train.

A net is one member on one split. A split (repeat, fold) has its own matrix, because imputation and
scaling are fitted on its training rows, and its own order of rows. A member (trial, seed) has its
own hyper-parameters. Random numbers are keyed by split and seed, not by trial: two trials that
differ in a learning rate start from the same weights and read the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.engine import rng
from titanic_nn.engine.members import Hyperparameters, Members
from titanic_nn.nets.batch import Net, Params, is_trained, is_weight
from titanic_nn.nets.losses import LOSSES, SOFTMAX_LOSSES, Loss
from titanic_nn.tables.splits import Split


class Encodings(Protocol):
    """Each split's own encoding of the whole table, made when a block of nets needs it.

    A block has the matrices of its own splits only: memory is bounded for any number of splits.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """(splits, rows, features)."""

    def encode(self, splits: Sequence[int]) -> NDArray[np.float32]:
        """The encodings of some splits, (some splits, rows, features)."""


@dataclass(frozen=True, eq=False)
class SplitData:
    """What nets are trained on."""

    # Each split's own encoding of the whole table, (splits, rows, features), or what makes it.
    x: NDArray[np.float32] | Encodings
    # Labels 0 or 1 of the table's first rows, (labelled rows,); one-hot for more classes,
    # (labelled rows, classes). No other row trains.
    y: NDArray[np.int64]
    splits: Sequence[Split]
    # How much each labelled row counts in the loss, above 0 where it trains; the same in all splits
    # (labelled rows,) or not (splits, labelled rows). None: all rows count alike. Only ratios
    # within a split matter.
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """Nets to train, and the data on a device; what is not explained is as in `train_nets`."""

    x: Tensor | Encodings
    labels: Tensor  # (labelled rows, outputs): one output for two classes, else one each
    weights: NDArray[np.float32] | None  # (splits, labelled rows)
    splits: Sequence[Split]
    members: Members
    seed: int
    history_points: int = 0
    backend: str = "eager"

    @property
    def device(self) -> torch.device:
        return self.labels.device

    @property
    def outputs(self) -> int:
        return self.labels.shape[1]

    @property
    def batch_rows(self) -> int:
        """The most rows that a batch can have."""
        largest = max(len(split.train) for split in self.splits)
        size = self.members.shared.batch_size
        return largest if size == "all" else min(size, largest)

    @cached_property
    def _shapes(self) -> list[torch.Size]:  # of one net's trained parameters
        net = Hyperparameters(self.members, np.zeros(1, np.int64), torch.device("cpu")).net()
        params = net.init(self.x.shape[2], self.outputs, lambda _, shape: torch.full(shape, 0.5))
        return [p.shape for name, p in params.items() if is_trained(name)]

    @property
    def n_parameters(self) -> int:
        """Trained parameters of one net."""
        return sum(map(prod, self._shapes))

    @property
    def activations(self) -> int:
        """About how many numbers a training step of one net keeps for each row, outputs aside.

        Each parameter, whether weights, bias or scale, makes a tensor as wide as its last axis; one
        with more than two axes makes as many of them as its leading axes have.
        """
        widths = [prod(shape[:-2]) * shape[-1] for shape in self._shapes]
        return sum(widths) - 2 * self.outputs


@dataclass(frozen=True)
class Block:
    """Nets that are trained together."""

    splits: NDArray[np.int64]  # each net's, (nets,)
    members: NDArray[np.int64]  # each net's, (nets,)
    steps: int  # batches per epoch
    batch_rows: int  # padded batch size: a batch's rows in the largest split with so many steps


@dataclass(frozen=True, eq=False)
class BlockNets:
    """A block's nets while they train. Backends change `flat`, and with it `params`, in place."""

    hyperparameters: Hyperparameters
    net: Net  # the structure that they share
    loss: Loss
    x: Tensor  # the matrices that they read, (some splits, rows, features)
    matrix_of_net: NDArray[np.int64]  # each net's position in x, (nets,)
    keys: Tensor  # of each net's random numbers, (nets, 2)
    flat: Tensor  # each net's trained parameters end to end, (nets, parameters)
    params: Params  # trained parameters, as views of `flat`, and running statistics
    is_weight: Tensor  # 1 where a parameter is a weight, (parameters,)


@dataclass(frozen=True)
class TrainedNets:
    """Nets after their last step; ... stands for (splits, members) or, in a block, (nets,)."""

    net: Net  # the structure that they share
    params: Params
    # For every row of the table, of class 1 (..., rows), or of more classes (..., rows, classes).
    probability: Tensor
    epochs: NDArray[np.int64]  # after which the learning curves were recorded, (points,)
    loss: Tensor  # mean without penalties, (..., points, 2): training rows, held-out rows
    accuracy: Tensor  # fraction of rows whose most probable class is their own, as `loss`
    # The epoch by which a net's parameters, or logits, were found not to be finite; 0: never (...,)
    diverged: Tensor


def net_keys(splits: Sequence[Split], members: Members, block: Block, seed: int) -> Tensor:
    """The key of each net's random numbers, (nets, 2)."""
    identities = [
        (0, splits[i].repeat + 1, splits[i].fold + 1, member % members.n_seeds)
        for i, member in zip(block.splits, block.members, strict=True)
    ]
    return rng.keys(identities, seed)


def initial_nets(task: Task, block: Block) -> BlockNets:
    """A block's nets before their first step."""
    if isinstance(task.x, Tensor):
        x, matrix_of_net = task.x, block.splits
    else:
        splits, matrix_of_net = np.unique(block.splits, return_inverse=True)
        x = torch.from_numpy(task.x.encode(splits.tolist())).to(task.device)
    hyperparameters = Hyperparameters(task.members, block.members, x.device)
    net = hyperparameters.net()
    keys = net_keys(task.splits, task.members, block, task.seed).to(x.device)
    params = net.init(x.shape[-1], task.outputs, partial(rng.uniform, keys))
    flat, params, weights = end_to_end(params)
    loss = (LOSSES if task.outputs == 1 else SOFTMAX_LOSSES)[task.members.shared.loss]
    return BlockNets(hyperparameters, net, loss, x, matrix_of_net, keys, flat, params, weights)


def end_to_end(params: Params) -> tuple[Tensor, Params, Tensor]:
    """Nets' trained parameters as one tensor (nets, parameters), and as named views into it.

    One tensor is updated in a few large operations instead of many small ones. The third value
    (parameters,) is 1 where a parameter is a weight. Running statistics stay as they are.
    """
    trained = {name: p for name, p in params.items() if is_trained(name)}
    flat = torch.cat([p.flatten(1) for p in trained.values()], -1)
    slices = torch.split(flat, [p[0].numel() for p in trained.values()], -1)
    views = {n: s.view(p.shape) for s, (n, p) in zip(slices, trained.items(), strict=True)}
    weights = [flat.new_full((v[0].numel(),), is_weight(n)) for n, v in views.items()]
    return flat, params | views, torch.cat(weights)
