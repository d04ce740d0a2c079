"""What could never be done is refused before it begins, with what it would take."""

import time
from argparse import Namespace
from dataclasses import replace
from typing import Any

import pytest
from titanic_tables import bundled

from titanic_nn.cli.options import check_size
from titanic_nn.competitions.registry import load_config
from titanic_nn.config import Config
from titanic_nn.engine.cost import memory, memory_faults, refuse_too_large, training_cost
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig

SIZE: dict[str, Any] = {"splits": 60, "n_seeds": 5, "rows": 800, "features": 36}


def refused(config: Config, *, yes: bool = False) -> str:
    """Why, "" where it is not."""
    try:
        check_size(Namespace(yes=yes), bundled(), config, inner=True)
    except ConfigError as error:
        return str(error)
    return ""


ABSURD: dict[str, dict[str, Any]] = {
    "epochs": {"nets": {"linear": LinearConfig(epochs=10**9)}},
    "hidden size": {"nets": {"relu": ReLUConfig(hidden_size=10**9)}},
    "hidden sizes": {"nets": {"deep": DeepConfig(hidden_sizes=(10**6, 10**6))}},
    "blocks": {"models": ["resnet"], "nets": {"resnet": ResNetConfig(n_blocks=1000, width=10**6)}},
    "seeds": {"n_seeds": 10**9},
    "repeats": {"repeats": 10**9},
}


@pytest.mark.parametrize("case", ABSURD)
def test_an_absurd_size_is_refused_at_once_unless_the_user_insists(case: str) -> None:
    start = time.monotonic()
    values = {"models": ["linear", "relu", "deep"], **ABSURD[case]}
    config = Config(**values)
    message = refused(config)
    assert "would take at least" in message
    assert "GiB of memory; this machine has" in message
    assert message.endswith("or add --yes to try")
    assert refused(config, yes=True) == ""
    assert time.monotonic() - start < 5


def test_what_people_do_is_not_refused() -> None:
    assert refused(load_config()) == ""
    assert refused(load_config(folds=20, repeats=10, n_seeds=10)) == ""
    # Ten thousand units on a hundred thousand rows.
    large = training_cost("relu", ReLUConfig(hidden_size=10**4), **SIZE | {"rows": 10**5})
    refuse_too_large(large, longest=1e9)


@pytest.mark.parametrize("more", ["epochs", "hidden_size", "splits", "n_seeds", "rows"])
def test_more_of_anything_takes_longer(more: str) -> None:
    def seconds(factor: int) -> float:
        net = ReLUConfig()
        if more in ("epochs", "hidden_size"):
            net = replace(net, **{more: factor * getattr(net, more)})
            return training_cost("relu", net, **SIZE).seconds
        return training_cost("relu", net, **SIZE | {more: factor * SIZE[more]}).seconds

    assert 1.9 < seconds(20) / seconds(10) < 2.1


def test_a_hundred_classes_take_more_memory_than_two() -> None:
    two, hundred = (training_cost("linear", LinearConfig(), **SIZE, classes=n) for n in (2, 100))
    assert hundred.bytes > 5 * two.bytes


@pytest.mark.parametrize("net", [LinearConfig(), DeepConfig()])
def test_the_bound_is_one(net: NetConfig) -> None:
    """A core trains hundreds of the default nets a second, not tens of thousands."""
    cost = training_cost("net", net, **SIZE)
    assert 1e-3 < cost.seconds < 60
    assert 1e5 < cost.bytes < memory()


def test_want_of_memory_is_one_line_and_other_errors_stay() -> None:
    with pytest.raises(ConfigError, match="more memory than there is"), memory_faults():
        raise MemoryError
    with pytest.raises(RuntimeError, match="shapes"), memory_faults():
        raise RuntimeError("shapes do not match")
