"""Which features matter? Permutation importance on held-out rows, and the linear net's weights."""

from typing import TYPE_CHECKING

from titanic_nn.cli.console import (
    Parser,
    add_question_options,
    add_training_options,
    console,
    progress,
    run,
    table_of,
)

if TYPE_CHECKING:
    from rich.table import Table

    from titanic_nn.analysis.importance import Importance

HEAVIEST = 12


NAME = "importance"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _importance(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.importance", description=__doc__)
    add = parser.add_argument
    add_question_options(parser, NAME)
    add("--permutations", type=int, default=5, help="how often each feature is dealt out anew (5)")
    add_training_options(parser)
    return parser


def _importance(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    shown = console(quiet=args.quiet)

    from titanic_nn.cli.question import Question
    from titanic_nn.runs.folder import to_csv

    question = Question.of(args, NAME)
    config, passengers = question.config, question.passengers
    shown.print(passengers.describe())
    shown.print(
        f"Importance: {config.folds} folds x {config.repeats} repeats x {args.permutations} "
        f"permutations, {config.n_seeds} nets averaged on each"
    )
    from titanic_nn.analysis.importance import importance

    with progress(shown, list(config.models)) as on_progress:
        result = importance(
            passengers, permutations=args.permutations, config=config, on_progress=on_progress
        )

    files = {"importance.csv": to_csv(result.scores)}
    tables = [_features(result)]
    if "linear" in config.models:
        files["coefficients.csv"] = to_csv(result.coefficients)
        tables.append(_coefficients(result))
    question.write(files, result.device)
    for table in tables:
        shown.print()
        shown.print(table)
    shown.print(f"\nWritten: {question.folder}  ({', '.join(files)})")


def _features(result: "Importance") -> "Table":
    """A row per feature, a column per net, the most important for the first net on top."""
    table = table_of("feature", *result.config.models)
    rows = {(row["model"], row["feature"]): row for row in result.summary.to_dict("records")}
    for feature in result.summary["feature"].unique():
        of_models = [rows[model, feature] for model in result.config.models]
        table.add_row(
            str(feature),
            *(
                f"{row['log_loss_increase']:.3f} ± {row['high'] - row['log_loss_increase']:.3f}"
                for row in of_models
            ),
        )
    table.title = "With a feature shuffled, the held-out log loss rises by"
    table.caption = "mean over folds ± half the 95 % interval; features that tell the same share it"
    return table


def _coefficients(result: "Importance") -> "Table":
    """The linear net's heaviest weights."""
    table = table_of("column", "weight", "sd", "95 % interval")
    for row in result.coefficients.head(HEAVIEST).to_dict("records"):
        table.add_row(
            str(row["feature"]),
            f"{row['mean']:.2f}",
            f"{row['sd']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
        )
    table.title = f"The {len(table.rows)} heaviest weights of linear, on the log-odds of surviving"
    table.caption = "numbers count in standard deviations; sd: over folds"
    return table


if __name__ == "__main__":
    main()
