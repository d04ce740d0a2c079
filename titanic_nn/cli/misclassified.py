"""Who is hard? The passengers whom every model of a run gets wrong, with their companions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.errors import ConfigError
from titanic_nn.cli.console import Parser, console, run, table_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

MOST = 10
LONGEST_NAME = 36  # characters, so that a line fits 80 columns
FATES = {0: "died", 1: "lived"}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _hard(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.misclassified", description=__doc__)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run's folder; the newest one's")
    add("--data", type=Path, metavar="DIR", help="its tables, if they have moved since")
    add("--most", type=int, default=MOST, help=f"how many to show ({MOST}); hard.csv has them all")
    return parser


def _hard(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    if args.most < 1:
        raise ConfigError(f"--most {args.most}: choose 1 or more")

    import pandas as pd

    from titanic_nn.analysis.misclassified import KEYS, companions, hard_passengers, models_of
    from titanic_nn.files import write_text
    from titanic_nn.runs.find import find_run, newest_run
    from titanic_nn.runs.folder import read_passengers, read_table, to_csv

    folder = find_run(args.run) if args.run else newest_run().folder
    oof = read_table(folder, "oof.csv", [], KEYS)
    models = models_of(oof)
    oof = read_table(folder, "oof.csv", [], [*KEYS, *models])
    passengers = read_passengers(folder, args.data)

    hard = hard_passengers(oof, passengers.train)
    everyone = pd.concat([passengers.train, passengers.test], ignore_index=True)
    together = companions(hard["PassengerId"], everyone)
    write_text(folder / "hard.csv", to_csv(hard))

    shown = console()
    shown.print(
        f"{len(hard)} of {len(passengers.train)} passengers are got wrong by all {len(models)} "
        f"models of {folder}: {', '.join(models)}."
    )
    shown.print(_shared_fate(hard, together), soft_wrap=True)
    shown.print()
    shown.print(_table(hard.head(args.most), models, together))
    shown.print(f"\nWritten: {folder / 'hard.csv'}")


def _shared_fate(hard: "pd.DataFrame", together: "pd.DataFrame") -> str:
    """Would it have helped to ask what became of their companions?"""
    known = together.dropna(subset="Survived")
    if known.empty:
        return "Nothing is known of what became of their companions."
    own = known["of"].map(hard.set_index("PassengerId")["Survived"])
    return (
        f"{known['of'].nunique()} of them had companions whose fate is known, {len(known)} in all: "
        f"{(own == known['Survived']).mean():.0%} of those shared it."
    )


def _table(hard: "pd.DataFrame", models: list[str], together: "pd.DataFrame") -> "Table":
    """A row per passenger, and below it one per companion."""
    table = table_of("passenger, and companions", "id", "fate", "P(lived)", "sex", "age", "class")
    for row in hard.to_dict(orient="records"):
        said = sum(float(row[model]) for model in models) / len(models)
        table.add_row(*_cells(row, "", f"{said:.2f}"), style="bold")
        for companion in together[together["of"] == row["PassengerId"]].to_dict(orient="records"):
            table.add_row(*_cells(companion, "  ", ""))
    table.caption = "P(lived): what the models said, on average; fate ?: a passenger of test.csv"
    return table


def _cells(row: "dict[Any, Any]", indent: str, said: str) -> list[str]:
    name = f"{indent}{row['Name']}"
    return [
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…",
        str(row["PassengerId"]),
        FATES.get(row["Survived"], "?"),
        said,
        row["Sex"],
        "?" if row["Age"] != row["Age"] else f"{row['Age']:.3g}",
        str(row["Pclass"]),
    ]


if __name__ == "__main__":
    main()
