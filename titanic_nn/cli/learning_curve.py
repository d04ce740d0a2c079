"""Do I have enough data? Train every net on growing shares of the rows, and extrapolate."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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

    from titanic_nn.analysis.learning_curve import LearningCurve

REPEATS = 5


NAME = "learning-curve"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _learning_curve(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.learning_curve", description=__doc__)
    add = parser.add_argument
    add_question_options(parser, NAME)
    add("--shares", nargs="+", type=float, help="of the training rows, above 0 to 1 (0.1 0.2 … 1)")
    add_training_options(parser, repeats=REPEATS)
    parser.set_defaults(repeats=REPEATS)
    add("--json", action="store_true", help="the extrapolation on stdout, all else on stderr")
    return parser


def _learning_curve(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    shown = console(stderr=args.json, quiet=args.quiet)

    from titanic_nn.cli.question import Question
    from titanic_nn.runs.folder import to_csv, to_json

    question = Question.of(args, NAME)
    config, passengers = question.config, question.passengers
    shown.print(passengers.describe())

    from titanic_nn.analysis.learning_curve import SHARES, learning_curve

    shares = args.shares or SHARES
    shown.print(
        f"Learning curve: {len(shares)} shares x {config.folds} folds x {config.repeats} "
        f"repeats, {config.n_seeds} nets averaged on each"
    )
    with progress(shown, list(config.models)) as on_progress:
        result = learning_curve(
            passengers, shares=shares, config=config, on_progress=on_progress
        )

    found = _as_json(result)
    files = {
        "learning_curve.csv": to_csv(result.scores),
        "learning_curve.json": to_json(found),
    }
    question.write(files, result.device)
    for table in (_curve(result), _twice(result)):
        shown.print()
        shown.print(table)
    shown.print(f"\n{result.answer}", soft_wrap=True)
    shown.print(f"\nWritten: {question.folder}  ({', '.join(files)})")
    if args.json:
        print(to_json({"folder": str(question.folder), **found}), end="")


def _as_json(result: "LearningCurve") -> dict[str, Any]:
    models = {
        model: {**asdict(law), "fits": law.fits, "enough": law.enough}
        for model, law in result.extrapolation.items()
    }
    return {"law": "held_out_loss = a + b * rows^-c", "answer": result.answer, "models": models}


def _curve(result: "LearningCurve") -> "Table":
    """A row per net and share."""
    table = table_of("model", "share", "rows", "training", "held out", "interval", "accuracy")
    for row in result.summary.to_dict(orient="records"):
        table.add_row(
            str(row["model"]),
            f"{row['share']:.0%}",
            f"{row['rows']:.0f}",
            f"{row['training_loss']:.3f}",
            f"{row['held_out_loss']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",  # noqa: RUF001
            f"{row['held_out_accuracy']:.3f}",
            end_section=row["share"] == result.summary["share"].max(),
        )
    table.caption = "log loss in training and held out, its 95 % interval; held-out accuracy"
    return table


def _twice(result: "LearningCurve") -> "Table":
    """What twice the rows would give each net."""
    from titanic_nn.analysis.learning_curve import MATTERS

    table = table_of(
        "model", "a + b n^-c", "misses by", "lower by", "95 % interval", "P", "enough?"
    )
    table.title = "Twice the rows: the held-out log loss would be"
    for model, law in result.extrapolation.items():
        table.add_row(
            model,
            f"{law.a:.3f} + {law.b:.2f} n^-{law.c:.2f}",
            f"{law.misfit:.4f}",
            f"{law.gain:.4f}",
            f"{law.low:.4f} to {law.high:.4f}",
            f"{law.p_matters:.0%}",
            law.enough,
        )
    table.caption = f"P: probability that it would be lower by more than {MATTERS}"
    return table


if __name__ == "__main__":
    main()
