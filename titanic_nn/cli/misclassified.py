"""The rows that every model of a run misclassifies, with the other rows of their groups."""

from argparse import Namespace
from pathlib import Path

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.options import add_run_argument
from titanic_nn.errors import ConfigError

PARSER = Parser(prog="titanic-nn misclassified", description=__doc__)
add = PARSER.add_argument
add_run_argument(PARSER)
add("--data", type=Path, metavar="DIR", help="its tables, if they have moved")
add("--top", type=int, default=10, metavar="N", help="rows to show (10); the file has all")


@PARSER.command
def main(args: Namespace) -> None:
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: choose 1 or more")

    from titanic_nn.analysis.misclassified import KEYS, misclassified, related_rows
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.evaluation.predictions import column_names, models_of
    from titanic_nn.files import write_text
    from titanic_nn.report import sentences, tables
    from titanic_nn.report.page import write_report
    from titanic_nn.runs.find import find_run, read_run
    from titanic_nn.runs.folder import read_table, read_tables, to_csv

    folder = find_run(args.run)
    competition = get_competition(read_run(folder).competition)
    schema = competition.schema
    models = models_of(read_table(folder, "oof.csv", [schema.id.name], KEYS))
    columns = [c for model in models for c in column_names(model, schema.labels)]
    oof = read_table(folder, "oof.csv", [schema.id.name], [*KEYS, *columns])
    data = read_tables(folder, args.data)

    found = misclassified(oof, data.train, schema)
    related = related_rows(found[schema.id.name], data, competition)
    write_text(folder / "misclassified.csv", to_csv(found))

    shown, rows = console(), len(data.train)
    shown.print(sentences.misclassified(found, models, rows, competition))
    if competition.groups and len(found):
        shown.print(sentences.shared_outcome(found, related, competition))
    if len(found):
        print_table(shown, tables.misclassified(found.head(args.top), models, related, competition))
    shown.print(f"\nWritten: {folder / 'misclassified.csv'}")
    shown.print(f"Report: {write_report(folder)}", soft_wrap=True)
