"""Files read whole, and written so that none is ever half there.

What is written grows in a hidden folder beside its place, and is moved when it is whole. A lock in
the hidden folder is held as long as the process lives, so the next one that writes there can tell
what a killed process has left, and removes it.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from filelock import FileLock, Timeout

from titanic_nn.errors import DataError, WriteError

HIDDEN = ".titanic_nn-"  # how the name of a hidden folder starts
ROOM = 4 * 2**20  # bytes that a place must have before anything long begins; a run needs about 1 MB
TRIES = 10  # to make a hidden folder, while other processes remove leftovers

Files = Iterable[tuple[str, str | bytes]]  # name, with "/" for a folder's, and content

_recorded: ContextVar[list[Path] | None] = ContextVar("_recorded", default=None)


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


def write_folder(folder: Path, files: Files) -> None:
    """Write a folder's files: it appears whole or not at all.

    They are taken one by one, so a generator of large ones has but one in memory. Raises WriteError
    as `reserved` does.
    """
    with reserved(folder) as write:
        write(files)


@contextmanager
def reserved(folder: Path, room: int = 0) -> Iterator[Callable[[Files], None]]:
    """Reserve a folder's name, and room for so many bytes; yields what writes its files, once.

    Raises WriteError if the place cannot be written to, at once or, where it changes later, when
    the files are written. Where the name was taken meanwhile, they are kept under another one,
    which the error names.
    """
    with ExitStack() as stack:
        with writing(folder):
            # The same for all processes that write this folder: the lock lets in one.
            hidden = HIDDEN + sha256(os.fsencode(folder.name)).hexdigest()[:12]
            beside = stack.enter_context(_beside(folder.parent, lambda: hidden))
            new, reserve = beside / "new" / folder.name, beside / "room"
            new.mkdir(parents=True)
            reserve.write_bytes(bytes(room))

        def write(files: Files) -> None:
            reserve.unlink(missing_ok=True)
            for name, content in files:
                with writing(folder):
                    (new / name).parent.mkdir(parents=True, exist_ok=True)
                    with (new / name).open("wb") as file:
                        file.write(content.encode() if isinstance(content, str) else content)
                        _flush(file)
            with writing(folder):
                _publish(new, folder)

        yield write


def write_text(path: Path, text: str) -> None:
    """Write a file, UTF-8 with line feeds, that appears under its name only when it is whole."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole. Raises WriteError."""
    with written_beside(path) as file:
        file.write(content)


@contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name at the end, and is gone if anything fails.

    Raises WriteError.
    """
    with hidden_folder(path) as new:
        with (new / path.name).open("wb") as file:
            yield file
            _flush(file)
        move(new / path.name, path)


@contextmanager
def hidden_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, to make it in; it is gone at the end. Raises WriteError."""
    with writing(path), _beside(path.parent, _random_name) as beside:
        (beside / "new").mkdir()
        yield beside / "new"


def move(source: Path, path: Path) -> None:
    """Give a whole file its name; one that is there is replaced. Raises WriteError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        source.replace(path)
        _record(path)


def check_place(folder: Path) -> None:
    """Write ROOM bytes into a folder, and remove them. Raises WriteError where that fails.

    A folder that is not there is made for it, and removed.
    """
    with writing(folder), _beside(folder, _random_name) as beside:
        (beside / "room").write_bytes(bytes(ROOM))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file of this name, which is made where it is missing. Raises WriteError."""
    with ExitStack() as stack:
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path))
        yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise whatever the operating system refuses as a WriteError of one line."""
    try:
        yield
    except Timeout:
        raise WriteError(f"{path}: is being written by another process") from None
    except (FileExistsError, NotADirectoryError):
        raise WriteError(f"{path}: cannot be written: a file is in the way") from None
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def recorded() -> Iterator[list[Path]]:
    """Yields a list that grows by each path that is written in the block."""
    written: list[Path] = []
    token = _recorded.set(written)
    try:
        yield written
    finally:
        _recorded.reset(token)


def _record(path: Path) -> None:
    if (written := _recorded.get()) is not None and path not in written:
        written.append(path)


def _random_name() -> str:
    return HIDDEN + uuid4().hex[:12]


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(new: Path, folder: Path) -> None:
    """Give a folder its name, or, if that was taken since it was reserved, another one."""
    try:
        new.rename(folder)
        _record(folder)
    except OSError as error:
        numbered = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
        other = next(path for path in numbered if not os.path.lexists(path))
        new.rename(other)
        _record(other)
        raise WriteError(f"{folder}: is taken ({error.strerror}); kept in {other}") from None


@contextmanager
def _beside(parent: Path, name: Callable[[], str]) -> Iterator[Path]:
    """A locked, hidden folder in `parent`, gone at the end, with the parents it was alone in.

    Raises OSError; Timeout where another process holds the folder of this name.
    """
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    beside, lock = _made(parent, name)
    try:
        yield beside
    finally:
        _remove(beside, lock)
        for folder in missing:
            with suppress(OSError):  # it holds something now
                folder.rmdir()


def _made(parent: Path, name: Callable[[], str]) -> tuple[Path, FileLock]:
    """Make a hidden folder, and lock it."""
    for tries_left in reversed(range(TRIES)):
        beside = parent / name()
        lock = FileLock(beside / "lock", timeout=0.1)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(parent)
            beside.mkdir(exist_ok=True)
            lock.acquire()
        except (Timeout, FileNotFoundError, FileExistsError):
            # Another process holds it, took it for a leftover before it was locked, or removes the
            # parent that it was alone in.
            if not tries_left:
                raise
        else:
            return beside, lock
    raise AssertionError("the last try returns or raises")


def _remove_leftovers(parent: Path) -> None:
    """Remove the hidden folders whose processes are gone."""
    for beside in parent.glob(f"{HIDDEN}*"):
        with suppress(OSError):
            if (beside / "lock").is_file():
                lock = FileLock(beside / "lock", timeout=0)
                lock.acquire()  # raises Timeout where the process lives
                _remove(beside, lock)
            else:
                beside.rmdir()  # its process was killed before it could lock it


def _remove(beside: Path, lock: FileLock) -> None:
    # The lock last: without it, what is left would not be recognised.
    with suppress(OSError):
        (beside / "room").unlink(missing_ok=True)
    for folder in (beside / "new", beside):
        shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    with suppress(OSError):  # Windows keeps a file that is open: the lock is gone only now
        beside.rmdir()
