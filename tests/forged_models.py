"""Saved models that somebody changed, with checksums that fit again."""

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from math import nan
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

DESCRIPTION, TENSORS = "model.json", "model.safetensors"
Forgery: TypeAlias = Callable[[Path], object]  # changes a saved model's folder
At: TypeAlias = tuple[str | int, ...]  # the way to a value in JSON

WRONG: tuple[Any, ...] = (None, "x", -1, 0, 1e300, nan, 10**30, [], {"a": None})


def sealed(document: Mapping[str, Any]) -> bytes:
    """A description as JSON, with its own checksum."""
    document = dict(document)
    digests = document.pop("sha256", None)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    own = {DESCRIPTION: hashlib.sha256(canonical).hexdigest()}
    if isinstance(digests, dict):
        digests = {**digests, **own}
    return json.dumps({**document, "sha256": digests}).encode()


def rewritten(change: Callable[[dict[str, Any]], object]) -> Forgery:
    """The description is changed."""

    def forge(folder: Path) -> None:
        document = json.loads((folder / DESCRIPTION).read_bytes())
        change(document)
        (folder / DESCRIPTION).write_bytes(sealed(document))

    return forge


def put(*at: str | int, to: Any) -> Forgery:
    """A value of the description is replaced, or added."""
    return rewritten(lambda document: below(document, at[:-1]).__setitem__(at[-1], to))


def dropped(*at: str | int) -> Forgery:
    """A value of the description is left out."""
    return rewritten(lambda document: below(document, at[:-1]).__delitem__(at[-1]))


def below(value: Any, at: At) -> Any:
    """The value to which a way leads."""
    for step in at:
        value = value[step]
    return value


def with_tensor_bytes(change: Callable[[bytes], bytes]) -> Forgery:
    """The tensors' file is changed."""

    def forge(folder: Path) -> None:
        content = change((folder / TENSORS).read_bytes())
        (folder / TENSORS).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rewritten(lambda document: document["sha256"].update({TENSORS: digest}))(folder)

    return forge


def with_tensors(change: Callable[[dict[str, NDArray[Any]]], object]) -> Forgery:
    """The tensors are changed."""

    def of(content: bytes) -> bytes:
        tensors = {name: array.copy() for name, array in load(content).items()}
        change(tensors)
        changed: bytes = save(tensors)
        return changed

    return with_tensor_bytes(of)


def with_number(name: str, number: float) -> Forgery:
    """One number of a tensor is replaced."""
    return with_tensors(lambda tensors: tensors[name].__setitem__((0,) * 3, number))


def filled(number: float) -> Forgery:
    """Every number of every tensor is replaced."""

    def fill(tensors: dict[str, NDArray[Any]]) -> None:
        for values in tensors.values():
            values.fill(number)

    return with_tensors(fill)


def with_header(change: Callable[[dict[str, Any]], object]) -> Forgery:
    """The header of the tensors' file is changed; their numbers stay."""

    def of(content: bytes) -> bytes:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    return with_tensor_bytes(of)


def mutations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A description with one change each, everywhere: a name for the change, and the result.

    Each value is replaced by those in WRONG and, if it holds others, loses one or gets one more. Of
    those that hold many only the first and the last are changed.
    """
    for at in _ways(document):
        value = below(document, at)
        changes: list[Any] = [wrong for wrong in WRONG if wrong != value]
        if isinstance(value, dict) and value:
            changes += [dict([*value.items()][1:]), {**value, "more": 1}]
        if isinstance(value, list) and value:
            changes += [value[:-1], [*value, value[-1]], value[::-1]]
        for change in changes:
            changed = deepcopy(document)
            below(changed, at[:-1])[at[-1]] = change
            yield f"{at} = {change!r:.60}", dict(changed)


def _ways(value: Any, at: At = ()) -> Iterator[At]:
    """The ways to all values below one."""
    if at:
        yield at
    keys = [*value] if isinstance(value, dict) else []
    keys = list(range(len(value))) if isinstance(value, list) else keys
    for key in keys if len(keys) <= 8 else [keys[0], keys[-1]]:
        yield from _ways(value[key], (*at, key))


def is_valid(p: NDArray[np.floating]) -> bool:
    """Whether these are probabilities (rows, classes)."""
    return bool(
        np.isfinite(p).all()
        and (p >= 0).all()
        and (p <= 1).all()
        and np.allclose(p.sum(axis=1), 1, atol=1e-5)
    )
