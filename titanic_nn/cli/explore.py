"""A first look at a competition's tables: rates by each column, missing values; no training."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.options import add_data_options
from titanic_nn.config import Config

if TYPE_CHECKING:
    from titanic_nn.analysis.exploration import Exploration
    from titanic_nn.report.tables import Table
    from titanic_nn.tables.schema import TableSchema

PARSER = Parser(prog="titanic-nn explore", description=__doc__)
add = PARSER.add_argument
add_data_options(PARSER)
add("--out", type=Path, metavar="DIR", help="folder to write; runs/<time>-explore by default")
add("--json", action="store_true", help="the rates on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.exploration import explore
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.files import write_folder
    from titanic_nn.plots.exploration import first_look
    from titanic_nn.plots.style import as_png
    from titanic_nn.runs.folder import choose_folder, to_csv, to_json

    tables = get_competition(args.competition or Config.competition).load(args.data)
    folder = choose_folder(args.out, "explore")
    schema, found = tables.schema, explore(tables)
    class_name = schema.class_names[1]
    figure = first_look(found.rates, found.missing, found.rate, class_name, schema.row_names)
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
    for table in _tables(found, schema):
        print_table(shown, table)
    if found.left_out:
        which = ", ".join(found.left_out)
        shown.print(f"\nText with many values, none missing, is left out: {which}.")
    shown.print(f"\nWritten: {folder}  ({', '.join(files)})", soft_wrap=True)
    if args.json:
        answer = {
            "folder": str(folder),
            "rate": found.rate,
            "rates": found.rates.to_dict(orient="records"),
            "missing": found.missing.to_dict(orient="records"),
            "left_out": found.left_out,
        }
        print(to_json(answer), end="")


def _tables(found: "Exploration", schema: "TableSchema") -> "list[Table]":
    from titanic_nn.report.sentences import percent
    from titanic_nn.report.tables import LONGEST_NAME, Table

    def short(text: str) -> str:
        return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"

    rows, last = [], ""
    for row in found.rates.to_dict(orient="records"):
        name, last = "" if row["column"] == last else row["column"], row["column"]
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        rows.append([name, short(row["value"]), str(row["rows"]), percent(row["rate"]), interval])
    class_name = schema.class_names[1]
    title = f"Fraction of class {class_name}: {percent(found.rate)} of {schema.row_names}"
    caption = (
        "Of labelled rows; 95 % interval: Wilson's. Ranges of numbers have about as many rows."
    )
    columns = ["column", "value", "rows", class_name, "95 % interval"]
    tables = [Table(title, columns, rows, caption)]
    if len(found.missing):
        missing = found.missing.to_dict(orient="records")
        cells = [[r["column"], percent(r["train"], 1), percent(r["test"], 1)] for r in missing]
        tables.append(Table("Missing values", ["column", "train", "test"], cells))
    return tables
