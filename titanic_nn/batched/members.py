"""Which net is which: two axes, splits and members, and what belongs to each.

A split (repeat, fold) owns its matrices and the order in which its rows are dealt; a member
(trial, seed) owns its hyper-parameters; and a net, one member on one split, owns its random
numbers. The trial has no part in them: two trials that differ in a learning rate start from the
same weights and see the same batches, so their difference is the learning rate's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from titanic_nn.batched import random
from titanic_nn.nets import DeepNet, LinearNet, Net, ReLUNet
from titanic_nn.nets.optimizers import SGD, Adam, Optimizer
from titanic_nn.settings import DeepSettings, LinearSettings, ReLUSettings

# What members of one program may differ in; everything else shapes the program itself.
PER_MEMBER = ("learning_rate", "momentum", "weight_decay", "l1", "l2", "dropout")


@dataclass(frozen=True)
class Members:
    """The members that every split trains: each trial's settings with each seed, trial by trial.

    Raises ValueError if trials differ in more than PER_MEMBER.
    """

    trials: Sequence[LinearSettings]
    seeds: int

    def __post_init__(self) -> None:
        shapes = {_structure(trial) for trial in self.trials}
        if len(shapes) != 1:
            raise ValueError(f"members of one program may differ in {', '.join(PER_MEMBER)} only")

    def __len__(self) -> int:
        return len(self.trials) * self.seeds

    @property
    def shared(self) -> LinearSettings:
        """A trial's settings, for what all members have in common."""
        return self.trials[0]

    def value(self, name: str, device: torch.device) -> Tensor:
        """Each member's own value of a setting, (members, 1)."""
        values = [getattr(trial, name) for trial in self.trials for _ in range(self.seeds)]
        return torch.tensor(values, dtype=torch.float32, device=device).unsqueeze(-1)

    def net(self, device: torch.device) -> Net:
        """The net that all members are."""
        settings = self.shared
        match settings:
            case ReLUSettings():
                return ReLUNet(settings.hidden, settings.initialization)
            case DeepSettings():
                dropout = self.value("dropout", device).unsqueeze(-1)  # (members, 1, 1)
                return DeepNet(
                    settings.hidden,
                    settings.activation,
                    settings.initialization,
                    settings.normalization,
                    dropout if dropout.any() else None,
                )
            case _:
                return LinearNet(settings.initialization)

    def optimizer(self, is_weight: Tensor) -> Optimizer:
        """The optimizer that all members use; is_weight (parameters,) is 1 where decay applies."""
        if self.shared.optimizer == "sgd":
            return SGD(self.value("momentum", is_weight.device))
        if self.shared.optimizer == "adamw":
            return Adam(self.value("weight_decay", is_weight.device) * is_weight)
        return Adam()


def _structure(settings: LinearSettings) -> tuple[object, ...]:
    own = [getattr(settings, f.name) for f in fields(settings) if f.name not in PER_MEMBER]
    return (type(settings), *own)


def net_keys(splits: Sequence[tuple[int, int]], members: Members, seed: int) -> Tensor:
    """The key of every net's random numbers, (splits, members, 2), for splits (repeat, fold)."""
    identities = [
        (0, repeat + 1, fold + 1, number)
        for repeat, fold in splits
        for _ in members.trials
        for number in range(members.seeds)
    ]
    return random.keys(identities, seed).view(len(splits), len(members), 2)


def row_order(split: tuple[int, int], seed: int) -> Callable[[int], Tensor]:
    """For a split (repeat, fold): a function that draws the next order of so many rows."""
    key = random.keys([(1, split[0] + 1, split[1] + 1)], seed)[0].tolist()
    generator = torch.Generator().manual_seed((key[0] << 32) ^ (key[1] & 0xFFFFFFFF))
    return lambda rows: torch.randperm(rows, generator=generator)
