"""Train the nets, compare them with the baselines, and write a submission for each."""

import gc
import shlex
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.cli.console import (
    Parser,
    console,
    if_stopped,
    print_table,
    progress,
    spinner,
)
from titanic_nn.cli.options import (
    add_data_options,
    add_run_options,
    check_size,
    folds_in_words,
    run_config,
)
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.evaluation.compare_models import ModelComparison
    from titanic_nn.tables.sources import Tables

LONGEST = 24 * 60  # minutes

PARSER = Parser(prog="titanic-nn train", description=__doc__)
add = PARSER.add_argument
add_data_options(PARSER)
add("--out", type=Path, metavar="DIR", help="the run's folder; runs/<time>-<source> by default")
add_run_options(PARSER)
add("--json", action="store_true", help="summary as JSON on stdout, all else on stderr")


@PARSER.command
def main(args: Namespace) -> None:
    start = time.monotonic()
    config = run_config(args)
    shown = console(stderr=args.json, quiet=args.quiet)

    # Imported late: --help answers at once, and a bad table is reported before torch has loaded.
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.files import ROOM, check_place, reserved
    from titanic_nn.runs.find import PLAY_PAGE
    from titanic_nn.runs.folder import choose_folder, run_files, summary, to_json
    from titanic_nn.runs.submissions import SUBMISSIONS, write_submissions

    if config.rivals or config.ensemble_rivals:
        from titanic_nn.evaluation.rivals import check_rivals

        check_rivals(config)
    competition = get_competition(config.competition)
    tables = competition.load(args.data)
    shown.print(tables.describe())
    for note in tables.notes:
        shown.print(f"note: {note}")
    folder = choose_folder(args.out, tables.source)
    if args.minutes is not None:
        config = _in_minutes(args, config, tables, start, shown)
    check_size(args, tables, config, inner=True)
    shown.print(
        f"Cross-validation: {folds_in_words(config)}, {config.n_seeds} nets averaged on each"
    )
    from titanic_nn.evaluation.compare_models import compare_models

    # The garbage collector need not search the libraries' million objects again and again: that
    # would take a tenth of the time outside training.
    gc.freeze()
    with reserved(folder, ROOM) as write:
        check_place(SUBMISSIONS)
        with progress(shown, ["baselines", *config.models, *config.rivals]) as on_progress:
            result = compare_models(tables, config=config, on_progress=on_progress)
        write(run_files(result))

    quoted = shlex.quote(str(folder))
    kept = (
        f"the run is written: {folder}; `titanic-nn submit --dry-run {quoted}` and "
        f"`titanic-nn report {quoted}` write what is missing of its submissions and its report"
    )
    with if_stopped(lambda: kept):
        from titanic_nn.cli.pages import write_pages
        from titanic_nn.report import sentences
        from titanic_nn.report import tables as results

        submissions = write_submissions(folder)
        report = write_pages(folder, result)
    found = summary(result)
    shown.print()
    for sentence in sentences.conclusion(found, competition):
        shown.print(sentence)
    files = results.submissions(
        submissions, result.recommended, _offline_scores(submissions, result)
    )
    for table in (*results.run_tables(found), files):
        print_table(shown, table)
    shown.print(f"\nThe run:       {folder}  (metrics.csv, summary.json, oof.csv, ...)")
    shown.print(f"Its report:    {report}")
    if (play := folder / PLAY_PAGE).is_file():
        shown.print(f"To play with:  {play}")
    if tables.source == "bundled":
        shown.print(
            f"Next: the bundled table has other {tables.schema.row_name} ids than Kaggle's. To "
            "enter the competition, run python -m titanic_nn download, and train again."
        )
    elif not competition.at_kaggle:
        shown.print(f"Next: titanic-nn predict {quoted} --input FILE", soft_wrap=True)
    else:
        shown.print(f"Next: python -m titanic_nn.submit {quoted}", soft_wrap=True)
    if args.json:
        places = {"run": str(folder), "submissions": {m: str(p) for m, p in submissions.items()}}
        print(to_json({**places, **found}), end="")


def _in_minutes(
    args: Namespace, config: Config, tables: "Tables", start: float, shown: "Console"
) -> Config:
    """The settings with the repeats and seeds that fit into --minutes since `start`."""
    free = [name for name in ("repeats", "n_seeds") if getattr(args, name) is None]
    if not free:
        raise ConfigError(
            "--minutes chooses repeats and n_seeds: leave out --repeats, --n-seeds or both"
        )
    if not 0 < args.minutes <= LONGEST:
        raise ConfigError(f"--minutes {args.minutes:g}: choose more than 0, at most {LONGEST}")
    repeats, n_seeds = args.repeats or 1, args.n_seeds or 1
    check_size(args, tables, replace(config, repeats=repeats, n_seeds=n_seeds), inner=True)

    from titanic_nn.analysis.time_budget import fit_to_budget

    left = 60 * args.minutes - (time.monotonic() - start)
    with spinner(shown, "timing small runs"):
        config, seconds = fit_to_budget(tables, config, left, free=free)
    shown.print(
        f"--minutes {args.minutes:g}: repeats = {config.repeats} and n_seeds = {config.n_seeds}, "
        f"an estimated {seconds:.0f} seconds, from the times of small runs, not their scores. "
        f"`--repeats {config.repeats} --n-seeds {config.n_seeds}` makes this run again."
    )
    return config


def _offline_scores(
    submissions: Mapping[str, Path], result: "ModelComparison"
) -> dict[str, float] | None:
    """Each submission's score by the table's own answers; None where they are not known."""
    from titanic_nn.kaggle.offline import offline_score

    if result.tables.answers is None:
        return None
    return {model: offline_score(path, result.tables) for model, path in submissions.items()}
