"""Fitted state that comes from a file: every field is checked before anything is made of it.

The class that owns a state declares its fields in a dataclass (with `STRICT` as its configuration
and the types below), and restores itself from what `check_state` returns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from reprlib import repr as abridged
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from titanic_nn.errors import ModelError
from titanic_nn.nets.config import STRICT as STRICT

T = TypeVar("T")

# Bounds within which (number - mean) / scale is finite in float32.
LARGEST, SMALLEST_SCALE = 1e18, 1e-18

Number = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Scale = Annotated[float, Field(strict=True, ge=SMALLEST_SCALE, le=LARGEST, allow_inf_nan=False)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
# Whole numbers that count something, or a position; int32 holds every count.
Count = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Position = Annotated[int, Field(strict=True, ge=0, lt=2**53)]


def check_state(cls: type[T], state: Any, name: str) -> T:
    """A `cls` with these values; none may be missing, even one with a default.

    Args:
        cls: a dataclass.
        state: its fields, as JSON values.
        name: what messages call the state: "encoder"; "" for a whole file.

    Raises:
        ModelError: in one line, which names the first wrong field.
    """
    if isinstance(state, Mapping):
        check_names(state, [field.name for field in fields(cls)], name)  # type: ignore[arg-type]
    try:
        return TypeAdapter(cls).validate_python(state)
    except ValidationError as error:
        first = error.errors()[0]
    field = (name + "".join(map(_part, first["loc"]))).removeprefix(".") or "it"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        raise ModelError(f"{field} is missing")
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        raise ModelError(f"{field}: there is no such field")
    if first["type"] == "value_error":
        raise ModelError(f"{field}: {message}")
    raise ModelError(f"{field} = {_shown(first['input'])}: {message[0].lower()}{message[1:]}")


def check_names(found: Iterable[str], expected: Iterable[str], name: str) -> None:
    """Check that a mapping has these keys and no others. Raises ModelError."""
    found, expected = set(found), set(expected)
    for key in sorted(expected - found):
        raise ModelError(f"{name}{_part(key)}".removeprefix(".") + " is missing")
    for key in sorted(found - expected):
        raise ModelError(f"{name}{_part(key)}".removeprefix(".") + ": there is no such field")


def _part(part: int | str) -> str:
    """A step on the way to a field: `.age`, `['Mr, 3']`, `[7]`."""
    plain = isinstance(part, str) and part.isidentifier() and len(part) < 40
    return f".{part}" if plain else f"[{_shown(part)}]"


def _shown(value: Any) -> str:
    """A value in a message."""
    text = abridged(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
