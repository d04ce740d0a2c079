"""Which features matter? Permutation importance on held-out rows, and the linear net's weights."""

from functools import partial
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import run
from titanic_nn.cli.question import Answer, ask, question_parser

if TYPE_CHECKING:
    from titanic_nn.analysis.importance import Importance
    from titanic_nn.config import Config
    from titanic_nn.report.tables import Table

NAME = "importance"
LARGEST = 12  # weights in the table


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    parser = question_parser(NAME, __doc__)
    parser.add_argument(
        "--permutations",
        type=int,
        default=5,
        help="how often each feature is permuted (%(default)s)",
    )
    args = parser.parse_args(arguments)

    def headline(config: "Config") -> str:
        return (
            f"Importance: {config.folds} folds x {config.repeats} repeats x {args.permutations} "
            f"permutations, {config.n_seeds} nets averaged on each"
        )

    run(lambda: ask(args, NAME, headline, partial(_answer, args.permutations)))


def _answer(permutations: int, tables: Any, config: "Config", on_progress: Any) -> Answer:
    from titanic_nn.analysis.importance import importance
    from titanic_nn.runs.folder import to_csv

    result = importance(tables, permutations=permutations, config=config, on_progress=on_progress)
    files = {"importance.csv": to_csv(result.scores)}
    shown = [_features(result)]
    if len(result.coefficients):
        files["coefficients.csv"] = to_csv(result.coefficients)
        shown.append(_coefficients(result))
    return Answer(
        result.device, files, shown, [], {"importance": result.summary.to_dict("records")}
    )


def _features(result: "Importance") -> "Table":
    """A row per feature, a column per net, the most important for the first net on top."""
    from titanic_nn.report.tables import Table

    of = {(row["model"], row["feature"]): row for row in result.summary.to_dict("records")}

    def cell(row: dict[Any, Any]) -> str:
        return f"{row['log_loss_increase']:.3f} ± {row['high'] - row['log_loss_increase']:.3f}"

    models = result.config.models
    return Table(
        title="Increase of the held-out log loss with a feature permuted",
        columns=["feature", *models],
        rows=[
            [str(feature), *(cell(of[model, feature]) for model in models)]
            for feature in result.summary["feature"].unique()
        ],
        caption="mean over folds ± half the 95 % interval; correlated features share importance",
    )


def _coefficients(result: "Importance") -> "Table":
    """The linear net's largest weights."""
    from titanic_nn.report.tables import Table

    rows = [
        [
            str(row["feature"]),
            f"{row['mean']:.2f}",
            f"{row['sd']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
        ]
        for row in result.coefficients.head(LARGEST).to_dict("records")
    ]
    positive = result.tables.schema.class_names[1]
    return Table(
        title=f"The {len(rows)} largest weights of linear, on the log-odds of {positive}",
        columns=["column", "weight", "sd", "95 % interval"],
        rows=rows,
        caption="numbers are in standard deviations; sd: over folds",
    )
