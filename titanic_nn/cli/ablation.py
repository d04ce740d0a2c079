"""Does each feature improve the nets? Train without it, or with it alone of its group."""

from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import run
from titanic_nn.cli.question import Answer, ask, question_parser

if TYPE_CHECKING:
    import pandas as pd

    from titanic_nn.analysis.ablation import Ablation
    from titanic_nn.config import Config
    from titanic_nn.report.tables import Table

NAME = "ablation"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    # Every net trains some thirty times over: one answers the question.
    args = question_parser(NAME, __doc__, models=["relu"]).parse_args(arguments)
    run(lambda: ask(args, NAME, _headline, _answer))


def _headline(config: "Config") -> str:
    return (
        f"Ablation: {config.folds} folds x {config.repeats} repeats for each choice of features, "
        f"{config.n_seeds} nets averaged on each"
    )


def _answer(tables: Any, config: "Config", on_progress: Any) -> Answer:
    from titanic_nn.analysis.ablation import ablation
    from titanic_nn.evaluation.comparison import ROPES
    from titanic_nn.report import sentences
    from titanic_nn.runs.folder import to_csv, to_json

    result = ablation(tables, config=config, on_progress=on_progress)
    answers = {model: sentences.ablation(result, model) for model in config.models}
    variants = result.summary.to_dict(orient="records")
    found = {"rope": ROPES["log_loss"], "answers": answers, "variants": variants}
    files = {"ablation.csv": to_csv(result.scores), "ablation.json": to_json(found)}
    shown = [table for model in config.models for table in _tables(result, model)]
    return Answer(result.device, files, shown, list(answers.values()), found)


def _tables(result: "Ablation", model: str) -> "list[Table]":
    """All features but one; and those outside the group plus one of it, where there is a group."""
    every, plain = (result.variants(model, kind) for kind in ("all", "plain"))
    whole_group = _rows(plain.assign(feature=f"all of {result.group}"))
    rows = [*whole_group, *_rows(result.variants(model, "drop"))]
    tables = [_table("without", f"{model}: all features but one", every, rows)]
    if result.group:
        title = f"{model}: one of {result.group} alone"
        tables.append(_table("with", title, plain, _rows(result.variants(model, "add"))))
    return tables


def _table(first: str, title: str, reference: "pd.DataFrame", rows: list[list[str]]) -> "Table":
    """A table that names the log loss with which its rows are compared."""
    from titanic_nn.evaluation.comparison import ROPES
    from titanic_nn.report.tables import Table

    return Table(
        title=f"{title}, against {reference['log_loss'].item():.4f}",
        columns=[first, "log loss", "change", "95 % interval", "P"],
        rows=rows,
        caption=f"P: probability that it helps by more than {ROPES['log_loss']}",
    )


def _rows(variants: "pd.DataFrame") -> list[list[str]]:
    return [
        [
            str(row["feature"]),
            f"{row['log_loss']:.4f}",
            f"{row['change']:+.4f}",
            f"{row['low']:+.4f} to {row['high']:+.4f}",
            f"{row['p_helps']:.0%}",
        ]
        for row in variants.to_dict(orient="records")
    ]
