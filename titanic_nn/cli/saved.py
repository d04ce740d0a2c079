"""A run's saved model with the tables it was trained on: what questions to one model ask."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser
from titanic_nn.cli.options import add_run_argument

if TYPE_CHECKING:
    from titanic_nn.competitions.competition import Competition
    from titanic_nn.tables.schema import TableSchema
    from titanic_nn.tables.sources import Tables


@dataclass(frozen=True, eq=False)
class AskedModel:
    """A run's folder, one of its models with the name it has there, and the run's tables."""

    folder: Path
    name: str
    model: Any  # a Pipeline or Ensemble, which knows the training labels
    tables: "Tables"
    competition: "Competition"

    @property
    def schema(self) -> "TableSchema":
        """The tables' schema."""
        return self.competition.schema


def add_asked_model(parser: Parser) -> None:
    """The arguments that `asked_model` reads."""
    add_run_argument(parser)
    text = "one of the run's models; the recommended by default"
    parser.add_argument("--model", metavar="NAME", help=text)
    parser.add_argument("--data", type=Path, metavar="DIR", help="its tables, if they have moved")


def asked_model(args: Namespace) -> AskedModel:
    """The model, and its run's tables. Raises TitanicError where one of them cannot be read."""
    from titanic_nn.analysis.explanation import with_training_labels
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.estimators.persistence import load
    from titanic_nn.runs.find import find_run, read_run, saved_model
    from titanic_nn.runs.folder import read_tables

    folder = find_run(args.run)
    run = read_run(folder)
    name = run.choose(args.model)
    tables = read_tables(folder, args.data)
    model: Any = with_training_labels(load(saved_model(args.run, args.model)), tables)
    return AskedModel(folder, name, model, tables, get_competition(run.competition))
