"""Compare runs: a leaderboard, what differs between them, and whether the difference is luck."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from titanic_nn.analysis.run_comparison import RunComparison, ScoredRun
    from titanic_nn.report.tables import Table

LONGEST_VALUE = 18  # characters of a setting or fact in the table

PARSER = Parser(prog="titanic-nn compare", description=__doc__)
add = PARSER.add_argument
add("runs", nargs="+", metavar="RUN", help="a run's folder, or its name in runs/; two or more")
add("--model", metavar="NAME", help="this model of every run; each run's recommended by default")
add("--json", action="store_true", help="the comparison on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.run_comparison import compare_runs
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.report import tables
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
    sentences = _sentences(result, f"{labelled} {schema.row_names}")

    shown = console(stderr=args.json)
    print_table(shown, _leaderboard(result.leaderboard))
    print_table(shown, _differences(result.differences))
    compared = [{"comparison": _as_summary(table)} for table in result.comparisons]
    for one in compared:
        print_table(shown, tables.comparison(one))
    for sentence in sentences:
        shown.print(f"\n{sentence}")
    if args.json:
        found = {
            "leaderboard": result.leaderboard.to_dict(orient="records"),
            "differences": result.differences.to_dict(orient="index"),
            "comparisons": [one["comparison"] for one in compared],
            "unpaired": result.unpaired,
            "answer": sentences,
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


def _leaderboard(leaderboard: "pd.DataFrame") -> "Table":
    from titanic_nn.report.tables import DASH, Table

    rows = [
        [
            row["run"],
            row["model"],
            f"{row['accuracy']:.3f} ± {row['accuracy_sd']:.3f}",
            f"{row['log_loss']:.3f} ± {row['log_loss_sd']:.3f}",
            f"{row['log_loss_low']:.3f}{DASH}{row['log_loss_high']:.3f}",
            f"{row['roc_auc']:.3f}",
        ]
        for row in leaderboard.to_dict(orient="records")
    ]
    caption = "On held-out rows: mean ± standard deviation over folds. Interval: 95 %, of the mean "
    caption += "log loss, corrected for overlapping folds."
    columns = ["run", "model", "accuracy", "log loss", "interval", "AUC"]
    return Table("Leaderboard", columns, rows, caption)


def _differences(differences: "pd.DataFrame") -> "Table":
    from titanic_nn.report.tables import DASH, Table

    def cell(value: Any) -> str:
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        text = DASH if value is None else text
        half = LONGEST_VALUE // 2
        # The end is seen too: of a path, or "-dirty" of a commit.
        return text if len(text) <= LONGEST_VALUE else f"{text[: half - 1]}…{text[-half:]}"

    rows = [
        [str(name), *map(cell, row)]
        for name, row in zip(differences.index, differences.to_numpy().tolist(), strict=True)
    ]
    same = "" if rows else "Nothing: settings, tables and environment are the same."
    return Table("What differs", ["setting", *map(str, differences.columns)], rows, same)


def _as_summary(table: "pd.DataFrame") -> dict[str, Any]:
    """A comparison as a run's summary.json has it."""
    models = table.to_dict(orient="index")
    return {"metric": "log_loss", "against": str(table.index[0]), "models": models}


def _sentences(result: "RunComparison", rows: str) -> list[str]:
    """Which differences are more than luck, and which cannot be told."""
    from titanic_nn.evaluation.comparison import DECISIVE, ROPES
    from titanic_nn.report.sentences import percent

    found = []
    for table in result.comparisons:
        best = str(table.index[0])
        for other, row in table.iloc[1:].iterrows():
            if row["p_worse"] >= DECISIVE:
                verdict = f"{best} is better, by more than luck (posterior "
                verdict += f"{percent(row['p_worse'])})."
            elif row["p_equivalent"] >= DECISIVE:
                verdict = "they are practically equivalent (difference of at most "
                verdict += f"{ROPES['log_loss']:g}; posterior {percent(row['p_equivalent'])})."
            else:
                verdict = f"{rows} are too few to tell whether {best} is better, or lucky "
                verdict += f"(posterior {percent(row['p_worse'])})."
            found.append(f"{best} and {other} have the same folds: {verdict}")
        if len(table) > 2:
            p_best = percent(table["p_best"].iloc[0])
            found.append(f"{best} is the best of these {len(table)} with probability {p_best}.")
    first = result.leaderboard["run"].iloc[0]
    for reasons in dict.fromkeys(map(tuple, result.unpaired.values())):
        others = [run for run, why in result.unpaired.items() if tuple(why) == reasons]
        found.append(
            f"Whether {first} is better than {' or '.join(others)} cannot be told from these runs: "
            f"their folds differ ({', '.join(reasons)}). Train on the same tables, with the same "
            "folds, repeats and seed."
        )
    return found
