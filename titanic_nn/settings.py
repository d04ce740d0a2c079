"""Everything that a run is made of, as frozen dataclasses, read from and written to TOML.

They are checked when they are made. A setting that would do nothing (momentum under Adam, say) is
refused, so that every number in a settings file is one that acted.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from titanic_nn.errors import SettingsError

Model = Literal["linear", "relu", "deep"]
MODELS: tuple[Model, ...] = get_args(Model)
# The average of a run's nets, where it has several.
ENSEMBLE = "ensemble"

# One TOML file a net: the values that `train` uses when nobody says otherwise.
DEFAULTS_DIR = Path(__file__).parent / "params"

T = TypeVar("T")

_STRICT = ConfigDict(extra="forbid")

Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class FeatureSettings:
    """How passengers become numbers. Whatever is fitted is fitted on training rows only."""

    # Among whom a ticket's holders are counted: the training rows (and the row itself), or every
    # passenger whose features are known, held-out and test rows too. Labels are never looked at.
    count_tickets_among: Literal["training", "known"] = "training"
    # Categories that fewer training rows carry than this share one column.
    min_category_rows: Count = 5


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class LinearSettings:
    """How a net is trained; all that there is to choose for the linear model."""

    # Passes over the training rows. Never chosen on the fold that scores the net.
    epochs: Count = 60
    # Rows a step: a number, or "all" for gradient descent on the whole training set.
    batch_size: Count | Literal["all"] = 128
    loss: Literal["cross_entropy", "squared_error", "absolute_error"] = "cross_entropy"
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: Positive = 0.01
    # How the learning rate moves from the first step to the last.
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    # Share of the last step's velocity that is kept; "sgd" only.
    momentum: Share = 0.0
    # Weights shrink by learning_rate * weight_decay each step, whatever the gradient; "adamw" only.
    weight_decay: NotNegative = 0.0
    # Penalties added to the loss: l1 * sum(|w|) and l2 / 2 * sum(w^2), over weights, not biases.
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    # How weights start: Glorot and Bengio's uniform, He's normal, or fast.ai's (u - 0.5) / fan_out.
    initialization: Literal["xavier", "he", "fastai"] = "xavier"

    @model_validator(mode="after")
    def _each_setting_acts(self) -> Self:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f'momentum does nothing under "{self.optimizer}": use "sgd", or 0')
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(
                f'weight_decay does nothing under "{self.optimizer}": use "adamw", or l2'
            )
        return self


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ReLUSettings(LinearSettings):
    """The net with one hidden layer, by hand."""

    # Hidden units.
    hidden: Count = 64
    initialization: Literal["xavier", "he", "fastai"] = "he"


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class DeepSettings(LinearSettings):
    """The net with two and more hidden layers, by autograd."""

    # Units of each hidden layer, first to last.
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 32)
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu"] = "relu"
    initialization: Literal["xavier", "he", "fastai"] = "he"
    # What each hidden layer does before its activation.
    normalization: Literal["none", "batch", "layer"] = "none"
    # Share of each hidden layer's units that a training step leaves out.
    dropout: Share = 0.0


NETS: dict[Model, type[LinearSettings]] = {
    "linear": LinearSettings,
    "relu": ReLUSettings,
    "deep": DeepSettings,
}


def _shipped(model: Model) -> Any:
    """The net's settings as `params/<model>.toml` has them."""
    path = DEFAULTS_DIR / f"{model}.toml"
    return _checked(NETS[model], _read_toml(path).get(model, {}), path)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Settings:
    """A whole run. `Settings()` is what `python -m titanic_nn.train` does by default."""

    models: Annotated[tuple[Model, ...], Field(min_length=1)] = MODELS
    # Cross-validation: folds that are cut afresh in every repeat.
    folds: Annotated[int, Field(strict=True, ge=2)] = 10
    repeats: Count = 3
    # The number that all randomness grows from.
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 42
    # Nets a split whose probabilities are averaged, in every fold as in the final fit.
    seeds: Count = 5
    # Folds that each training set is cut into once more, to calibrate the nets and weigh their
    # ensemble on rows that did not train them; 0 leaves the nets as they are, with equal weights.
    inner_folds: Annotated[int, Field(strict=True, ge=0)] = 5
    # "auto" takes a GPU after a real operation on it worked.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # How often the learning curves are read off while a net trains.
    history_points: Count = 20
    features: FeatureSettings = field(default_factory=FeatureSettings)
    linear: LinearSettings = field(default_factory=lambda: _shipped("linear"))
    relu: ReLUSettings = field(default_factory=lambda: _shipped("relu"))
    deep: DeepSettings = field(default_factory=lambda: _shipped("deep"))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.inner_folds == 1:
            raise ValueError("inner_folds = 1: choose 2 or more, or 0 for none")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models names one twice: {', '.join(self.models)}")
        return self

    def net(self, model: Model) -> LinearSettings:
        """The settings of one net."""
        chosen: LinearSettings = getattr(self, model)
        return chosen

    @property
    def predictors(self) -> tuple[str, ...]:
        """What a run predicts with: its nets and, where there are several, their ensemble."""
        return (*self.models, ENSEMBLE) if len(self.models) > 1 else self.models

    def to_toml(self) -> str:
        """This run's settings as TOML, which `from_toml` reads back to an equal object."""
        import tomli_w

        return tomli_w.dumps(asdict(self))

    @classmethod
    def from_toml(cls, path: Path | None = None, **overrides: Any) -> Self:
        """Settings from a TOML file that may leave anything out, and overrides that are not None.

        What a net's table leaves out keeps the shipped value.
        Raises SettingsError, in one line: file, setting, value, and what is wrong with it.
        """
        values = _read_toml(path) if path else {}
        values |= {name: value for name, value in overrides.items() if value is not None}
        for model in MODELS:
            table = values.get(model)
            if isinstance(table, dict):
                values[model] = _merged(_shipped(model), table)
        return _checked(cls, values, path)


