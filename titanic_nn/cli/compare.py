"""Compare runs: a leaderboard, what differs between them, and whether the difference is luck."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from titanic_nn.analysis.run_comparison import ScoredRun

PARSER = Parser(prog="titanic-nn compare", description=__doc__)
add = PARSER.add_argument
add("runs", nargs="+", metavar="RUN", help="a run's folder, or its name in runs/; two or more")
add("--model", metavar="NAME", help="this model of every run; each run's recommended by default")
add("--json", action="store_true", help="the comparison on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.run_comparison import compare_runs
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.find import find_run
    from titanic_nn.runs.folder import to_json

    folders = [find_run(named) for named in args.runs]
    resolved = [folder.resolve() for folder in folders]
    for i, folder in enumerate(resolved):
        if folder in resolved[:i]:
            raise ConfigError(f"run {args.runs[i]}: is given twice")
    names = [folder.name for folder in resolved]
    if len(set(names)) < len(names):
        names = list(map(str, folders))
    scored = [_read(f, name, args.model) for f, name in zip(folders, names, strict=True)]
    result = compare_runs(scored)
    schema = get_competition(scored[0].config.competition).schema
    labelled = len(scored[0].held_out) // scored[0].config.repeats
    answer = sentences.run_comparison(result, f"{labelled} {schema.row_names}")

    shown = console(stderr=args.json)
    print_table(shown, tables.leaderboard(result.leaderboard))
    print_table(shown, tables.run_differences(result.differences))
    compared = [{"comparison": _as_summary(table)} for table in result.comparisons]
    for one in compared:
        print_table(shown, tables.comparison(one))
    for sentence in answer:
        shown.print(f"\n{sentence}")
    if args.json:
        found = {
            "leaderboard": result.leaderboard.to_dict(orient="records"),
            "differences": result.differences.to_dict(orient="index"),
            "comparisons": [one["comparison"] for one in compared],
            "unpaired": result.unpaired,
            "answer": answer,
        }
        print(to_json(found), end="")


def _read(folder: Path, name: str, model: str | None) -> "ScoredRun":
    from titanic_nn.analysis.run_comparison import FOLD_COLUMNS, ScoredRun
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.config import Config
    from titanic_nn.evaluation.metrics import METRICS
    from titanic_nn.runs.find import read_json, read_run
    from titanic_nn.runs.folder import read_table

    run, config = read_run(folder), Config.from_toml(folder / "settings.toml")
    id = get_competition(config.competition).schema.id.name
    chosen = run.choose(model)
    metrics = read_table(folder, "metrics.csv", ["model"], ["repeat", "fold", *METRICS])
    if chosen not in set(metrics["model"]):
        raise DataError(f"{folder / 'metrics.csv'}: has no scores of {chosen}; make the run again")
    return ScoredRun(
        name=name,
        model=chosen,
        config=config,
        environment=read_json(folder / "environment.json"),
        metrics=metrics,
        held_out=read_table(folder, "oof.csv", [id], FOLD_COLUMNS)[[id, *FOLD_COLUMNS]],
    )


def _as_summary(table: "pd.DataFrame") -> dict[str, Any]:
    """A comparison as a run's summary.json has it."""
    models = table.to_dict(orient="index")
    return {"metric": "log_loss", "against": str(table.index[0]), "models": models}
