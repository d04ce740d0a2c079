"""Search a net's settings with Optuna: hundreds of trials, trained together."""

import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser, console, if_stopped, print_table, progress
from titanic_nn.cli.options import (
    add_data_options,
    add_group_folds_option,
    add_yes_option,
    check_size,
    training_config,
)
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, StudyError, did_you_mean
from titanic_nn.files import check_place
from titanic_nn.nets.registry import NETS

if TYPE_CHECKING:
    from rich.console import Console

    from titanic_nn.evaluation.experiment import Experiment
    from titanic_nn.tuning.objective import Objective
    from titanic_nn.tuning.spaces import Space
    from titanic_nn.tuning.study import SharedStudy

STUDIES = Path("runs/studies")

PARSER = Parser(prog="titanic-nn tune", description=__doc__)


def add(option: str, help: str, **more: Any) -> None:
    """Add an option whose default, if any, ends its help."""
    shown = " (%(default)s)" if more.get("default") is not None else ""
    PARSER.add_argument(option, help=help + shown, **more)


NET = "the net to tune, or all: one after the other, those that train compares"
add("--model", NET, default="all", metavar="NET")
add("--trials", "of the study, those finished before included", type=int, default=200)
add("--space", "TOML that narrows or fixes what is searched", type=Path, metavar="FILE")
add("--folds", "that a trial is scored on", type=int, default=5)
add("--repeats", "of the folds, drawn anew each time", type=int, default=3)
add_group_folds_option(PARSER)
add("--seed", "random seed", type=int, default=Config.seed)
add("--n-seeds", "nets per split whose probabilities are averaged", type=int, default=1)
add("--device", "auto, cpu or cuda", default=Config.device)
add("--batch", "trials that are proposed, and trained, together", type=int, default=40)
add("--timeout", "seconds after which no batch is begun", type=float, metavar="S")
add("--study", "its name; competition and source of the tables by default", metavar="NAME")
add("--storage", "a server, if machines share the study (docs/tuning.md)", metavar="URL")
add("--nested", "tune within each outer fold instead, and score there", action="store_true")
add_yes_option(PARSER)
add("--quiet", "print nothing but errors", action="store_true")
add_data_options(PARSER)


@dataclass(frozen=True)
class _Work:
    """The tuning of one net."""

    args: Namespace
    experiment: "Experiment"
    space: "Space"
    shown: "Console"

    @property
    def command(self) -> str:
        """What continues it; a storage's password is to be typed again."""
        from titanic_nn.tuning.storage import without_password

        typed = self.args.typed
        if url := self.args.storage:
            typed = [word.replace(url, without_password(url)) for word in typed]
        return shlex.join(["python", "-m", "titanic_nn", "tune", *typed])

    @property
    def name(self) -> str:
        """The study's name."""
        source = f"{self.experiment.competition.slug}-{self.experiment.tables.source}"
        return f"{self.args.study or source}-{self.space.model}"

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return STUDIES / self.name

    def standing(self, study: "SharedStudy") -> str:
        """How much of the study is done."""
        return f"{study.finished()} of {self.args.trials} trials finished"


@PARSER.command
def main(args: Namespace) -> None:
    for option, count in (("--trials", args.trials), ("--batch", args.batch)):
        if count < 1:
            raise ConfigError(f"{option} {count}: ask for at least 1")
    if args.timeout is not None and not args.timeout > 0:
        raise ConfigError(f"--timeout {args.timeout}: give a number of seconds above 0")
    if args.study and not (args.study.isprintable() and Path(args.study).name == args.study):
        raise ConfigError(f"--study {args.study}: choose a printable name that is no path")
    if args.model not in (*NETS, "all"):
        known = f"{', '.join(NETS)}, all{did_you_mean(args.model, NETS)}"
        raise ConfigError(f"--model {args.model}: there is no such net; choose from {known}")
    shown = console(quiet=args.quiet)

    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.tuning.spaces import load_space

    args.models = None if args.model == "all" else [args.model]
    config = training_config(args, None)
    spaces = [load_space(model, args.space) for model in config.models]

    from titanic_nn.evaluation.experiment import Experiment, no_progress

    tables = get_competition(config.competition).load(args.data)
    together = min(args.batch, args.trials)
    trials = [(space.model, net, together) for space in spaces for net in space.largest()]
    check_size(args, tables, config, trials=trials)
    experiment = Experiment.start(tables, config, {}, no_progress)
    if args.model == "all":
        names = ", ".join(config.models)
        shown.print(f"Tuning the nets that train compares: {names}. --model NET tunes one of them.")
    shown.print(experiment.tables.describe())
    works = [_Work(args, experiment, space, shown) for space in spaces]
    for work in works:
        check_place(work.folder)
    for work in works:
        if args.nested:
            _nested(work)
        else:
            _study(work)


