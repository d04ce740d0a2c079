"""A first look at a competition's tables: rates by each column, missing values; no training."""

from argparse import Namespace
from pathlib import Path

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.options import add_data_options
from titanic_nn.config import Config

PARSER = Parser(prog="titanic-nn explore", description=__doc__)
add = PARSER.add_argument
add_data_options(PARSER)
add("--out", type=Path, metavar="DIR", help="folder to write; runs/<time>-explore by default")
add("--json", action="store_true", help="the rates on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.exploration import explore
    from titanic_nn.competitions.registry import find_competition
    from titanic_nn.files import write_folder
    from titanic_nn.plots.exploration import first_look
    from titanic_nn.plots.style import as_png
    from titanic_nn.report.tables import exploration
    from titanic_nn.runs.folder import choose_folder, to_csv, to_json

    tables = find_competition(args.competition or Config.competition).load(args.data)
    folder = choose_folder(args.out, "explore")
    schema, found = tables.schema, explore(tables)
    figure = first_look(found.rates, found.missing, found.fractions, schema.row_names)
    files: dict[str, str | bytes] = {
        "explore.csv": to_csv(found.rates),
        "missing.csv": to_csv(found.missing),
        "explore.png": as_png(figure),
    }
    write_folder(folder, files.items())

    shown = console(stderr=args.json)
    shown.print(tables.describe())
    for note in tables.notes:
        shown.print(f"note: {note}")
    for table in exploration(found, schema):
        print_table(shown, table)
    if found.left_out:
        which = ", ".join(found.left_out)
        shown.print(f"\nText with many values, none missing, is left out: {which}.")
    shown.print(f"\nWritten: {folder}  ({', '.join(files)})", soft_wrap=True)
    if args.json:
        answer = {
            "folder": str(folder),
            "fractions": found.fractions,
            "rates": found.rates.to_dict(orient="records"),
            "missing": found.missing.to_dict(orient="records"),
            "left_out": found.left_out,
        }
        print(to_json(answer), end="")
