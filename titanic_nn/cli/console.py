"""What every command needs: output that cannot harm, one line for a mistake, progress, tables.

What a command prints leaves through `standard_streams`. It shows characters that cannot be printed
as escapes, wherever they came from. A stream that takes no more ends no work: the command goes on,
and ends with exit code 1. It says why on stderr, except where the reader has gone (`| head`).
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from titanic_nn.errors import KaggleError, TitanicError
from titanic_nn.escape import printable, printable_lines

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.report.tables import Table

UNPRINTED = 1  # exit code: standard output did not take all that was printed
MISTAKE = 2  # exit code: the user can correct it
THEIRS = 3  # exit code: Kaggle, or the connection to it, failed
INTERRUPTED = 130  # exit code: Ctrl-C, as shells have it


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {printable(message)} (see --help)", file=sys.stderr)
        sys.exit(MISTAKE)

    def command(self, work: Callable[[argparse.Namespace], None]) -> Callable[..., None]:
        """Decorate the work of a command: the result takes the words of the command line.

        An error becomes one line on stderr, with its help below, and exit code 2 or 3. The words
        are `args.typed`.
        """

        def main(arguments: list[str] | None = None) -> None:
            typed = sys.argv[1:] if arguments is None else arguments
            with standard_streams():
                try:
                    work(self.parse_args(typed, argparse.Namespace(typed=typed)))
                except TitanicError as error:
                    print(f"error: {printable(str(error))}", file=sys.stderr)
                    if error.help:
                        print(error.help, file=sys.stderr)
                    sys.exit(THEIRS if isinstance(error, KaggleError) else MISTAKE)
                except OSError as error:  # of a file that no other code expects to fail
                    why = ": ".join(str(s) for s in (error.filename, error.strerror or error) if s)
                    print(f"error: {printable(why)}", file=sys.stderr)
                    sys.exit(MISTAKE)
                except KeyboardInterrupt as interrupt:
                    kept = printable(str(interrupt)) or "nothing was written"
                    print(f"interrupted: {kept}", file=sys.stderr)
                    sys.exit(INTERRUPTED)

        return main


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


@contextmanager
def if_interrupted(message: Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C, let the command print this message: what was written, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message()) from None


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Where a command prints: styled on a terminal, plain and unwrapped elsewhere."""
    from titanic_nn.cli.printable import PrintableConsole

    stream: Any = sys.stderr if stderr else sys.stdout
    # No markup: names, paths and messages may hold square brackets.
    shown = PrintableConsole(
        file=getattr(stream, "styled", stream),
        stderr=stderr,
        quiet=quiet,
        highlight=False,
        markup=False,
        emoji=False,
    )
    if not shown.is_terminal:
        shown.width = 10_000
    return shown


def print_table(shown: "Console", table: "Table") -> None:
    """Print a table, text on the left, numbers on the right; too wide a one as lines."""
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for i, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if i else "left", no_wrap=True)
    for i, row in enumerate(table.rows):
        style = "bold" if i == table.highlighted_row else None
        drawn.add_row(*map(printable, row), style=style)
    shown.print(f"\n{table.title}".rstrip(), style="table.title")
    needed = Measurement.get(shown, shown.options.update(width=10_000), drawn).maximum
    if needed <= shown.width:
        shown.print(drawn)
    else:
        _print_lines(shown, table)
    if table.caption:  # not the drawn table's own, which is as narrow as the table
        shown.print(table.caption, style="table.caption")


def _print_lines(shown: "Console", table: "Table") -> None:
    """Print a line for each cell, and an empty one after each row."""
    for i, row in enumerate(table.rows):
        for name, cell in zip(table.columns, row, strict=True):
            line = f"{' '.join(name.split())}: {printable(cell)}"
            shown.print(line, style="bold" if i == table.highlighted_row else None)
        shown.print()


@contextmanager
def spinner(shown: "Console", text: str) -> Iterator[Callable[[str], None]]:
    """What is being waited for, on a terminal only; yields what replaces it."""
    from rich.text import Text

    with shown.status(Text(printable(text))) as status:
        yield lambda text: status.update(Text(printable(text)))


@contextmanager
def progress(shown: "Console", stages: list[str]) -> Iterator[Callable[[str, float], None]]:
    """A bar with the stage and the time left, on a terminal only; yields what advances it."""
    from rich.progress import Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:])
    disable = shown.quiet or not shown.is_terminal
    with Progress(*columns, console=shown, transient=True, disable=disable) as bar:
        task = bar.add_task(printable(stages[0]), total=len(stages))

        def advance(stage: str, fraction: float) -> None:
            bar.update(task, description=printable(f"training {stage}"), advance=fraction)

        yield advance
