"""What every command needs: one clear line for a mistake, a progress bar, tables."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from titanic_nn.errors import KaggleError, TitanicError

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.report.tables import Table

MISTAKE = 2  # exit code: the user can correct it
THEIRS = 3  # exit code: Kaggle, or the connection to it, failed
INTERRUPTED = 130  # exit code: Ctrl-C, as shells have it


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see --help)", file=sys.stderr)
        sys.exit(MISTAKE)


def run(command: Callable[[], None]) -> None:
    """Run a command; an error becomes one line on stderr and exit code 2 or 3."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows "?" instead of failing at the end of a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        command()
    except TitanicError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(THEIRS if isinstance(error, KaggleError) else MISTAKE)
    except KeyboardInterrupt as interrupt:
        print(f"interrupted: {str(interrupt) or 'nothing was written'}", file=sys.stderr)
        sys.exit(INTERRUPTED)


@contextmanager
def if_interrupted(message: str) -> Iterator[None]:
    """On Ctrl-C, let `run` print this message: what was written, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message) from None


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Where a command prints: styled on a terminal, plain and unwrapped elsewhere."""
    from rich.console import Console

    shown = Console(stderr=stderr, quiet=quiet, highlight=False, soft_wrap=False)
    if not shown.is_terminal:
        shown = Console(stderr=stderr, quiet=quiet, highlight=False, width=200, no_color=True)
    return shown


def print_table(shown: "Console", table: "Table") -> None:
    """Print a table, narrow enough for 80 columns: text on the left, numbers on the right."""
    from rich import box
    from rich.table import Table

    drawn = Table(
        title=table.title or None,
        caption=table.caption or None,
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    for i, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if i else "left", no_wrap=True)
    for i, row in enumerate(table.rows):
        drawn.add_row(*row, style="bold" if i == table.highlighted_row else None)
    shown.print()
    shown.print(drawn)


@contextmanager
def progress(shown: "Console", stages: list[str]) -> Iterator[Callable[[str, float], None]]:
    """A bar with the stage and the time left, on a terminal only; yields what advances it."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    disable = shown.quiet or not shown.is_terminal
    with Progress(*columns, console=shown, transient=True, disable=disable) as bar:
        task = bar.add_task(stages[0], total=len(stages))

        def advance(stage: str, fraction: float) -> None:
            bar.update(task, description=f"training {stage}", advance=fraction)

        yield advance
