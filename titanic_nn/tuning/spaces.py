"""A net's search space, narrowed by a user's file, and translated to Optuna's distributions.

The space stands with the net's settings (`NetConfig.search_space`). A setting that is neither
searched nor fixed has the default of its class, not the value that was tuned for a competition: a
study means the same before and after its best settings are shipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from titanic_nn.config import Config, read_toml
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import Choice, NetConfig, Range, SearchSpace
from titanic_nn.nets.registry import NETS


@dataclass(frozen=True)
class Space:
    """What is searched for one net.

    Attributes:
        model: the net.
        fixed: settings that all trials share.
        searched: setting -> where it is searched.
    """

    model: str
    fixed: Mapping[str, Any]
    searched: SearchSpace

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Setting -> its distribution, as Optuna's `ask` takes them."""
        return {name: _distribution(searched) for name, searched in self.searched.items()}

    def config(self, params: Mapping[str, Any]) -> NetConfig:
        """The net's settings with a trial's parameters.

        Raises ConfigError for a value that the net does not take.
        """
        values = dict(self.fixed)
        for name, param in params.items():
            searched = self.searched[name]
            choices = searched.values if isinstance(searched, Choice) else ()
            values[name] = {_as_param(choice): choice for choice in choices}.get(param, param)
        config: NetConfig = Config.from_toml(None, **{self.model: values}).nets[self.model]
        return config

    def largest(self) -> list[NetConfig]:
        """Settings at the upper bounds: one for each choice of a setting that has choices."""
        highs = {name: _corners(searched)[-1] for name, searched in self.searched.items()}
        found = [self.config(highs)]
        for name, searched in self.searched.items():
            if isinstance(searched, Choice):
                found += [self.config(highs | {name: value}) for value in searched.values]
        return found

    def describe(self) -> dict[str, str]:
        """Every searched or fixed setting as text, which all trials of a study must share."""
        fixed = {name: repr(value) for name, value in self.fixed.items()}
        return fixed | {name: distribution_to_json(d) for name, d in self.distributions.items()}


def load_space(model: str, path: Path | None = None) -> Space:
    """A net's space, changed by the net's table in a TOML file:

        [relu]
        epochs = 20                                        # fixed
        hidden_size = { low = 16, high = 64, step = 16 }   # another range
        schedule = { choices = ["constant", "cosine"] }    # other choices

    Raises ConfigError, in one line, for an unknown setting or a value that the net does not take.
    """
    tables = read_toml(path) if path else {}
    for name, table in tables.items():
        if name not in NETS or not isinstance(table, dict):
            raise ConfigError(f"{path}: {name}: give a table for one of {', '.join(NETS)}")
    fixed: dict[str, Any] = {}
    searched = dict(NETS[model].config.search_space)
    for name, wanted in tables.get(model, {}).items():
        if isinstance(wanted, dict):
            searched[name] = _searched(wanted, searched.get(name), f"{path}: {model}.{name}")
        else:
            fixed[name] = wanted
            searched.pop(name, None)
    if not searched:
        raise ConfigError(f"{path}: fixes every setting of {model}; leave one to be searched")
    space = Space(model, fixed, searched)
    try:
        _check(space)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return space


def _searched(
    wanted: Mapping[str, Any], before: Range | Choice | None, where: str
) -> Range | Choice:
    """A range, which keeps its type and `log` unless the file has one, or a choice."""
    found: Range | Choice
    try:
        if wanted.keys() == {"choices"}:  # TOML has no tuples
            found = Choice([tuple(c) if isinstance(c, list) else c for c in wanted["choices"]])
        elif {"low", "high"} <= wanted.keys() <= {"low", "high", "log", "step"}:
            was = before if isinstance(before, Range) else Range(0, 1)
            found = Range(**{"log": was.log, **wanted})
            if isinstance(was.low, float):
                found = Range(float(found.low), float(found.high), found.log, found.step)
        else:
            raise ConfigError(f"{where}: give a value, {{ low = , high = }} or {{ choices = [ ] }}")
        _distribution(found)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None
    return found


def _distribution(searched: Range | Choice) -> BaseDistribution:
    """The same in Optuna's terms; ValueError or TypeError where it makes no sense."""
    if isinstance(searched, Choice):
        return CategoricalDistribution([_as_param(value) for value in searched.values])
    low, high, log, step = searched.low, searched.high, searched.log, searched.step
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=1 if step is None else int(step))
    return FloatDistribution(low, high, log=log, step=step)


def _corners(searched: Range | Choice) -> Sequence[Any]:
    """All choices, or a range's bounds."""
    return searched.values if isinstance(searched, Choice) else (searched.low, searched.high)


def _check(space: Space) -> None:
    """Raise ConfigError for the first bound or choice that the net does not take."""
    corners = {name: _corners(searched) for name, searched in space.searched.items()}
    first = {name: values[0] for name, values in corners.items()}
    for name, values in corners.items():
        for value in values:
            space.config(first | {name: value})


def _as_param(value: Any) -> Any:
    """A choice as Optuna stores it, which stores no tuples: (64, 32) as "64-32"."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else value
