"""What the commands share: one clear line for a mistake, a progress bar, a table."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from titanic_nn.errors import KaggleError, TitanicError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from titanic_nn.config import Config

MISTAKE = 2  # exit code: the user can mend it
THEIRS = 3  # exit code: Kaggle, or the way to it, failed
INTERRUPTED = 130  # exit code: Ctrl-C, as shells have it


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see --help)", file=sys.stderr)
        sys.exit(MISTAKE)


def add_training_options(parser: Parser, *, models: str = "all", repeats: int = 3) -> None:
    """What every command that trains lets the user choose."""
    from titanic_nn.config import MODELS

    add = parser.add_argument
    add("--models", nargs="+", metavar="NET", help=f"some of {', '.join(MODELS)} ({models})")
    add("--folds", type=int, help="folds of the cross-validation (10)")
    add("--repeats", type=int, help=f"how often the folds are cut afresh ({repeats})")
    add("--seed", type=int, help="the number that all randomness grows from (42)")
    add("--seeds", type=int, help="nets per split whose probabilities are averaged (5)")
    add("--device", help="auto, cpu or cuda (auto)")
    add("--params", type=Path, metavar="FILE", help="settings in TOML; what is left out stays")
    add("--quiet", action="store_true", help="print nothing but errors")


def add_question_options(parser: Parser, name: str) -> None:
    """Of what a question is asked, and where its answer goes (see questions.py)."""
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="ask of its settings and tables, and write there")
    add("--data", type=Path, metavar="DIR", help="folder with the tables, or titanic.zip")
    add("--out", type=Path, metavar="DIR", help=f"folder to write; runs/<time>-{name}")


def training_config(
    args: argparse.Namespace, params: Path | None, **more: int | None
) -> "Settings":
    """The settings in `params`, under what the user chose; SettingsError where they are wrong."""
    from titanic_nn.config import Config

    return Config.from_toml(
        params,
        models=[name for names in args.models for name in names.split(",")]
        if args.models
        else None,
        folds=args.folds,
        repeats=args.repeats,
        seed=args.seed,
        n_seeds=args.n_seeds,
        device=args.device,
        **more,
    )


def run(command: Callable[[], None]) -> None:
    """Run a command; what goes wrong becomes one line on stderr and exit code 2 or 3."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows "?" instead of failing at the end of a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        command()
    except TitanicError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(THEIRS if isinstance(error, KaggleError) else MISTAKE)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Where a command prints: styled on a terminal, plain and unfolded elsewhere."""
    from rich.console import Console

    shown = Console(stderr=stderr, quiet=quiet, highlight=False, soft_wrap=False)
    if not shown.is_terminal:
        shown = Console(stderr=stderr, quiet=quiet, highlight=False, width=200, no_color=True)
    return shown


def table_of(first: str, *numbers: str) -> "Table":
    """An empty table, narrow enough for 80 columns: names on the left, numbers on the right."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(first, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


@contextmanager
def progress(shown: "Console", stages: list[str]) -> Iterator[Callable[[str, float], None]]:
    """A bar with the stage and the time left, on a terminal only; yields what moves it on."""
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

        def move_on(stage: str, share: float) -> None:
            bar.update(task, description=f"training {stage}", advance=share)

        yield move_on
