"""What is searched for each net, and the reason for each range.

A parameter of the search is a setting of the net, by its name in `titanic_nn/settings.py`. What is
not searched keeps the value that its settings class has, whatever is shipped in `params/`: a study
means the same before and after its winner became the default.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from titanic_nn.errors import ConfigError
from titanic_nn.config import (
    MODELS,
    NETS,
    NetConfig,
    Model,
    Config,
)

# Adam with decoupled decay: one optimizer whose learning rate needs little care, and a penalty
# that acts alike on every weight. SGD would search the same nets by a longer road.
FIXED: dict[str, Any] = {"optimizer": "adamw"}

# Below the first, 60 epochs do not arrive; above the second, Adam's first steps overshoot.
_LEARNING_RATE = FloatDistribution(1e-3, 1e-1, log=True)
# Decay times learning rate is what a step takes off a weight: from next to nothing, to a pull that
# leaves little but the strongest features.
_WEIGHT_DECAY = FloatDistribution(1e-2, 3.0, log=True)
# 891 rows are learnt by heart within some 60 epochs of a hidden layer. Steps of ten, so that many
# trials share a program.
_EPOCHS = IntDistribution(10, 60, step=10)
# Whether the rate falls to zero (cosine), rises first (one cycle), or stays.
_SCHEDULE = CategoricalDistribution(["constant", "cosine", "one_cycle"])

SEARCHED: dict[Model, dict[str, BaseDistribution]] = {
    "linear": {
        # The loss is a bowl: twice the epochs do no harm, and the decay alone has to regularise.
        "epochs": IntDistribution(20, 120, step=20),
        "learning_rate": _LEARNING_RATE,
        "weight_decay": _WEIGHT_DECAY,
        "schedule": _SCHEDULE,
    },
    "relu": {
        "epochs": _EPOCHS,
        "learning_rate": _LEARNING_RATE,
        "weight_decay": _WEIGHT_DECAY,
        "schedule": _SCHEDULE,
        # Fewer than 16 units cannot tell the titles apart by class; 128 are several per row group.
        "hidden": IntDistribution(16, 128, step=16),
    },
    "deep": {
        "epochs": _EPOCHS,
        "learning_rate": _LEARNING_RATE,
        "weight_decay": _WEIGHT_DECAY,
        "schedule": _SCHEDULE,
        # Even layers and tapering ones, two and three of them; one layer is the relu net.
        "hidden": CategoricalDistribution(
            ["16-16", "32-16", "32-32", "64-32", "64-64", "64-32-16"],
        ),
        # Smooth and not, for depth makes the difference larger.
        "activation": CategoricalDistribution(["relu", "gelu", "tanh"]),
        # More than half the units left out, and 16 are too few.
        "dropout": FloatDistribution(0.0, 0.5),
    },
}


@dataclass(frozen=True)
class Space:
    """What is searched for one net.

    Attributes:
        model: the net.
        fixed: settings that all trials share; those in neither mapping keep their class's value.
        searched: setting -> where it is searched.
    """

    model: Model
    fixed: Mapping[str, Any]
    searched: Mapping[str, BaseDistribution]

    def config(self, params: Mapping[str, Any]) -> NetConfig:
        """The net's settings for a trial's parameters.

        Raises SettingsError for a value that the net does not take.
        """
        values = asdict(NETS[self.model]()) | dict(self.fixed) | _as_settings(params)
        return Config.from_toml(None, **{self.model: values}).net(self.model)

    def describe(self) -> dict[str, str]:
        """Every searched or fixed setting as text: what two studies must share to be one."""
        fixed = {name: repr(value) for name, value in self.fixed.items()}
        return fixed | {name: distribution_to_json(d) for name, d in self.searched.items()}


def load_space(model: Model, path: Path | None = None) -> Space:
    """The space of a net, narrowed by its table in a TOML file:

        [relu]
        epochs = 20                                    # fixed
        hidden = { low = 16, high = 64, step = 16 }    # narrowed
        schedule = { choices = ["constant", "cosine"] }

    Raises SettingsError, in one line, for an unknown setting or a value that the net does not take.
    """
    fixed, searched = dict(FIXED), dict(SEARCHED[model])
    known = [f.name for f in fields(NETS[model])]
    for name, wanted in _table(path, model).items():
        where = f"{path}: {model}.{name}"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{path}: there is no setting {model}.{name}{hint}")
        before = searched.pop(name, None)
        if isinstance(wanted, dict):
            searched[name] = _distribution(wanted, before, where)
            fixed.pop(name, None)
        else:
            fixed[name] = wanted
    if not searched:
        raise ConfigError(f"{path}: fixes every setting of {model}; leave one to be searched")
    space = Space(model, fixed, searched)
    _check(space, path)
    return space


def _table(path: Path | None, model: Model) -> dict[str, Any]:
    """The file's table for one net."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}.") from None
    for name, table in tables.items():
        if name not in MODELS or not isinstance(table, dict):
            raise ConfigError(f"{path}: {name}: give a table for one of {', '.join(MODELS)}")
    found: dict[str, Any] = tables.get(model, {})
    return found


def _distribution(
    wanted: dict[str, Any], before: BaseDistribution | None, where: str
) -> BaseDistribution:
    """A range or a choice as the file has it; `log` stays as it was where the file is silent."""
    try:
        if wanted.keys() == {"choices"}:
            return CategoricalDistribution([_as_param(choice) for choice in wanted["choices"]])
        if {"low", "high"} <= wanted.keys() <= {"low", "high", "log", "step"}:
            whole = all(isinstance(wanted[end], int) for end in ("low", "high"))
            whole = whole and not isinstance(before, FloatDistribution)
            range_type = IntDistribution if whole else FloatDistribution
            return range_type(**{"log": getattr(before, "log", False)} | wanted)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None
    raise ConfigError(f"{where}: give a value, {{ low = , high = }} or {{ choices = [ ] }}")


def _check(space: Space, path: Path | None) -> None:
    """Every bound and choice is a value that the net takes, or one line says which is not."""
    corners: dict[str, list[Any]] = {}
    for name, distribution in space.searched.items():
        match distribution:
            case CategoricalDistribution():
                corners[name] = list(distribution.choices)
            case IntDistribution() | FloatDistribution():
                corners[name] = [distribution.low, distribution.high]
    first = {name: values[0] for name, values in corners.items()}
    for name, values in corners.items():
        for value in values:
            try:
                space.config(first | {name: value})
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from None


def _as_param(value: Any) -> Any:
    """A value as Optuna keeps it: layers [64, 32] as "64-32"."""
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else value


def _as_settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the settings have them: "64-32" as layers (64, 32)."""
    values = dict(params)
    if isinstance(values.get("hidden"), str):
        values["hidden"] = [int(units) for units in values["hidden"].split("-")]
    return values