def _merged(shipped: LinearSettings, table: dict[str, Any]) -> dict[str, Any]:
    """`table` over the shipped values, less what acts only under the shipped optimizer."""
    values = asdict(shipped)
    if "optimizer" in table:
        values |= {"momentum": 0.0, "weight_decay": 0.0}
    return values | table


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}.") from None


def check_settings(cls: type[T], values: Mapping[str, Any]) -> T:
    """A `cls` of these values, or a SettingsError of one line that names the first wrong one."""
    return _checked(cls, values, None)


def _checked(cls: type[T], values: Mapping[str, Any], path: Path | None) -> T:
    """`values` as a `cls`, or one line that names the first setting that is wrong."""
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise SettingsError(_one_line(error, path)) from None


def _one_line(error: ValidationError, path: Path | None) -> str:
    """The first complaint of pydantic as one line of ours: file, setting, value, what is wrong."""
    first = error.errors()[0]
    # pydantic adds the names of its own steps ("constrained-int") after the setting's.
    names = [part for part in first["loc"] if isinstance(part, int) or part.isidentifier()]
    name = ".".join(map(str, names)) or "settings"
    where = f"{path}: " if path else ""
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "unexpected_keyword_argument":
        near = difflib.get_close_matches(name, _NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{where}there is no setting {name}{hint}"
    if first["type"] == "value_error":
        return f"{where}{name}: {message}"
    return f"{where}{name} = {first['input']!r}: {message[0].lower()}{message[1:]}"


# Every setting as a complaint names it: "folds", "relu.epochs".
_NAMES = [f.name for f in fields(Settings)]
_NAMES += [f"features.{f.name}" for f in fields(FeatureSettings)]
_NAMES += [f"{model}.{f.name}" for model, cls in NETS.items() for f in fields(cls)]
