"""Predict any table in a competition's columns with a saved model."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from titanic_nn.cli.console import Parser, warn
from titanic_nn.cli.options import add_model_arguments
from titanic_nn.cli.streams import write_result
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.files import written_beside

# Rows that are read at a time: memory is bounded for a table of any length, unless its groups must
# stay whole.
ROWS_AT_ONCE = 2**14
STANDARD = "-"


PARSER = Parser(prog="titanic-nn predict", description=__doc__)
add = PARSER.add_argument
add_model_arguments(PARSER)
add("--input", required=True, metavar="FILE", help="a CSV file, or - for standard input")
add("--output", default=STANDARD, metavar="FILE", help="a CSV file, or - for standard output")


@PARSER.command
def main(args: Namespace) -> None:
    if args.output != STANDARD and os.path.lexists(args.output):
        raise ConfigError(f"--output {args.output}: is there already; choose another name")
    with opened(args.input) as (stream, name):
        from titanic_nn.estimators.saved import read_model
        from titanic_nn.evaluation.predictions import predicted_table
        from titanic_nn.runs.find import saved_model
        from titanic_nn.runs.folder import to_exact_csv
        from titanic_nn.tables.schema import read_in_parts

        model = read_model(saved_model(args.run, args.model))
        competition = model.competition
        schema = competition.schema
        rows = None if competition.features.whole_groups else ROWS_AT_ONCE
        parts = read_in_parts(stream, file=name, rows=rows, schema=schema)
        first = next(parts)
        for note in first.notes:
            warn(f"note: {note}")
        with _written(args.output) as write:
            write(to_exact_csv(predicted_table(model, first.table, schema)))
            for part in parts:
                write(to_exact_csv(predicted_table(model, part.table, schema), header=False))


@contextmanager
def opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The input, and its name in messages."""
    if name == STANDARD:
        yield sys.stdin.buffer, "standard input"
        return
    try:
        stream = open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"{name}: cannot be read as a file: {error.strerror}") from None
    with stream:
        yield stream, name


@contextmanager
def _written(name: str) -> Iterator[Callable[[str], object]]:
    """What writes to the output; a file appears only when it is whole."""
    if name == STANDARD:
        yield write_result
        return
    with written_beside(Path(name)) as file:
        yield lambda text: file.write(text.encode())
