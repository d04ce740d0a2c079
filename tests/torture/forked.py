"""Commands in processes forked from one that has imported the libraries, which takes seconds.

They have streams, a folder and an environment of their own.
"""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from preloaded import preloaded
from torture.attack import QUICK, REPOSITORY, environment

DATA = REPOSITORY / "data" / "bundled"
TIMEOUT = 120  # seconds, after which a command hangs
_STARTING = threading.Lock()
_TRAINING = threading.Lock()


def call(
    folder: Path,
    *words: str | Path,
    stdin: str = os.devnull,
    stdout: str = "file",
    stderr: str = "file",
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the package in a folder. Raises TimeoutExpired where it hangs.

    Args:
        folder: the process's working directory.
        words: of the command line, after `titanic-nn`.
        stdin: a file's path, or "closed".
        stdout, stderr: "file", whose text is returned; "closed"; "full"; "broken", a pipe without a
            reader; "terminal 20", one of 20 columns, whose text is returned.
        env: variables beside this process's.
    """
    typed = [str(word) for word in words]
    with _opened(stdout) as (out, out_text), _opened(stderr) as (err, err_text):
        places = (stdin, out, err)
        arguments = (typed, os.fsencode(folder), environment(**env or {}), places)
        child = preloaded().Process(target=_run, args=arguments)
        with _STARTING:
            child.start()
        child.join(TIMEOUT)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(typed, TIMEOUT)
    texts = ["".join(text) for text in (out_text, err_text)]
    return subprocess.CompletedProcess(typed, child.exitcode, *texts)


def quick_run(folder: Path) -> Path:
    """A copy of one run, made once, in a folder: `runs/quick` and its submissions."""
    with _TRAINING:
        home = Path(_trained().name)
    for name in ("runs", "submissions"):
        shutil.copytree(home / name, folder / name)
    return folder / "runs" / "quick"


@cache
def _trained() -> "tempfile.TemporaryDirectory[str]":
    home = tempfile.TemporaryDirectory(prefix="torture-run-")
    call(Path(home.name), "train", "--data", DATA, "--out", "runs/quick", *QUICK).check_returncode()
    return home


@contextmanager
def _opened(stream: str) -> Iterator[tuple[str, list[str]]]:
    """Where a command writes to, and a list that holds what it has written in the end."""
    text: list[str] = []
    if stream == "file":
        with tempfile.NamedTemporaryFile(prefix="torture-out-") as file:
            yield file.name, text
            text.append(file.read().decode(errors="surrogateescape"))
    elif stream.startswith("terminal"):
        ours, theirs = pty.openpty()
        columns = int(stream.split()[1])
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        reader = threading.Thread(target=_read_terminal, args=(ours, text))
        reader.start()
        try:
            yield os.ttyname(theirs), text
        finally:
            os.close(theirs)
            reader.join()
            os.close(ours)
    else:
        yield stream, text


def _read_terminal(terminal: int, text: list[str]) -> None:
    """Read until no process has it open."""
    read = b""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            read += part
    text.append(read.decode(errors="surrogateescape"))


def _run(words: list[str], folder: bytes, env: dict[str, str], places: tuple[str, ...]) -> None:
    """In the forked process: what Python does at its start, and the command."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, place in enumerate(places):
        _open(number, place)
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    sys.argv = ["titanic-nn", *words]
    import_module("titanic_nn.__main__").main()


def _open(number: int, place: str) -> None:
    if place == "closed":
        os.close(number)
        return
    if place == "broken":
        reader, opened = os.pipe()
        os.close(reader)
    else:
        flags = os.O_WRONLY if number else os.O_RDONLY
        opened = os.open("/dev/full" if place == "full" else place, flags | os.O_NOCTTY)
    os.dup2(opened, number)
    os.close(opened)


def _stream(number: int, mode: str) -> Any:
    try:
        os.fstat(number)
    except OSError:
        return None
    return open(number, mode, encoding="utf-8", closefd=False)
