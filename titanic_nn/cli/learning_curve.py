"""Is there enough data? Train every net on growing fractions of the rows, and extrapolate."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import run
from titanic_nn.cli.question import Answer, ask, question_parser

if TYPE_CHECKING:
    from titanic_nn.analysis.learning_curve import LearningCurve
    from titanic_nn.config import Config
    from titanic_nn.report.tables import Table

NAME = "learning_curve"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    parser = question_parser(NAME, __doc__, repeats=5)
    parser.add_argument(
        "--train-fractions",
        nargs="+",
        type=float,
        help="of the training rows, above 0 and up to 1 (0.1 0.2 … 1)",
    )
    args = parser.parse_args(arguments)
    run(lambda: ask(args, NAME, _headline, partial(_answer, args.train_fractions)))


def _headline(config: "Config") -> str:
    return (
        f"Learning curve: {config.folds} folds x {config.repeats} repeats for each train fraction, "
        f"{config.n_seeds} nets averaged on each"
    )


def _answer(
    train_fractions: list[float] | None, tables: Any, config: "Config", on_progress: Any
) -> Answer:
    from titanic_nn.analysis.learning_curve import TRAIN_FRACTIONS, learning_curve
    from titanic_nn.report import sentences
    from titanic_nn.runs.folder import to_csv, to_json

    result = learning_curve(
        tables,
        train_fractions=train_fractions or TRAIN_FRACTIONS,
        config=config,
        on_progress=on_progress,
    )
    sentence = sentences.learning_curve(result)
    models = {
        model: {**asdict(law), "fits": law.fits, "enough": law.enough}
        for model, law in result.extrapolation.items()
    }
    found = {"law": "held_out_loss = a + b * rows^-c", "answer": sentence, "models": models}
    files = {"learning_curve.csv": to_csv(result.scores), "learning_curve.json": to_json(found)}
    return Answer(result.device, files, [_curve(result), _twice(result)], [sentence], found)


def _curve(result: "LearningCurve") -> "Table":
    """A row per net and train fraction."""
    from titanic_nn.report.tables import Table

    rows = [
        [
            str(row["model"]),
            f"{row['train_fraction']:.0%}",
            f"{row['rows']:.0f}",
            f"{row['training_loss']:.3f}",
            f"{row['held_out_loss']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",  # noqa: RUF001
            f"{row['held_out_accuracy']:.3f}",
        ]
        for row in result.summary.to_dict(orient="records")
    ]
    return Table(
        title="",
        columns=["model", "fraction", "rows", "training", "held out", "interval", "accuracy"],
        rows=rows,
        caption="training and held-out log loss, its 95 % interval; held-out accuracy",
    )


def _twice(result: "LearningCurve") -> "Table":
    """The extrapolation of each net to twice the rows."""
    from titanic_nn.evaluation.comparison import ROPES
    from titanic_nn.report.tables import Table

    rows = [
        [
            model,
            f"{law.a:.3f} + {law.b:.2f} n^-{law.c:.2f}",
            f"{law.misfit:.4f}",
            f"{law.gain:.4f}",
            f"{law.low:.4f} to {law.high:.4f}",
            f"{law.p_matters:.0%}",
            law.enough,
        ]
        for model, law in result.extrapolation.items()
    ]
    return Table(
        title="Held-out log loss with twice the rows, extrapolated",
        columns=["model", "a + b n^-c", "misfit", "lower by", "95 % interval", "P", "enough?"],
        rows=rows,
        caption=f"P: probability that it is lower by more than {ROPES['log_loss']}",
    )
