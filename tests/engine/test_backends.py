"""Backends support what they list and nothing else; a new net is trained by the eager one."""

from collections.abc import Callable
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from plain import (
    CPU,
    DEEP,
    LINEAR,
    PLAIN,
    PLAIN_NETS,
    RELU,
    RESNET,
    FeedForward,
    PlainNet,
    backends_of,
    make_table,
    one_thread,
    train_alone,
)
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from titanic_nn.engine.backends import BACKENDS, choose_backend
from titanic_nn.engine.members import Members
from titanic_nn.engine.task import Block, SplitData, initial_nets
from titanic_nn.engine.train import make_task, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.nets.batch import Batch, Params, Uniform
from titanic_nn.nets.config import STRICT, Count, DeepConfig, LinearConfig, NetConfig, Positive
from titanic_nn.nets.deep import DeepNet
from titanic_nn.nets.layers import gradients_by_autograd
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.losses import Loss
from titanic_nn.nets.registry import NETS, NetSpec

TABLE = make_table()
PART = pytest.mark.parametrize("part", [1.0, 0.0])


def chosen(config: NetConfig, data: SplitData = TABLE.data, **options: Any) -> str:
    return make_task(data, Members([config], 1), 0, CPU, **options).backend


@pytest.mark.parametrize(
    ("config", "by_numba"),
    [
        (LINEAR, True),
        (replace(RELU, optimizer="adamw", weight_decay=0.1, l1=0.1), True),
        (replace(DEEP, dropout=0.1), True),
        (replace(DEEP, activation="tanh"), False),
        (replace(DEEP, normalization="layer"), False),
        (replace(RELU, optimizer="sgd"), False),
        (replace(RELU, loss="squared_error"), False),
        (RESNET, False),
    ],
)
def test_long_jobs_are_compiled_where_numba_supports_them(
    config: NetConfig, by_numba: bool
) -> None:
    assert ("numba" in backends_of(config)) == by_numba
    assert chosen(config) == "eager"  # a short job is not worth compiling
    assert chosen(config, part=0) == ("numba" if by_numba else "eager")


def table_of(rows: int, splits: int) -> SplitData:
    class Encodings:
        shape = (splits, rows, 39)

        def encode(self, splits: Any) -> Any:
            raise AssertionError("nothing is trained here")

    split = replace(TABLE.splits[0], train=np.arange(rows))
    return SplitData(Encodings(), np.zeros(rows, np.int64), [split] * splits)


def test_compiling_is_worthwhile_for_many_nets_or_many_steps() -> None:
    config = replace(LINEAR, epochs=60, batch_size=128)
    assert chosen(config, table_of(802, 1)) == "eager"
    assert chosen(config, table_of(802, 100)) == "eager"
    assert chosen(config, table_of(802, 100), part=0.01) == "numba"  # of a job of 10,000 nets
    assert chosen(config, table_of(802, 10_000)) == "numba"
    assert chosen(config, table_of(500_000, 1)) == "numba"
    assert chosen(replace(config, optimizer="sgd"), table_of(802, 10_000)) == "eager"


@PART
def test_weights_and_classes_are_the_eager_backend_s(part: float) -> None:
    weighted = replace(TABLE, weights=np.ones(len(TABLE.y), np.float32)).data
    classes = replace(TABLE, y=np.eye(3, dtype=np.int64)[TABLE.y]).data
    for data in (weighted, classes):
        assert chosen(RELU, data, part=part) == "eager"
        for name in ("numba", "triton"):
            with pytest.raises(ConfigError, match=f"backend '{name}' does not support this ReLU"):
                chosen(RELU, data, backend=name)


def test_a_named_backend_is_used_or_refused_in_one_line() -> None:
    assert chosen(RELU, backend="numba") == "numba"
    with pytest.raises(
        ConfigError, match=r"^backend 'numba' does not support this ResNetConfig.*$"
    ):
        chosen(RESNET, backend="numba")
    with pytest.raises(ConfigError, match=r"^there is no backend 'stacked'; choose from .*eager$"):
        chosen(RELU, backend="stacked")


