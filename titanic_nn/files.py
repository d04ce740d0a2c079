"""Files read whole, and written so that none is ever half there: beside, then renamed."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from titanic_nn.errors import DataError


def read_bytes(path: Path, largest: int | None = None) -> bytes:
    """Read a whole file. Raises DataError where there is none, it is a folder, a pipe, …, or it has
    more than `largest` bytes.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # reading may never end
            raise DataError(f"{path}: cannot be read as a file: it is a pipe or a device")
        if largest is not None and (size := path.stat().st_size) > largest:
            raise DataError(f"{path}: has {size} bytes, more than the {largest} that are read")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file: {error.strerror}") from None


def write_folder(folder: Path, files: Iterable[tuple[str, str | bytes]]) -> None:
    """Write files (name, content) beside, and rename: the folder appears whole or not at all.

    They are taken one by one, so a generator of large ones has but one in memory.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=f".{folder.name}.", ignore_cleanup_errors=True
    ) as beside:
        for name, content in files:
            as_bytes = content.encode() if isinstance(content, str) else content
            write_bytes(Path(beside) / name, as_bytes)
        Path(beside).chmod(0o755)
        Path(beside).rename(folder)


def write_text(path: Path, text: str) -> None:
    """Write a file, UTF-8 with line feeds, that appears under its name only when it is whole."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    with written_beside(path) as file:
        file.write(content)


@contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name at the end, and is gone if anything fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
