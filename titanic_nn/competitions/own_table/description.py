"""What a TOML description says of a table, checked: the part that needs no look at the table."""

import re
from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from titanic_nn.config import ENSEMBLE, check_config, read_toml
from titanic_nn.errors import ConfigError, did_you_mean
from titanic_nn.nets.config import STRICT
from titanic_nn.nets.registry import NETS
from titanic_nn.tables.schema import MISSING

MOST_COLUMNS, MOST_CLASSES = 10_000, 100
MOST_BYTES = 2**18  # of all columns' names, which a run's settings hold too
# Columns of a run's tables, which one of the user's must not be mistaken for.
TAKEN_BY_ROWS = ("label", "repeat", "fold", "of")
TAKEN_BY_ID = (*TAKEN_BY_ROWS, "probability", ENSEMBLE, *NETS)

# Lists of the description, each of columns of one kind.
KINDS = ("numbers", "categories", "booleans", "dates")


def _as_text(label: Any) -> Any:
    """A label that TOML holds as a whole number is what the file writes."""
    return str(label) if isinstance(label, int) and not isinstance(label, bool) else label


ColumnName = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
ColumnNames: TypeAlias = Annotated[tuple[ColumnName, ...], Field(max_length=MOST_COLUMNS)]
Word = Annotated[
    str, Field(strict=True, min_length=1, max_length=100, pattern=r"\A\S.*\S\z|\A\S\z")
]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Description:
    """A table's columns and classes, as its TOML has them."""

    # What files and messages call the table: the name of the TOML.
    name: Annotated[str, Field(strict=True, pattern=r"\A\w[\w.-]{0,99}\z")] = "own_table"
    title: Annotated[str, Field(strict=True, max_length=100)] = ""  # its name in prose
    # Of the Kaggle competition that it is the table of, as in its address; "" for none.
    slug: Annotated[str, Field(strict=True, pattern=r"\A([a-z0-9][a-z0-9-]{0,99})?\z")] = ""
    row_name: Word = "row"  # what a row is, in the singular
    id: ColumnName
    target: ColumnName
    # The target's values as the file writes them. Of two, the second is the positive class.
    labels: tuple[Annotated[Word, BeforeValidator(_as_text)], ...]
    class_names: tuple[Word, ...] = ()  # what they mean; the labels by default
    submission: Literal["labels", "probabilities"] = "labels"  # what a submission holds

    numbers: ColumnNames = ()
    categories: ColumnNames = ()
    booleans: ColumnNames = ()
    dates: ColumnNames = ()
    # Rows that agree in this column belong together; it is no feature. "": there is none.
    groups: Annotated[str, Field(strict=True, max_length=200)] = ""
    ignore: ColumnNames = ()

    @model_validator(mode="after")
    def _classes(self) -> Self:
        if len(self.labels) < 2:
            raise ValueError(f"labels has {len(self.labels)} class; expected two or more")
        if len(self.labels) > MOST_CLASSES:
            raise ValueError(
                f"labels has {len(self.labels)} classes, at most {MOST_CLASSES} are possible; "
                "predicting a number (regression) is not"
            )
        if self.class_names and len(self.class_names) != len(self.labels):
            raise ValueError(
                f"class_names has {len(self.class_names)} names for {len(self.labels)} labels"
            )
        for name, words in (("labels", self.labels), ("class_names", self.class_names)):
            if (twice := _first_repeated(words)) is not None:
                raise ValueError(f"{name} has {twice!r} twice")
        for label in self.labels:
            if label in MISSING:
                raise ValueError(f"labels has {label!r}, which stands for a missing value")
        return self

    @model_validator(mode="after")
    def _columns(self) -> Self:
        roles = [("id", self.id), ("target", self.target)]
        roles += [("groups", self.groups)] if self.groups else []
        roles += [(kind, column) for kind in (*KINDS, "ignore") for column in getattr(self, kind)]
        role_of: dict[str, str] = {}
        for role, column in roles:
            if column in role_of:
                where = f"is {role_of[column]} and {role}"
                if role == role_of[column]:
                    where = f"stands twice in {role}"
                raise ValueError(f"the column {column!r} {where}; give it one place")
            role_of[column] = role
        if sum(len(column.encode()) for _, column in roles) > MOST_BYTES:
            raise ValueError(f"the names of columns have more than {MOST_BYTES} bytes")
        if not any(getattr(self, kind) for kind in KINDS):
            raise ValueError(f"no column is a feature; list one in {', '.join(KINDS)}")
        for role, column in roles:
            taken = TAKEN_BY_ID if role in ("id", "target") else TAKEN_BY_ROWS
            if column in taken and (role, column) != ("target", "label"):
                raise ValueError(
                    f"the column {column!r} ({role}) has a name that a run's own tables use; "
                    "rename it, in the tables too"
                )
        return self

    @property
    def file(self) -> str:
        """What messages call the TOML."""
        return f"{self.name}.toml"

    def values(self) -> dict[str, Any]:
        """All that is not a default, as TOML and JSON hold it; equal for equal descriptions."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is NO_DEFAULT or value != field.default or field.name == "name":
                found[field.name] = list(value) if isinstance(value, tuple) else value
        return found


def read_description(path: Path) -> Description:
    """The description in a TOML file. Raises ConfigError, in one line, where it is none."""
    name = re.sub(r"[^\w.-]+", "-", path.stem).lstrip("-.")[:100]
    return check_description({"name": name or Description.name, **read_toml(path)}, path)


def check_description(values: Any, path: Path | None = None, prefix: str = "") -> Description:
    """The description with these values. Raises ConfigError; the rest is as in `check_config`."""
    known, where = [field.name for field in fields(Description)], f"{path}: " if path else ""
    for name in values if isinstance(values, Mapping) else ():
        if name not in known:
            near = did_you_mean(name, known) or f"; choose from {', '.join(known)}"
            raise ConfigError(f"{where}there is no setting {name!r} of a table{near}")
    for name in ("id", "target", "labels"):
        if isinstance(values, Mapping) and name not in values:
            raise ConfigError(f"{where}{name} is missing; a table has id, target and labels")
    try:
        return check_config(Description, values, path, prefix)
    except ConfigError as error:
        raise ConfigError(str(error).replace("settings: ", "", 1)) from None


def _first_repeated(words: tuple[str, ...]) -> str | None:
    return next((word for word in words if words.count(word) > 1), None)
