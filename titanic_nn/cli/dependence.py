"""How does the prediction depend on a feature? Partial dependence, with a line for each net."""

from argparse import Namespace

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.saved import add_asked_model, asked_model
from titanic_nn.errors import ConfigError

PARSER = Parser(prog="titanic-nn dependence", description=__doc__)
add_asked_model(PARSER)
add = PARSER.add_argument
add("feature", nargs="?", metavar="FEATURE", help="one of the competition's: age, title, ...")
add("--json", action="store_true", help="the answer on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.dependence import partial_dependence
    from titanic_nn.files import check_place
    from titanic_nn.plots.explanation import partial_dependence as picture
    from titanic_nn.plots.style import as_png
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv, to_json, write_answer

    shown = console(stderr=args.json)
    asked = asked_model(args)
    if args.feature is None:
        known = ", ".join(feature.name for feature in asked.competition.features.features)
        raise ConfigError(f"no feature: write one behind the run; choose from {known}")
    check_place(asked.folder)
    found = partial_dependence(asked.model, asked.tables.train, args.feature, name=asked.name)
    figure = picture(found.table, found.deciles, asked.schema.meanings, found.rows)
    files: dict[str, str | bytes] = {
        "dependence.csv": to_csv(found.table),
        "dependence.png": as_png(figure),
    }
    write_answer(asked.folder, files)
    print_table(shown, tables.dependence(found, asked.competition))
    shown.print(f"\n{sentences.dependence(found, asked.competition)}")
    shown.print(f"\nWritten: {asked.folder}  ({', '.join(files)})")
    if args.json:
        records = found.table[found.table["net"] == "mean"].to_dict("records")
        answer = {"folder": str(asked.folder), "rows": found.rows, "mean": records}
        print(to_json(answer), end="")
