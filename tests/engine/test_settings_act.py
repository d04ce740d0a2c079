"""No setting of a net is a dead knob: change it, and the trained net says something else."""

from dataclasses import fields, replace
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from plain import make_table, one_thread
from torch import Tensor

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
from titanic_nn.config import DeepConfig, LinearConfig, ReLUConfig

TABLE = make_table()
NETS: list[LinearConfig] = [
    LinearConfig(epochs=3, batch_size=16),
    ReLUConfig(epochs=3, batch_size=16, hidden=8),
    DeepConfig(epochs=3, batch_size=16, hidden=(8, 6)),
]

# Values to try, the net's own among them. Of choices among names all are tried.
VALUES: dict[str, list[Any]] = {
    "epochs": [3, 4],
    "batch_size": [16, 30, "all"],
    "learning_rate": [0.01, 0.02],
    "momentum": [0.0, 0.5],
    "weight_decay": [0.0, 0.5],
    "l1": [0.0, 0.01],
    "l2": [0.0, 0.1],
    "ReLUSettings.hidden": [8, 7],
    "DeepSettings.hidden": [(8, 6), (8, 5), (8,)],
    "dropout": [0.0, 0.2],
}
# What a setting, or a value of it, acts only together with.
TOGETHER_WITH = {
    "momentum": {"optimizer": "sgd"},
    "weight_decay": {"optimizer": "adamw"},
    "adamw": {"weight_decay": 0.5},
}


def variants(net: LinearConfig, name: str, kind: Any) -> list[LinearConfig]:
    """The net with each value of one setting. A new setting without values is a KeyError."""
    if get_origin(kind) is Literal:
        values = list(get_args(kind))
    else:
        values = VALUES.get(f"{type(net).__name__}.{name}") or VALUES[name]
    beside = TOGETHER_WITH.get(name, {})
    return [
        replace(net, **{name: value}, **beside, **TOGETHER_WITH.get(value, {}))  # type: ignore[arg-type]
        for value in values
    ]


@one_thread()
def trained(config: LinearConfig) -> Tensor:
    nets = train_nets(
        TABLE.x[:1],
        TABLE.y,
        TABLE.splits[:1],
        Members([config], n_seeds=1),
        seed=0,
        device=torch.device("cpu"),
    )
    return nets.probability


@pytest.mark.parametrize(
    ("net", "name", "kind"),
    [
        pytest.param(net, field.name, field.type, id=f"{type(net).__name__}.{field.name}")
        for net in NETS
        for field in fields(net)
    ],
)
def test_each_value_of_a_setting_makes_another_net(
    net: LinearConfig, name: str, kind: Any
) -> None:
    said = [trained(variant) for variant in variants(net, name, kind)]
    assert len(said) > 1
    for a, b in combinations(said, 2):
        assert (a - b).abs().max() > 1e-4
