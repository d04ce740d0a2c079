"""The standard streams of a command: what leaves through them cannot harm, and may be lost.

Characters that cannot be printed are shown as escapes, wherever they came from. A stream that takes
no more ends no work: the command goes on, and ends with exit code 1. It says why on stderr, except
where the reader has gone (`| head`).
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import BytesIO, TextIOWrapper
from typing import Any, TextIO

from titanic_nn.escape import printable_lines

UNPRINTED = 1  # exit code: standard output did not take all that was printed


class _Stream:
    """A standard stream to which writing never fails: what it does not take is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        self.failure: OSError | ValueError | None = None
        if stream is None:  # it was closed before Python started
            stream = TextIOWrapper(BytesIO(), encoding="utf-8")
            self.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
        elif hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character shows "?".
            stream.reconfigure(errors="replace")
        self.stream = stream

    def write(self, text: str) -> int:
        """Write, as far as possible."""
        self.attempt(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, as far as possible."""
        self.attempt(self.stream.flush)

    def attempt(self, write: Callable[[], object]) -> None:
        """Write in this way, and remember if it fails."""
        if self.failure:
            return
        try:
            write()
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self.failure = error
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                # What is buffered must not fail once more when Python ends.
                os.dup2(nowhere.fileno(), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _PrintableStream:
    """The stream that `print` and libraries write to: shows what is not printable as escapes."""

    def __init__(self, styled: _Stream) -> None:
        self.styled = styled  # for what may hold a terminal's codes

    def write(self, text: str) -> int:
        """Write the text, its line feeds as they are."""
        self.styled.write(printable_lines(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.styled, name)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Print what is printable, to streams that may be closed, full or without a reader.

    Raises SystemExit at the end if standard output failed and nothing else did.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # No file that is opened later gets the number of a standard stream that is closed.
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BytesIO(), encoding="utf-8")
    out, err = _Stream(sys.stdout), _Stream(sys.stderr)
    stopped = None
    with redirect_stdout(_PrintableStream(out)), redirect_stderr(_PrintableStream(err)):
        try:
            yield
        except SystemExit as stop:
            stopped = stop
        finally:
            out.flush()
        if out.failure and (not stopped or stopped.code in (None, 0, UNPRINTED)):
            if not isinstance(out.failure, BrokenPipeError):
                why = getattr(out.failure, "strerror", None) or out.failure
                print(f"error: standard output: {why}: not all was printed", file=sys.stderr)
            stopped = SystemExit(UNPRINTED)
        err.flush()
    if stopped:
        raise stopped


def write_result(text: str) -> None:
    """Write a result to stdout exactly, as UTF-8; as printable text where a terminal shows it.

    Stops the command if stdout does not take it.
    """
    out: Any = sys.stdout
    if out.isatty():
        out.write(text)
    else:
        out.flush()
        out.styled.attempt(lambda: out.buffer.write(text.encode()))
    if out.failure:
        sys.exit(UNPRINTED)