def _study(work: _Work) -> None:
    """Run or continue one net's study, and report its results."""
    from titanic_nn.tuning.objective import Objective
    from titanic_nn.tuning.search import Schedule, by_repeats, search, worse_half
    from titanic_nn.tuning.storage import open_storage
    from titanic_nn.tuning.study import SharedStudy, digest

    args, config, tables = work.args, work.experiment.config, work.experiment.tables
    objective = Objective(work.experiment, work.experiment.folds)
    schedule = Schedule(by_repeats(config.folds, config.repeats), worse_half)
    made_of = {
        "competition": work.experiment.competition.identity,
        "data": f"train.csv with SHA-256 {tables.train_sha256[:12]}",
        "folds": config.folds,
        "repeats": config.repeats,
        "seed": config.seed,
        "n_seeds": config.n_seeds,
        **({"group_folds": True} if config.group_folds else {}),
        "features": f"{len(objective.feature_names)} columns, {digest(objective.feature_names)}",
    }
    with closing(open_storage(args.storage, work.folder)) as storage:
        study = SharedStudy(work.name, storage, work.space, made_of, seed=config.seed)
        work.shown.print(f"\nStudy {work.name}: {work.standing(study)}, in {study.where}")

        def kept() -> str:
            try:
                standing = work.standing(study)
            except StudyError:  # it is the storage that failed
                standing = "finished trials"
            return f"{standing}, kept in {study.where}. To continue: `{work.command}`"

        with if_stopped(kept):
            with _bar(work, study) as (on_batch, on_progress):
                search(
                    objective,
                    study,
                    args.trials,
                    schedule,
                    batch=args.batch,
                    timeout=args.timeout,
                    on_batch=on_batch,
                    on_progress=on_progress,
                )
            _results(work, study, objective)


def _results(work: _Work, study: "SharedStudy", objective: "Objective") -> None:
    """Score the best settings on fresh folds, write and print what was found."""
    from titanic_nn.report import sentences, tables
    from titanic_nn.tuning.results import importances, rescore, trials_table, write_results

    show = work.shown.print
    if study.best() is None:
        if study.finished() >= work.args.trials:
            raise StudyError(
                f"study {study.name}: each of its {study.finished()} trials was pruned, or a net "
                "of it diverged; give a larger --trials, or narrow learning_rate with --space, in "
                "another --study"
            )
        # One line, which can be copied.
        show(f"No trial is complete. Next, with more time: {work.command}", soft_wrap=True)
        return
    rescored, important = rescore(study, objective), importances(study)
    write_results(work.folder, study, rescored, important)

    print_table(work.shown, tables.best_trials(trials_table(study)))
    print_table(work.shown, tables.rescored(rescored))
    show(f"\n{sentences.tuning(rescored)}")
    if important:
        ranked = ", ".join(f"{parameter} {part:.0%}" for parameter, part in important.items())
        show(f"\nImportances (fANOVA): {ranked}")
    show(f"\nWritten: {work.folder}  (best.toml, trials.csv, history.png, slices.png, ...)")
    if study.finished() < work.args.trials:
        show(f"Next: continue with the same command; {work.standing(study)}")
    else:
        best = shlex.quote(str(work.folder / "best.toml"))
        data = f" --data {shlex.quote(str(work.args.data))}" if work.args.data else ""
        show(f"Next: python -m titanic_nn.train --config {best}{data}", soft_wrap=True)


def _nested(work: _Work) -> None:
    """Tune within each outer fold, and print the scores on its held-out rows."""
    from titanic_nn.evaluation.comparison import ROPES, compare
    from titanic_nn.files import write_text
    from titanic_nn.report.sentences import lower
    from titanic_nn.runs.folder import to_csv
    from titanic_nn.tuning.nested import nested_estimate

    model, config, trials = work.space.model, work.experiment.config, work.args.trials
    with progress(work.shown, [model]) as on_progress:
        watched, batch = replace(work.experiment, on_progress=on_progress), work.args.batch
        found = nested_estimate(watched, work.space, trials=trials, batch=batch)
    path = work.folder / "nested.csv"
    write_text(path, to_csv(found))
    shipped, best, rope = found["shipped"], found["best"], ROPES["log_loss"]
    gain = compare(shipped, best, test_fraction=1 / config.folds, rope=rope)
    work.shown.print(
        f"\n{model}, tuned with {trials} trials within each of {len(found)} outer folds: log loss "
        f"{best.mean():.4f}, {lower(gain.mean)} than with the shipped settings "
        f"({shipped.mean():.4f}; 95 % interval {gain.low:.4f} to {gain.high:.4f}).\n"
        f"Written: {path}"
    )


@contextmanager
def _bar(
    work: _Work, study: "SharedStudy"
) -> Iterator[tuple[Callable[[], None], Callable[[float], None]]]:
    """A bar with the best loss so far and the time left.

    Yields what moves it after a batch, and what moves it while one trains, as `search` calls them.
    """
    before, total = study.finished(), work.args.trials
    missing, moved, label, lock = max(1, total - before), 0.0, study.name, Lock()
    with progress(work.shown, [study.name]) as move_on:

        def on_progress(fraction: float) -> None:
            nonlocal moved
            with lock:
                moved += fraction * total / missing
                move_on(label, fraction * total / missing)

        def on_batch() -> None:
            nonlocal moved, label
            finished, best = study.finished(), study.best()
            loss = f", best {best.value:.4f}" if best else ""
            label = f"{study.name}: {finished} of {total}{loss}"
            done = (finished - before) / missing
            move_on(label, done - moved)  # others may have finished trials, too
            moved = done

        yield on_batch, on_progress
