"""Train the three nets, compare them with the baselines, and write a submission for each."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.errors import ConfigError
from titanic_nn.runs.find import SUBMISSIONS
from titanic_nn.cli.console import (
    Parser,
    add_training_options,
    console,
    progress,
    run,
    table_of,
    training_config,
)

if TYPE_CHECKING:
    from rich.table import Table

    from titanic_nn.evaluation.compare_models import ModelComparison


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _train(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.train", description=__doc__)
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with train.csv and test.csv, or titanic.zip",
    )
    add("--out", type=Path, metavar="DIR", help="the run's folder; runs/<time>-<source> by default")
    add_training_options(parser)
    add("--inner-folds", type=int, help="folds for calibration and ensemble weights, 0: none (5)")
    add("--json", action="store_true", help="summary as JSON on stdout, all else on stderr")
    return parser


def _train(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    config = training_config(args, args.params, inner_folds=args.inner_folds)
    shown = console(stderr=args.json, quiet=args.quiet)

    # Imported as late as can be: --help answers at once, and a bad table before torch has loaded.
    from titanic_nn.kaggle.submission import write_submission
    from titanic_nn.tables.sources import load_passengers
    from titanic_nn.runs.folder import choose_folder, summary, to_json, write_run

    passengers = load_passengers(args.data)
    shown.print(passengers.describe())
    for note in passengers.notes:
        shown.print(f"note: {note}")
    folder = choose_folder(args.out, passengers.source)
    submissions = _submission_paths(folder, config.predictors)
    shown.print(
        f"Cross-validation: {config.folds} folds x {config.repeats} repeats, "
        f"{config.n_seeds} nets averaged on each"
    )
    from titanic_nn.evaluation.compare_models import compare_models

    # The million objects of the libraries stay: Python need not look for garbage among them, again
    # and again, for a tenth of the time that is not training.
    gc.freeze()
    with progress(shown, ["baselines", *config.models]) as on_progress:
        result = compare_models(passengers, config=config, on_progress=on_progress)

    write_run(result, folder)
    from titanic_nn.report import write_report

    report = write_report(folder)
    for model, path in submissions.items():
        write_submission(
            path, result.test_predictions["PassengerId"], result.test_predictions[model]
        )
    for table in (_scores(result), _verdict(result), _calibration(result)):
        shown.print()
        shown.print(table)
    shown.print(f"\nThe run:       {folder}  (metrics.csv, summary.json, oof.csv, ...)")
    shown.print(f"Its report:    {report}")
    for model, path in submissions.items():
        shown.print(f"Submission:    {path}{_remark(model, path, result)}")
    shown.print(_next_step(result, submissions[result.recommended]))
    if args.json:
        found = {"run": str(folder), "submissions": {m: str(p) for m, p in submissions.items()}}
        print(to_json({**found, **summary(result)}), end="")


def _submission_paths(folder: Path, models: Sequence[str]) -> dict[str, Path]:
    """Where each net's submission goes; refuses, before any work, to write over one."""
    paths = {model: SUBMISSIONS / f"{folder.resolve().name}-{model}.csv" for model in models}
    for path in paths.values():
        if path.exists():
            raise ConfigError(f"{path}: is there already; choose another name for --out")
    return paths


def _scores(result: "CrossValidation") -> "Table":
    """Models in rows, best first."""
    table = table_of("model", "accuracy", "log loss", "interval", "AUC", "P(best)", "time")
    scores = result.summary.to_dict(orient="index")
    for model, compared in result.comparison.to_dict(orient="index").items():
        row = scores[model]
        table.add_row(
            str(model),
            f"{row['accuracy']:.3f} ± {row['accuracy_sd']:.3f}",
            f"{row['log_loss']:.3f} ± {row['log_loss_sd']:.3f}",
            f"{row['log_loss_low']:.3f}–{row['log_loss_high']:.3f}",  # noqa: RUF001
            f"{row['roc_auc']:.3f}",
            f"{compared['p_best']:.0%}",
            f"{row['seconds']:.1f} s",
            style="bold" if model == result.recommended else None,
        )
    table.caption = "mean ± standard deviation over folds; interval: 95 %, of the log loss"
    return table


def _verdict(result: "CrossValidation") -> "Table":
    """Is the best model really better than each of the others?"""
    from titanic_nn.evaluation.comparison import ROPES

    models = result.comparison.to_dict(orient="index")
    best, *others = models
    table = table_of("than", "lower by", "95 % interval", "yes", "no matter", "it is worse")
    table.title = f"Is {best} really better? Its mean log loss is lower"
    for model in others:
        row = models[model]
        table.add_row(
            str(model),
            f"{row['difference']:.4f}",
            f"{row['low']:.4f} to {row['high']:.4f}",
            *(f"{row[p]:.0%}" for p in ("p_worse", "p_equivalent", "p_better")),
        )
    table.caption = f"no matter: the two differ by {ROPES['log_loss']} at most"
    return table


def _calibration(result: "CrossValidation") -> "Table":
    """Did it help to calibrate the nets, and what is each net's share of the ensemble?"""
    table = table_of("net", "log loss", "calibrated", "error", "calibrated", "weight")
    for model, row in result.calibration.to_dict(orient="index").items():
        table.add_row(
            str(model),
            f"{row['log_loss_before']:.4f}",
            f"{row['log_loss_after']:.4f}",
            f"{row['error_before']:.4f}",
            f"{row['error_after']:.4f}",
            f"{row['weight']:.2f}",
        )
    table.caption = "error: of calibration, on all held-out rows; weight: in the ensemble, mean"
    return table


def _remark(model: str, path: Path, result: "CrossValidation") -> str:
    """Which submission is recommended, and its offline score where the answers are at hand."""
    from titanic_nn.kaggle.offline import offline_score

    remark = "  (recommended)" if model == result.recommended else ""
    answers = result.passengers.answers
    if answers is not None:
        score = offline_score(path, answers)
        remark += f"  offline score {score:.5f}: not Kaggle's, and nothing was chosen by it"
    return remark


def _next_step(result: "CrossValidation", recommended: Path) -> str:
    if result.passengers.source == "bundled":
        return (
            "Next: the bundled table has other passenger ids than Kaggle's. To enter the "
            "competition, run python -m titanic_nn.cli.download, and train again."
        )
    return f"Next: python -m titanic_nn.submit {recommended}"


if __name__ == "__main__":
    main()
