"""What every command needs: one line for a mistake, a progress bar, tables."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from titanic_nn.cli.streams import standard_streams
from titanic_nn.errors import KaggleError, TitanicError, WriteError
from titanic_nn.escape import printable
from titanic_nn.files import recorded

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.report.tables import Table

MISTAKE = 2  # exit code: the user can correct it
THEIRS = 3  # exit code: Kaggle, or the connection to it, failed
INTERRUPTED = 130  # exit code: Ctrl-C, as shells have it


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        warn(f"{self.prog}: {printable(message)} (see --help)")
        sys.exit(MISTAKE)

    def command(self, work: Callable[[argparse.Namespace], None]) -> Callable[..., None]:
        """Decorate the work of a command: the result takes the words of the command line.

        An error becomes one line on stderr, with its help below, and exit code 2 or 3. The words
        are `args.typed`.
        """

        def main(arguments: list[str] | None = None) -> None:
            typed = sys.argv[1:] if arguments is None else arguments
            with standard_streams(), recorded() as written:
                try:
                    work(self.parse_args(typed, argparse.Namespace(typed=typed)))
                except TitanicError as error:
                    kept = _kept(error, written if isinstance(error, WriteError) else ())
                    warn(printable("; ".join([f"error: {error}", *kept])))
                    if error.help:
                        warn(error.help)
                    sys.exit(THEIRS if isinstance(error, KaggleError) else MISTAKE)
                except OSError as error:  # of a file that no other code expects to fail
                    why = ": ".join(str(s) for s in (error.filename, error.strerror or error) if s)
                    warn(f"error: {printable(why)}")
                    sys.exit(MISTAKE)
                except KeyboardInterrupt as interrupt:
                    kept = _kept(interrupt, written) or ["nothing was written"]
                    warn(f"interrupted: {printable('; '.join(kept))}")
                    sys.exit(INTERRUPTED)

        return main


def _kept(stop: BaseException, written: Sequence[Path]) -> list[str]:
    """What a command has kept when it is stopped: in its own words, or the paths it has written."""
    if notes := getattr(stop, "__notes__", None):
        return list(notes)
    if not written:
        return []
    more = f" and {len(written) - 2} more" if len(written) > 2 else ""
    return [f"written before that: {', '.join(map(str, written[:2]))}{more}"]


@contextmanager
def if_interrupted(message: Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C, let the command's line end with this: what was kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(message())
        raise


@contextmanager
def if_stopped(message: Callable[[], str]) -> Iterator[None]:
    """As `if_interrupted`, for every error too, which becomes one line of the command's."""
    try:
        with if_interrupted(message):
            yield
    except Exception as error:
        reason = " ".join(str(error).split())
        line = (
            error
            if isinstance(error, TitanicError)
            else TitanicError(f"{type(error).__name__}: {reason}")
        )
        line.add_note(message())
        raise line from error


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Where a command prints: styled and wrapped at words on a terminal, plain elsewhere.

    A path, or a command in `quotes like these`, is not broken, so that it can be copied; nor is a
    line that is printed with `soft_wrap=True`.
    """
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


def say(text: str) -> None:
    """Print a text on stdout, as `console` does."""
    console().print(text)


def warn(text: str) -> None:
    """Print a text on stderr, as `console` does."""
    console(stderr=True).print(text)


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
def progress(
    shown: "Console", stages: list[str], doing: str = "training"
) -> Iterator[Callable[[str, float], None]]:
    """A bar with the stage and the time left, on a terminal only; yields what advances it."""
    from rich.progress import Progress, TextColumn

    if shown.quiet or not shown.is_terminal:  # where even a disabled bar of Rich 13 ends a line
        yield lambda stage, fraction: None
        return
    columns = (TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:])
    with Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task(printable(stages[0]), total=len(stages))

        def advance(stage: str, fraction: float) -> None:
            bar.update(task, description=printable(f"{doing} {stage}"), advance=fraction)

        yield advance
