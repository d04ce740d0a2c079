"""The rows that every model of a run misclassifies, with the other rows of their groups."""

from pathlib import Path

from titanic_nn.cli.console import Parser, console, print_table, run
from titanic_nn.cli.options import add_run_argument
from titanic_nn.errors import ConfigError

TOP = 10


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _misclassified(arguments))


def _misclassified(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic-nn misclassified", description=__doc__)
    add = parser.add_argument
    add_run_argument(parser)
    add("--data", type=Path, metavar="DIR", help="its tables, if they have moved")
    add("--top", type=int, default=TOP, metavar="N", help=f"rows to show ({TOP}); the file has all")
    args = parser.parse_args(arguments)
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: choose 1 or more")

    # Imported late, so that --help answers at once.
    from titanic_nn.analysis.misclassified import KEYS, misclassified, models_of, related_rows
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.config import Config
    from titanic_nn.files import write_text
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.find import find_run
    from titanic_nn.runs.folder import read_table, read_tables, to_csv

    folder = find_run(args.run)
    competition = get_competition(Config.from_toml(folder / "settings.toml").competition)
    schema = competition.schema
    models = models_of(read_table(folder, "oof.csv", [schema.id.name], KEYS))
    oof = read_table(folder, "oof.csv", [schema.id.name], [*KEYS, *models])
    data = read_tables(folder, args.data)

    found = misclassified(oof, data.train, schema)
    related = related_rows(found[schema.id.name], data, competition)
    write_text(folder / "misclassified.csv", to_csv(found))

    shown = console()
    shown.print(
        sentences.misclassified(found, models, len(data.train), competition), soft_wrap=True
    )
    if competition.groups:
        shown.print(sentences.shared_outcome(found, related, competition), soft_wrap=True)
    table = tables.misclassified(found.head(args.top), models, related, competition)
    print_table(shown, table)
    shown.print(f"\nWritten: {folder / 'misclassified.csv'}")


if __name__ == "__main__":
    main()
