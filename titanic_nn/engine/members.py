"""Which net is which: two axes, splits and members, and what belongs to each.

A split (repeat, fold) owns its matrices and the order in which its rows are dealt; a member
(trial, seed) owns its hyper-parameters; and a net, one member on one split, owns its random
numbers. The trial has no part in them: two trials that differ in a learning rate start from the
same weights and see the same batches, so their difference is the learning rate's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.engine import rng
from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.optimizers import SGD, Adam, Optimizer
from titanic_nn.nets.registry import spec_of

# What members of one program may differ in; everything else shapes the program itself.
PER_MEMBER = ("learning_rate", "momentum", "weight_decay", "l1", "l2", "dropout")


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
class Members:
    """The members that every split trains: each trial's settings with each seed, trial by trial.

    Raises ValueError if trials differ in more than PER_MEMBER.
    """

    trials: Sequence[NetConfig]
    n_seeds: int

    def __post_init__(self) -> None:
        shapes = {_structure(trial) for trial in self.trials}
        if len(shapes) != 1:
            raise ValueError(f"members of one program may differ in {', '.join(PER_MEMBER)} only")

    def __len__(self) -> int:
        return len(self.trials) * self.n_seeds

    @property
    def shared(self) -> NetConfig:
        """A trial's settings, for what all members have in common."""
        return self.trials[0]


@dataclass(frozen=True)
class Hyperparameters:
    """The hyper-parameters of some nets, in tensors (nets, 1)."""

    members: Members
    which: NDArray[np.int64]  # each net's member
    device: torch.device

    def value(self, name: str) -> Tensor:
        """Each net's own value of a setting, (nets, 1)."""
        trials = [self.members.trials[member // self.members.n_seeds] for member in self.which]
        values = [getattr(trial, name) for trial in trials]
        return torch.tensor(values, dtype=torch.float32, device=self.device).unsqueeze(-1)

    def net(self) -> Net:
        """The structure that the nets share."""
        config = self.members.shared
        values = lambda name: self.value(name).unsqueeze(-1)  # (nets, 1, 1)
        return spec_of(config).load().from_config(config, values)

    def optimizer(self, is_weight: Tensor) -> Optimizer:
        """The optimizer that the nets use; is_weight (parameters,) is 1 where decay applies."""
        if self.members.shared.optimizer == "sgd":
            return SGD(self.value("momentum"))
        if self.members.shared.optimizer == "adamw":
            return Adam(self.value("weight_decay") * is_weight)
        return Adam()


def _structure(config: NetConfig) -> tuple[object, ...]:
    own = [getattr(config, f.name) for f in fields(config) if f.name not in PER_MEMBER]
    return (type(config), *own)


@dataclass(frozen=True)
class Block:
    """Nets that are trained together.

    Attributes:
        splits, members: which each net is, (nets,).
        steps: batches an epoch.
        places: rows of a batch, in the largest of all splits that take so many steps.
    """

    splits: NDArray[np.int64]
    members: NDArray[np.int64]
    steps: int
    places: int


def net_keys(splits: Sequence[Split], members: Members, block: Block, seed: int) -> Tensor:
    """The key of each net's random numbers, (nets, 2)."""
    identities = [
        (0, splits[i].repeat + 1, splits[i].fold + 1, member % members.n_seeds)
        for i, member in zip(block.splits, block.members, strict=True)
    ]
    return rng.keys(identities, seed)


def row_orders(split: Split, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """A split's training rows in new orders, (epochs, training rows) at a time, without end."""
    sequence = np.random.SeedSequence(seed, spawn_key=(1, split.repeat + 1, split.fold + 1))
    generator = np.random.default_rng(sequence)
    while True:
        yield generator.permuted(np.tile(split.train, (epochs, 1)), axis=1)
