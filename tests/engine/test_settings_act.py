"""Every value of every setting changes the trained net, on every backend that claims to support it.

And each of these nets equals the one that a plain loop trains: a backend that ignored a setting, or
understood another one by it, would not pass.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from plain import (
    CPU,
    DEEP,
    GPU,
    LINEAR,
    RELU,
    RESNET,
    backends_of,
    make_table,
    one_thread,
    train_alone,
)

from titanic_nn.engine.members import Members
from titanic_nn.engine.task import SplitData
from titanic_nn.engine.train import train_nets
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.registry import NETS

TABLE = make_table()
ONE_SPLIT = SplitData(TABLE.x[:1], TABLE.y, TABLE.splits[:1])
CONFIGS: list[NetConfig] = [LINEAR, RELU, DEEP, RESNET]

# Values to try, the net's own among them. Of choices among names all are tried.
VALUES: dict[str, list[Any]] = {
    "epochs": [4, 5],
    "batch_size": [16, 30, "all"],
    "learning_rate": [0.01, 0.02],
    "momentum": [0.0, 0.5],
    "weight_decay": [0.0, 0.5],
    "l1": [0.0, 0.01],
    "l2": [0.0, 0.1],
    "hidden_size": [8, 7],
    "hidden_sizes": [(8, 6), (8, 5), (8,)],
    "dropout": [0.0, 0.2],
    "width": [6, 5],
    "n_blocks": [2, 1],
    "hidden_dropout": [0.0, 0.2],
    "residual_dropout": [0.0, 0.2],
    "n_frequencies": [0, 2, 3],
    "frequency_scale": [0.1, 0.3],
    "embedding_size": [4, 3],
}
# What a setting, or a value of it, acts only together with.
TOGETHER_WITH = {
    "momentum": {"optimizer": "sgd"},
    "weight_decay": {"optimizer": "adamw"},
    "adamw": {"weight_decay": 0.5},
    # Batch norm would subtract the bias of an embedded unit that is never cut off, and Adam would
    # follow the rounding errors of its gradient.
    "n_frequencies": {"normalization": "layer"},
    "frequency_scale": {"normalization": "layer", "n_frequencies": 2},
    "embedding_size": {"normalization": "layer", "n_frequencies": 2},
}
EACH_SETTING = pytest.mark.parametrize(
    ("config", "name", "kind"),
    [
        pytest.param(config, field.name, field.type, id=f"{type(config).__name__}.{field.name}")
        for config in CONFIGS
        for field in fields(config)
    ],
)


def variants(config: NetConfig, name: str, kind: Any) -> list[NetConfig]:
    """The settings with each value of one of them. A new setting without values is a KeyError."""
    values = list(get_args(kind)) if get_origin(kind) is Literal else VALUES[name]
    beside = TOGETHER_WITH.get(name, {})
    return [
        replace(config, **{name: value}, **beside, **TOGETHER_WITH.get(value, {}))  # type: ignore[arg-type]
        for value in values
    ]


@cache
@one_thread()
def trained(
    config: NetConfig, backend: str | None, device: torch.device = CPU
) -> NDArray[np.float64]:
    """Probabilities of a net that this backend, or the one that is chosen, trains."""
    members = Members([config], n_seeds=1)
    nets = train_nets(ONE_SPLIT, members, seed=0, device=device, backend=backend)
    return nets.probability[0, 0].cpu().numpy()


@cache
def alone(config: NetConfig) -> NDArray[np.float32]:
    return train_alone(TABLE, 0, config)


def test_every_net_is_tried() -> None:
    assert {type(config) for config in CONFIGS} == {spec.config for spec in NETS.values()}


@EACH_SETTING
def test_each_value_acts_on_each_backend_as_in_a_plain_loop(
    config: NetConfig, name: str, kind: Any
) -> None:
    by_backend: dict[str, list[NDArray[np.float64]]] = {}
    for variant in variants(config, name, kind):
        supporting = backends_of(variant)
        assert "eager" in supporting
        for backend in supporting:
            probability = trained(variant, backend)
            assert_allclose(probability, alone(variant), atol=3e-6, err_msg=backend)
            by_backend.setdefault(backend, []).append(probability)
    assert len(by_backend["eager"]) > 1
    _all_differ(by_backend)


@EACH_SETTING
def test_each_value_acts_in_a_long_job(
    monkeypatch: pytest.MonkeyPatch, config: NetConfig, name: str, kind: Any
) -> None:
    monkeypatch.setattr("titanic_nn.engine.backends.numba_backend.WORTH_COMPILING", 0)
    trained.cache_clear()  # a short job may have chosen another backend
    chosen = [trained(variant, None) for variant in variants(config, name, kind)]
    for variant, probability in zip(variants(config, name, kind), chosen, strict=True):
        assert_allclose(probability, alone(variant), atol=3e-6)
    _all_differ({"chosen": chosen})


@pytest.mark.gpu
@EACH_SETTING
def test_each_value_acts_on_a_gpu(config: NetConfig, name: str, kind: Any) -> None:
    by_backend: dict[str, list[NDArray[np.float64]]] = {}
    for variant in variants(config, name, kind):
        for backend in backends_of(variant, GPU):
            probability = trained(variant, backend, GPU)
            assert_allclose(probability, alone(variant), atol=1e-4, err_msg=backend)
            by_backend.setdefault(backend, []).append(probability)
    assert len(by_backend["eager"]) > 1
    _all_differ(by_backend)


def _all_differ(by_backend: dict[str, list[NDArray[np.float64]]]) -> None:
    for backend, probabilities in by_backend.items():
        pairs: Sequence[Any] = list(combinations(probabilities, 2))
        assert all(np.abs(a - b).max() > 1e-4 for a, b in pairs), backend
