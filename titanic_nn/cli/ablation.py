"""Does each feature earn its place? Train without it, or with it alone, on the same folds."""

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
    import pandas as pd
    from rich.table import Table

    from titanic_nn.analysis.ablation import Ablation
    from titanic_nn.config import Model


NAME = "ablation"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _ablation(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.ablation", description=__doc__)
    add = parser.add_argument
    add_question_options(parser, NAME)
    # Every net trains some thirty times over: one answers the question.
    add_training_options(parser, models="relu")
    parser.set_defaults(models=["relu"])
    add("--json", action="store_true", help="the table on stdout, all else on stderr")
    return parser


def _ablation(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    shown = console(stderr=args.json, quiet=args.quiet)

    from titanic_nn.cli.question import Question
    from titanic_nn.runs.folder import to_csv, to_json

    question = Question.of(args, NAME)
    config, passengers = question.config, question.passengers
    shown.print(passengers.describe())
    shown.print(
        f"Ablation: {config.folds} folds x {config.repeats} repeats for each choice of "
        f"features, {config.n_seeds} nets averaged on each"
    )
    from titanic_nn.analysis.ablation import ablation

    with progress(shown, list(config.models)) as on_progress:
        result = ablation(passengers, config=config, on_progress=on_progress)

    found = _as_json(result)
    files = {"ablation.csv": to_csv(result.scores), "ablation.json": to_json(found)}
    question.write(files, result.device)
    for model in config.models:
        for table in (_dropped(result, model), _added(result, model)):
            shown.print()
            shown.print(table)
        shown.print(f"\n{result.answer(model)}", soft_wrap=True)
    shown.print(f"\nWritten: {question.folder}  ({', '.join(files)})")
    if args.json:
        print(to_json({"folder": str(question.folder), **found}), end="")


def _as_json(result: "Ablation") -> dict[str, Any]:
    from titanic_nn.analysis.ablation import MATTERS

    return {
        "matters": MATTERS,
        "answers": {model: result.answer(model) for model in result.config.models},
        "variants": result.summary.to_dict(orient="records"),
    }


def _dropped(result: "Ablation", model: "Model") -> "Table":
    """All features but one, what costs most on top."""
    table = _table("without", f"{model}: all features but one", result.variants(model, "all"))
    _add_rows(table, result.variants(model, "plain").assign(feature="all that tell of companions"))
    _add_rows(table, result.variants(model, "drop"))
    return table


def _added(result: "Ablation", model: "Model") -> "Table":
    """The plain features and one of the companions', what helps most on top."""
    title = f"{model}: none that tell of companions but one"
    table = _table("with", title, result.variants(model, "plain"))
    _add_rows(table, result.variants(model, "add"))
    return table


def _table(heading: str, title: str, reference: "pd.DataFrame") -> "Table":
    """An empty table that names the log loss with which its rows are compared."""
    from titanic_nn.analysis.ablation import MATTERS

    table = table_of(heading, "log loss", "change", "95 % interval", "P")
    table.title = f"{title}, against {reference['log_loss'].item():.4f}"
    table.caption = f"P: probability that it helps by more than {MATTERS}"
    return table


def _add_rows(table: "Table", variants: "pd.DataFrame") -> None:
    for row in variants.to_dict(orient="records"):
        table.add_row(
            str(row["feature"]),
            f"{row['log_loss']:.4f}",
            f"{row['change']:+.4f}",
            f"{row['low']:+.4f} to {row['high']:+.4f}",
            f"{row['p_helps']:.0%}",
        )


if __name__ == "__main__":
    main()
