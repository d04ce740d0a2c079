"""A question that trains nets: asked about a run, or about tables with settings of their own.

A command of this kind says what to compute and what to print; all else is here.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser, console, print_table, progress
from titanic_nn.cli.options import (
    add_data_options,
    add_training_options,
    check_size,
    folds_in_words,
    training_config,
)
from titanic_nn.errors import ConfigError

if TYPE_CHECKING:
    from titanic_nn.report.tables import Table


@dataclass(frozen=True)
class Answer:
    """What a question's command prints and writes.

    Attributes:
        device: where the nets were trained.
        files: name -> contents, written beside the run's files.
        tables, sentences: what is printed, in this order.
        found: what `--json` prints.
    """

    device: str
    files: Mapping[str, str | bytes]
    tables: Sequence["Table"]
    sentences: Sequence[str]
    found: Mapping[str, Any]


def question_parser(name: str, description: str | None, **defaults: Any) -> Parser:
    """A parser with the options of every question; `defaults` are the question's own."""
    parser = Parser(prog=f"titanic-nn {name}", description=description)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run: its settings and tables; the answer's place")
    add_data_options(parser)
    add("--out", type=Path, metavar="DIR", help=f"folder to write; runs/<time>-{name}")
    add_training_options(parser, **defaults)
    add("--json", action="store_true", help="the answer on stdout, all else on stderr")
    return parser


def ask(args: argparse.Namespace, name: str, each: str, answer: Callable[..., Answer]) -> None:
    """Compute, print and write a question's answer.

    Args:
        args: what a parser of `question_parser` has parsed.
        name: the question's, for a folder of its own.
        each: what is trained on every fold, in the line that is printed first.
        answer: computes it, from args, the tables, config and on_progress.
    """
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.files import ROOM, check_place, reserved
    from titanic_nn.runs.find import find_run
    from titanic_nn.runs.folder import choose_folder, made_of, read_tables, to_json, write_answer

    shown = console(stderr=args.json, quiet=args.quiet)
    run = find_run(args.run) if args.run else None
    if run:
        for option in ("config", "out"):
            if getattr(args, option) is not None:
                raise ConfigError(f"--{option}: {args.run} has its own; leave one of them out")
        config = training_config(args, run / "settings.toml")
        tables = read_tables(run, args.data)
    else:
        config = training_config(args, args.config)
        tables = get_competition(config.competition).load(args.data)
    check_size(args, tables, config)
    folder = run or choose_folder(args.out, name)
    shown.print(tables.describe())
    shown.print(
        f"{name.replace('_', ' ').capitalize()}: {folds_in_words(config)}"
        f"{each}, {config.n_seeds} nets averaged on each"
    )
    with ExitStack() as place:
        if run:
            check_place(run)
        else:
            write = place.enter_context(reserved(folder, ROOM))
        with progress(shown, list(config.models)) as on_progress:
            result = answer(args, tables, config=config, on_progress=on_progress)
        if run:
            write_answer(run, result.files)
        else:
            made = made_of(config, tables, result.device)
            write({**made, **result.files}.items())
    for table in result.tables:
        print_table(shown, table)
    for sentence in result.sentences:
        shown.print(f"\n{sentence}")
    shown.print(f"\nWritten: {folder}  ({', '.join(result.files)})")
    if args.json:
        print(to_json({"folder": str(folder), **result.found}), end="")
    if run:
        from titanic_nn.report.page import write_report

        shown.print(f"Report: {write_report(run)}", soft_wrap=True)