def test_without_numba_long_jobs_are_the_eager_backend_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_module(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("titanic_nn.engine.backends.numba_backend.import_module", no_module)
    assert chosen(RELU, part=0) == "eager"


@pytest.mark.parametrize(
    "config", [LINEAR, RELU, DEEP, replace(DEEP, normalization="batch"), RESNET]
)
def test_parameters_are_counted_right(config: NetConfig) -> None:
    task = make_task(TABLE.data, Members([config], 1), 0, CPU)
    nets = initial_nets(task, Block(np.array([0, 1]), np.array([0, 0]), steps=4, batch_rows=16))
    assert task.n_parameters == nets.flat.shape[1]


def test_a_step_s_activations_are_two_per_unit_of_plain_nets() -> None:
    widths = {LINEAR: 0, RELU: 8, DEEP: 14}
    for config, units in widths.items():
        assert make_task(TABLE.data, Members([config], 1), 0, CPU).activations == 2 * units


# A new net: z = x w1 + b1 + bend x² w2.
@dataclass(frozen=True, kw_only=True, config=STRICT)
class QuadraticConfig(NetConfig):
    """Settings of a net that no backend has heard of."""

    per_member: ClassVar[Any] = (*NetConfig.per_member, "bend")

    epochs: Count = 4
    learning_rate: Positive = 0.01
    weight_decay: float = 0.0
    bend: Positive = 0.5


@plain_dataclass(frozen=True)
class QuadraticNet:
    """Its maths."""

    bend: Tensor

    @classmethod
    def from_config(cls, config: QuadraticConfig, value: Callable[[str], Tensor]) -> "QuadraticNet":
        return cls(value("bend"))

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        w1, w2 = (uniform(name, (features, outputs)) - 0.5 for name in ("w1", "w2"))
        return {"w1": w1, "b1": w1.new_zeros(*w1.shape[:-2], 1, outputs), "w2": w2}

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return x @ params["w1"] + params["b1"] + self.bend * (x**2 @ params["w2"])

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return gradients_by_autograd(lambda p, x, _: self.logits(p, x), params, batch, loss)


class PlainQuadratic(PlainNet):
    """The same in plain torch."""

    def __init__(self, features: int, config: QuadraticConfig, outputs: int = 1) -> None:
        second = nn.Linear(features, outputs, bias=False)
        super().__init__([nn.Linear(features, outputs), second], {})
        self.bend = config.bend

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        first, second = self.layers
        logits: Tensor = first(x) + self.bend * second(x**2)
        return logits


# New nets that look like known ones: subclasses of their settings and of their maths.
@dataclass(frozen=True, kw_only=True, config=STRICT)
class DoubledConfig(LinearConfig):
    """No new setting, other maths."""


class DoubledNet(LinearNet):
    """z = 2 (x w + b)."""

    def logits(self, params: Params, x: Tensor) -> Tensor:
        return 2 * super().logits(params, x)

    def gradients(self, params: Params, batch: Batch, loss: Loss) -> Params:
        return gradients_by_autograd(lambda p, x, _: self.logits(p, x), params, batch, loss)


class PlainDoubled(FeedForward):
    """The same in plain torch."""

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        return 2 * super().forward(x, uniform)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SkipConfig(DeepConfig):
    """A new setting of the deep net."""

    skip: float = 0.5


@plain_dataclass(frozen=True)
class SkipNet(DeepNet):
    """The deep net, plus a fraction of the first feature."""

    skip: float = 0.0

    @classmethod
    def from_config(cls, config: Any, value: Callable[[str], Tensor]) -> "SkipNet":
        base = DeepNet.from_config(config, value)
        return cls(**vars(base), skip=config.skip)

    def _forward(self, params: Params, x: Tensor, batch: Batch | None) -> Tensor:
        return super()._forward(params, x, batch) + self.skip * x[..., :1]


class PlainSkip(FeedForward):
    """The same in plain torch."""

    def __init__(self, features: int, config: Any, outputs: int = 1) -> None:
        super().__init__(features, config, outputs)
        self.skip = config.skip

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        logits: Tensor = super().forward(x, uniform) + self.skip * x[..., :1]
        return logits


TOYS: dict[str, tuple[list[NetConfig], type, type[PlainNet]]] = {
    "quadratic": (
        [
            QuadraticConfig(initialization="fastai", **PLAIN),
            QuadraticConfig(initialization="fastai", bend=0.2, l2=0.1, **PLAIN),
        ],
        QuadraticNet,
        PlainQuadratic,
    ),
    "doubled": ([DoubledConfig(**PLAIN)], DoubledNet, PlainDoubled),
    "skip": (
        [SkipConfig(hidden_sizes=(8, 6), dropout=rate, **PLAIN) for rate in (0.0, 0.2)],
        SkipNet,
        PlainSkip,
    ),
}


@pytest.fixture(params=TOYS)
def toy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[NetConfig]:
    """Trials of a net that is added at run time: one line in the registry."""
    trials, net, plain = TOYS[request.param]
    config = type(trials[0])
    monkeypatch.setitem(NETS, "toy", NetSpec("toy", config, f"{__name__}:{net.__name__}"))
    monkeypatch.setitem(PLAIN_NETS, config, plain)
    return trials


@PART
def test_a_new_net_is_claimed_by_the_eager_backend_alone(toy: list[NetConfig], part: float) -> None:
    for config in toy:
        assert backends_of(config) == ["eager"]
        assert chosen(config, part=part) == "eager"
        for name in set(BACKENDS) - {"eager"}:
            with pytest.raises(ConfigError, match="does not support this"):
                chosen(config, backend=name)


@PART
@one_thread()
def test_a_new_net_is_trained_as_in_a_plain_loop(toy: list[NetConfig], part: float) -> None:
    members = Members(toy, n_seeds=2)
    together = train_nets(TABLE.data, members, seed=0, device=CPU, part=part).probability
    for split in range(4):
        for trial, config in enumerate(toy):
            alone = train_alone(TABLE, split, config, number=1)
            assert_allclose(together[split, 2 * trial + 1], alone, atol=3e-6)


@pytest.mark.parametrize("trials", [toy[0] for toy in TOYS.values()], ids=list(TOYS))
def test_a_net_without_a_line_in_the_registry_is_refused(trials: list[NetConfig]) -> None:
    for options in ({}, {"part": 0}, {"backend": "eager"}, {"backend": "numba"}):
        with pytest.raises(ConfigError, match=r"^no net is registered for \w+Config$"):
            chosen(trials[0], **options)


def test_the_choice_needs_no_device_but_the_task_s() -> None:
    task = make_task(TABLE.data, Members([RELU], 1), 0, CPU)
    assert choose_backend(task) == "eager"
    assert not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
