"""Predict who survives, with a saved model, for any table in Kaggle's columns."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from titanic_nn.errors import DataError, ModelError, ConfigError
from titanic_nn.files import written_beside
from titanic_nn.cli.console import Parser, run

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from titanic_nn.estimators.calibration import Ensemble
    from titanic_nn.estimators.persistence import Model

# Passengers that are read at a time: memory is bounded for a table of any length.
ROWS_AT_ONCE = 2**14
STANDARD = "-"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _predict(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.predict", description=__doc__)
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="RUN_OR_DIR",
        help="a run's folder or name (its recommended model), or a saved model's folder",
    )
    add("--input", required=True, metavar="FILE", help="a CSV file, or - for standard input")
    add("--output", default=STANDARD, metavar="FILE", help="a CSV file, or - for standard output")
    return parser


def _predict(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    if args.output != STANDARD and Path(args.output).exists():
        raise ConfigError(f"--output {args.output}: is there already; choose another name")
    with _opened(args.input) as (stream, name):
        # Imported as late as can be: --help answers at once.
        from titanic_nn.runs.find import saved_model
        from titanic_nn.tables.schema import read_in_parts
        from titanic_nn.estimators.persistence import read

        folder = saved_model(args.model)
        model = _takes_passengers(read(folder).model, folder)
        parts = read_in_parts(stream, file=name, rows=ROWS_AT_ONCE)
        first = next(parts, None)
        if first is None:
            raise DataError(f"{name}: is empty; expected a CSV file with a header line")
        for note in first.notes:
            print(f"note: {note}", file=sys.stderr)
        with _written(args.output) as out:
            out.write(_csv(model, first.table, header=True))
            for part in parts:
                out.write(_csv(model, part.table, header=False))


def _csv(model: "Pipeline | Ensemble", table: "pd.DataFrame", *, header: bool) -> bytes:
    """Who they are, if that is known; the probability that they survive; the likelier class."""
    import pandas as pd

    probability = model.predict_proba(table)[:, 1]
    survived = model.classes_[(probability >= 0.5).astype(int)]
    found = pd.DataFrame({"probability": probability, "Survived": survived})
    if "PassengerId" in table:
        found.insert(0, "PassengerId", table["PassengerId"].to_numpy())
    return found.to_csv(index=False, header=header, lineterminator="\n").encode()


def _takes_passengers(model: "Model", folder: Path) -> "Pipeline | Ensemble":
    """The model, if it reads passengers and tells two classes apart. Raises ModelError."""
    from titanic_nn.estimators.classifiers import NetClassifier

    if isinstance(model, NetClassifier) or len(model.classes_) != 2:
        raise ModelError(
            f"{folder}: this model does not go from passengers to two classes; save a Pipeline of "
            "TitanicFeatures and a classifier"
        )
    return model


@contextmanager
def _opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The input, and what messages call it."""
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
def _written(name: str) -> Iterator[BinaryIO]:
    """The output; a file appears only when it is whole."""
    if name != STANDARD:
        with written_beside(Path(name)) as file:
            yield file
        return
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
