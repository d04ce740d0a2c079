"""The settings of a run, as frozen dataclasses, read from and written to TOML.

Every value has one default: a run's stands here, a net's in nets/config.py. A competition may
bring values that were tuned for it; they are merged over the defaults, and a user's file over both.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, field, fields
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from titanic_nn.errors import ConfigError, DataError, did_you_mean
from titanic_nn.files import read_bytes
from titanic_nn.nets.config import STRICT, Count, NetConfig
from titanic_nn.nets.registry import NETS

LARGEST_TOML = 2**20  # bytes of a file with settings
LONGEST_SHOWN = 100  # characters of a setting or value in a message
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = LONGEST_SHOWN

# The name of the weighted average of a run's nets, where it has several.
ENSEMBLE = "ensemble"
# Libraries of boosted trees that a run can fit beside the nets; evaluation/rivals.py fits them.
RIVALS = ("xgboost", "lightgbm", "catboost")
# The name of the weighted average of a run's nets and rivals, which is not saved as a model.
ENSEMBLE_RIVALS = "ensemble_rivals"

# A competition in settings: its slug or, of an own table, its description as TOML holds it.
Reference: TypeAlias = str | Mapping[str, Any]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FeatureConfig:
    """How a table's rows are encoded. Whatever is fitted is fitted on training rows only."""

    # Among which rows the members of a group are counted: the training rows (and the row itself),
    # or every row whose features are known, held-out and test rows too. Labels are never read.
    count_groups_among: Literal["training", "known"] = "training"
    # Categories with fewer training rows than this share one column.
    min_category_rows: Count = 5
    # Bins of the piecewise-linear encoding of a number, by which even a linear model can follow a
    # curve; 0: a number is one column, in standard deviations from its mean.
    n_bins: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Config:
    """A whole run."""

    # The competition's slug, as in the address of its page; or the description of an own table.
    competition: Reference = "titanic"
    # The nets that are trained and compared.
    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("linear", "relu", "deep")
    # Libraries of boosted trees that are compared with the nets; some of RIVALS.
    rivals: tuple[str, ...] = ()
    # Whether a further ensemble averages the nets and the rivals.
    ensemble_rivals: Annotated[bool, Field(strict=True)] = False
    # Cross-validation: folds, drawn anew in every repeat.
    folds: Annotated[Count, Field(ge=2)] = 10
    repeats: Count = 3
    # Whether the rows of a group stay in one fold, so that none of a held-out row's group trains:
    # right where the rows to predict are of other groups. The competition says what a group is.
    group_folds: Annotated[bool, Field(strict=True)] = False
    # The random seed of everything that is random.
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 42
    # Nets per split whose probabilities are averaged, in every fold as in the final fit.
    n_seeds: Count = 5
    # Folds of each training set, whose held-out rows calibrate the nets and weight their ensemble;
    # 0 leaves the nets uncalibrated and the weights equal.
    inner_folds: Annotated[int, Field(strict=True, ge=0, le=1000)] = 5
    # "auto" uses a GPU if a first operation on it succeeds.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # Points of the learning curves that are recorded while a net trains.
    history_points: Count = 20
    features: FeatureConfig = field(default_factory=FeatureConfig)
    # Every registered net's settings by its name; those left out have their defaults.
    nets: Mapping[str, Any] = field(
        default_factory=lambda: {name: spec.default() for name, spec in NETS.items()}
    )

    @field_validator("models", "rivals")
    @classmethod
    def _known_names(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind, every = ("net", [*NETS]) if info.field_name == "models" else ("rival", [*RIVALS])
        for name in names:
            if name not in every:
                known = f"choose from {', '.join(every)}{did_you_mean(name, every)}"
                raise ValueError(f"there is no {kind} {_shown(name)}; {known}")
        for name in every:
            if names.count(name) > 1:
                raise ValueError(f"{name} is named {names.count(name)} times")
        return names

    @field_validator("nets")
    @classmethod
    def _all_nets(cls, nets: Mapping[str, Any]) -> dict[str, NetConfig]:
        for name, config in nets.items():
            if name not in NETS or type(config) is not NETS[name].config:
                raise ValueError(f"{name} is no net with settings {type(config).__name__}")
        return {name: nets[name] if name in nets else s.default() for name, s in NETS.items()}

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.inner_folds == 1:
            raise ValueError("inner_folds = 1: choose 2 or more, or 0 for none")
        return self

    @property
    def predictors(self) -> tuple[str, ...]:
        """What a run predicts with: its nets and, where there are several, their ensemble."""
        return (*self.models, ENSEMBLE) if len(self.models) > 1 else self.models

    @property
    def unsaved(self) -> tuple[str, ...]:
        """What a run predicts the test table with and submits, but does not save as a model."""
        return (ENSEMBLE_RIVALS,) if self.ensemble_rivals else ()

    def to_toml(self) -> str:
        """These settings as TOML, which `from_toml` reads back to an equal object."""
        import tomli_w

        values = asdict(self)
        return tomli_w.dumps(values | values.pop("nets"))

    @classmethod
    def from_toml(
        cls,
        path: Path | None = None,
        *,
        tuned: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> Self:
        """Settings from a TOML file, which may leave anything out.

        Args:
            path: the file; none by default. A net's settings are a table with the net's name.
            tuned: values that replace the defaults, as a competition brings them; a net's settings
                are a mapping by its name.
            overrides: single settings that replace the file's; None is no override.

        Raises:
            ConfigError: in one line: file, setting, value, and what is wrong with it.
        """
        values = read_toml(path) if path else {}
        tuned = tuned or {}
        for name, value in tuned.items():
            if name not in NETS:
                own = values.get(name, value)
                both = isinstance(own, dict) and isinstance(value, Mapping)
                values[name] = {**value, **own} if both else own
        values |= {name: value for name, value in overrides.items() if value is not None}
        if "nets" in values:
            where = f"{path}: " if path else ""
            raise ConfigError(f"{where}there is no setting nets; name a net's settings by the net")
        nets = {}
        for name, spec in NETS.items():
            table = values.pop(name, {})
            if isinstance(table, dict):
                table = _merged(tuned.get(name, {}), table)
            nets[name] = check_config(spec.config, table, path, prefix=name)
        return check_config(cls, {**values, "nets": nets}, path)


def _merged(tuned: Mapping[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """`table` over the tuned values, except those that act under the tuned optimizer only."""
    dropped = ("momentum", "weight_decay") if "optimizer" in table else ()
    return {name: value for name, value in tuned.items() if name not in dropped} | table


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's values. Raises ConfigError, in one line, where it is not such a file."""
    try:
        return tomllib.loads(read_bytes(path, LARGEST_TOML).decode())
    except DataError as error:
        raise ConfigError(str(error)) from None
    except RecursionError:
        raise ConfigError(f"{path}: its arrays or tables are nested too deeply") from None
    # Besides its own errors tomllib raises those of numbers and dates that Python does not hold.
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}.") from None


def check_config(cls: type[T], values: Any, path: Path | None = None, prefix: str = "") -> T:
    """A `cls` with these values, or a ConfigError of one line that names the first wrong one.

    path, prefix: the file that they are from, and the table in it, for that line.
    """
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_one_line(error, path, prefix)) from None


def _one_line(error: ValidationError, path: Path | None, prefix: str) -> str:
    """pydantic's first error as one line: file, setting, value, what is wrong."""
    first = error.errors()[0]
    # pydantic adds the names of its own steps ("constrained-int") after the setting's.
    names = [part for part in first["loc"] if isinstance(part, int) or part.isidentifier()]
    places = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in names)
    name = "".join([prefix, *places]).removeprefix(".") or "settings"
    name = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."
    where = f"{path}: " if path else ""
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "unexpected_keyword_argument":
        return f"{where}there is no setting {name}{did_you_mean(name, _names())}"
    if first["type"] == "value_error":
        return f"{where}{name}: {message}"
    return f"{where}{name} = {_shown(first['input'])}: {message[0].lower()}{message[1:]}"


def _shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    try:
        return _REPR.repr(value)
    except ValueError:  # an integer with more digits than Python writes
        return f"an integer of {value.bit_length()} bits" if isinstance(value, int) else "..."


def _names() -> list[str]:
    """Every setting as an error names it: "folds", "relu.epochs"."""
    names = [f.name for f in fields(Config) if f.name != "nets"]
    names += [f"features.{f.name}" for f in fields(FeatureConfig)]
    names += [f"{net}.{f.name}" for net, spec in NETS.items() for f in fields(spec.config)]
    return [*names, *NETS]
