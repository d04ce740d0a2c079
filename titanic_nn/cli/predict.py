"""Predict any table in a competition's columns with a saved model."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from titanic_nn.cli.console import Parser, warn
from titanic_nn.cli.options import add_model_arguments
from titanic_nn.cli.streams import write_result
from titanic_nn.errors import ConfigError, DataError, ModelError
from titanic_nn.files import written_beside

if TYPE_CHECKING:
    import pandas as pd

    from titanic_nn.competitions.competition import Competition
    from titanic_nn.tables.schema import TableSchema

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
        from titanic_nn.runs.find import saved_model
        from titanic_nn.tables.schema import read_in_parts

        folder = saved_model(args.run, args.model)
        model, competition = _load(folder)
        schema = competition.schema
        rows = None if competition.features.whole_groups else ROWS_AT_ONCE
        parts = read_in_parts(stream, file=name, rows=rows, schema=schema)
        first = next(parts)
        for note in first.notes:
            warn(f"note: {note}")
        with _written(args.output) as write:
            write(_csv(model, schema, first.table, header=True))
            for part in parts:
                write(_csv(model, schema, part.table, header=False))


def _load(folder: Path) -> "tuple[Any, Competition]":
    """A Pipeline or Ensemble, and its competition. Raises ModelError for other models."""
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.estimators.calibration import Ensemble
    from titanic_nn.estimators.classifiers import NetClassifier
    from titanic_nn.estimators.persistence import load

    model = load(folder)
    if isinstance(model, NetClassifier):
        raise ModelError(
            f"{folder}: this model does not read a competition's table; save a Pipeline of "
            "CompetitionFeatures and a classifier"
        )
    pipeline = next(iter(model.models.values())) if isinstance(model, Ensemble) else model
    return model, get_competition(pipeline[0].competition)


def _csv(model: Any, schema: "TableSchema", table: "pd.DataFrame", *, header: bool) -> str:
    """The id, if there is one; probabilities, as in test_predictions.csv; the likeliest label."""
    import pandas as pd

    from titanic_nn.evaluation.predictions import as_columns, kept, most_probable
    from titanic_nn.runs.folder import to_exact_csv

    try:
        p = kept(model.predict_proba(table))
    except ValueError as error:  # the table is checked: it is the model's numbers that overflow
        raise ModelError(f"the model does not predict this table: {error}") from None
    found = pd.DataFrame(as_columns("probability", p, schema.labels))
    found[schema.target.name] = [schema.labels[code] for code in most_probable(p)]
    if schema.id.name in table:
        found.insert(0, schema.id.name, table[schema.id.name].to_numpy())
    return to_exact_csv(found, header=header)


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
