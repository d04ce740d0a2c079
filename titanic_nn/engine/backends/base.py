"""The interface of a backend: which tasks it supports, and how it trains a block of nets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import ClassVar

from titanic_nn.engine.task import Block, BlockNets, Task
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig

ANY = None
# Setting -> its values that are supported, or ANY. Other settings are not.
Supported = Mapping[str, Collection[object] | None]


class Backend(ABC):
    """A way to train nets."""

    name: ClassVar[str]  # as `train_nets` takes it
    n_reports: ClassVar[int] = 10  # how often training pauses, at most, to report progress

    @abstractmethod
    def supports(self, task: Task) -> bool:
        """Whether it trains these nets to the numbers of a plain loop, on this device."""

    @abstractmethod
    def start(self, task: Task, block: Block, nets: BlockNets) -> Callable[[int], None]:
        """A function that trains the block's nets, in place, for so many more epochs."""

    def worthwhile(self, task: Task, part: float) -> bool:
        """Whether to choose it for a task that it supports; `part` as in `train_nets`."""
        return True

    def host_numbers(self, task: Task) -> int:
        """Numbers that the host makes for each split before a block starts."""
        return 0


# Cross-entropy and Adam. Initial parameters and learning rates are computed outside the backends.
_TRAINING: Supported = {
    **dict.fromkeys(("epochs", "batch_size", "learning_rate", "schedule", "weight_decay"), ANY),
    **dict.fromkeys(("l1", "l2", "initialization"), ANY),
    "loss": ("cross_entropy",),
    "optimizer": ("adam", "adamw"),
    "momentum": (0.0,),
}
LINEAR_AND_RELU: dict[type[NetConfig], Supported] = {
    LinearConfig: _TRAINING,
    ReLUConfig: {**_TRAINING, "hidden_size": ANY},
}
DEEP: dict[type[NetConfig], Supported] = {
    DeepConfig: {
        **_TRAINING,
        **dict.fromkeys(("hidden_sizes", "dropout"), ANY),
        "activation": ("relu",),
        "normalization": ("none",),
        "n_frequencies": (0,),
        **dict.fromkeys(("frequency_scale", "embedding_size"), ANY),  # act with frequencies only
    }
}


def lists(supported: Mapping[type[NetConfig], Supported], task: Task) -> bool:
    """Whether the list has the task's class of nets, itself, and every setting with its value."""
    if task.weights is not None or task.outputs > 1:
        return False  # no list includes these

    def known(config: NetConfig, name: str) -> bool:
        allowed = supported.get(type(config), {}).get(name, ())
        return allowed is ANY or getattr(config, name) in allowed

    return all(known(trial, f.name) for trial in task.members.trials for f in fields(trial))
