"""Members: the settings and seeds that every split trains, and their values as tensors.

A member is a trial with a seed. A trial is a net's settings; trials of one program differ in
per-member settings only (learning rate, decay, dropout, ...): tensors with a value per net.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.optimizers import SCHEDULES, SGD, Adam, Optimizer
from titanic_nn.nets.registry import spec_of


def structure(config: NetConfig) -> tuple[object, ...]:
    """What settings must have in common to train in one program: all that is not per member."""
    shared = [getattr(config, f.name) for f in fields(config) if f.name not in config.per_member]
    return (type(config), *shared)


@dataclass(frozen=True)
class Members:
    """Each trial's settings with each seed, trial by trial; every split trains them all.

    Raises ValueError if trials differ in settings that are not per member.
    """

    trials: Sequence[NetConfig]
    n_seeds: int

    def __post_init__(self) -> None:
        if not self.trials:
            raise ValueError("members need at least one trial")
        if len({structure(trial) for trial in self.trials}) > 1:
            names = ", ".join(self.shared.per_member)
            raise ValueError(f"members of one program may differ in {names} only")

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
    member_of_net: NDArray[np.int64]  # (nets,)
    device: torch.device

    def value(self, name: str) -> Tensor:
        """Each net's own value of a setting, (nets, 1)."""
        trials = [self.members.trials[i // self.members.n_seeds] for i in self.member_of_net]
        values = [[getattr(trial, name)] for trial in trials]
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def net(self) -> Net:
        """The structure that the nets share."""
        config = self.members.shared
        net = spec_of(config).load()
        return net.from_config(config, lambda name: self.value(name).unsqueeze(-1))  # (nets, 1, 1)

    def optimizer(self, is_weight: Tensor) -> Optimizer:
        """The optimizer that the nets use; is_weight (parameters,) is 1 where decay applies."""
        name = self.members.shared.optimizer
        if name == "sgd":
            return SGD(self.value("momentum"))
        if name not in ("adam", "adamw"):
            raise ValueError(f"there is no optimizer {name!r}")
        return Adam(self.value("weight_decay") * is_weight if name == "adamw" else None)

    def learning_rates(self, steps: int) -> Tensor:
        """Each net's learning rate in each of so many steps, (steps, nets, 1)."""
        schedule = SCHEDULES[self.members.shared.schedule]
        factors = [schedule(step, steps) for step in range(steps)]
        rates = torch.tensor(factors, device=self.device).view(-1, 1, 1)
        return rates * self.value("learning_rate")
