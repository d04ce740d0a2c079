"""Search a net's settings with Optuna: hundreds of trials, trained together."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.errors import ConfigError
from titanic_nn.config import MODELS, Model, Config
from titanic_nn.cli.console import INTERRUPTED, Parser, console, progress, run, table_of

if TYPE_CHECKING:
    from argparse import Namespace

    from rich.console import Console
    from rich.table import Table

    from titanic_nn.tables.sources import Passengers
    from titanic_nn.tuning.objective import Objective
    from titanic_nn.tuning.results import Rescored
    from titanic_nn.tuning.spaces import Space
    from titanic_nn.tuning.study import SharedStudy

STUDIES = Path("runs/studies")
FRESH_REPEATS = 10  # of folds that the search never saw, for the winner
SHOWN = 5  # best trials in the table


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _tune(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.tune", description=__doc__)
    add = parser.add_argument
    add("--model", required=True, choices=[*MODELS, "all"], help="the net to tune")
    add("--trials", type=int, default=200, help="of the study, those done before included (200)")
    add("--study", metavar="NAME", help="its name; the data's source by default")
    add("--storage", metavar="URL", help="a server, if many machines share it (docs/tuning.md)")
    add("--space", type=Path, metavar="FILE", help="TOML that narrows or fixes what is searched")
    add("--folds", type=int, default=5, help="folds that a trial is scored on (5)")
    add("--repeats", type=int, default=3, help="how often they are cut afresh (3)")
    add("--seed", type=int, default=42, help="the number that all randomness grows from (42)")
    add("--seeds", type=int, default=1, help="nets per split whose probabilities are averaged (1)")
    add(
        "--batch", type=int, default=40, help="trials that are asked for, and trained, at once (40)"
    )
    add("--timeout", type=float, metavar="S", help="seconds after which no batch is begun")
    add("--data", type=Path, metavar="DIR", help="folder with the tables, or titanic.zip")
    add("--device", default="auto", help="auto, cpu or cuda (auto)")
    add("--save-defaults", action="store_true", help="make the winner what train uses by default")
    add("--nested", action="store_true", help="tune within each outer fold instead, and score that")
    add("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _tune(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    for option, count in (("--trials", args.trials), ("--batch", args.batch)):
        if count < 1:
            raise ConfigError(f"{option} {count}: ask for at least 1")
    if args.timeout is not None and not args.timeout > 0:
        raise ConfigError(f"--timeout {args.timeout}: give a number of seconds above 0")
    config = Config.from_toml(
        models=[args.model] if args.model != "all" else MODELS,
        folds=args.folds,
        repeats=args.repeats,
        seed=args.seed,
        n_seeds=args.n_seeds,
        device=args.device,
    )
    shown = console(quiet=args.quiet)

    from titanic_nn.tables.schema import check_classes
    from titanic_nn.tables.sources import load_passengers
    from titanic_nn.tuning.spaces import load_space

    spaces = {model: load_space(model, args.space) for model in config.models}
    passengers = load_passengers(args.data)
    check_classes(
        passengers.train, folds=config.folds, file=str(passengers.location / "train.csv")
    )
    shown.print(passengers.describe())
    for model in config.models:
        work = _nested if args.nested else _study
        work(args, model, spaces[model], config, passengers, shown)


def _study(
    args: "Namespace",
    model: Model,
    space: "Space",
    config: Config,
    passengers: "Passengers",
    shown: "Console",
) -> None:
    """One net's study, from where it stands to its results."""
    from titanic_nn.tuning.search import Schedule, by_repeats, search, worse_half
    from titanic_nn.tuning.storage import open_storage
    from titanic_nn.tuning.study import SharedStudy, digest

    objective = _objective(config, passengers, config.seed, config.repeats)
    name = f"{args.study or passengers.source}-{model}"
    folder = STUDIES / name
    made_of = {
        "data": f"train.csv with SHA-256 {passengers.train_sha256[:12]}",
        "folds": config.folds,
        "repeats": config.repeats,
        "seed": config.seed,
        "seeds": config.n_seeds,
        "features": f"{len(objective.feature_names)} columns, {digest(objective.feature_names)}",
    }
    with closing(open_storage(args.storage, folder)) as storage:
        study = SharedStudy(name, storage, space, made_of, seed=config.seed)
        shown.print(f"\nStudy {name}: {_standing(study, args.trials)}, in {study.where}")
        with _bar(shown, study, args.trials) as on_batch, _interruptible(study, args.trials):
            search(
                objective,
                study,
                args.trials,
                Schedule(by_repeats(config.folds, config.repeats), worse_half),
                batch=args.batch,
                timeout=args.timeout,
                on_batch=on_batch,
            )
        _results(args, study, config, passengers, objective, folder, shown)


def _results(
    args: "Namespace",
    study: "SharedStudy",
    config: Config,
    passengers: "Passengers",
    objective: "Objective",
    folder: Path,
    shown: "Console",
) -> None:
    """Score the winner on fresh folds, write what was found, and show it."""
    from titanic_nn.tuning.results import importances, rescore, save_defaults, write_results

    space = study.space
    best = study.best()
    if best is None:
        shown.print("No trial was finished. Next: the same command, with more time")
        return

    # The folds of another seed: rows in other company.
    fresh = _objective(config, passengers, config.seed + 1, FRESH_REPEATS)
    rivals = {
        "tuned": space.config(best.params),
        "shipped": config.net(space.model),
        "untuned": type(config.net(space.model))(),
    }
    rescored = rescore(rivals, objective, fresh, config.folds)
    shares = importances(study)
    write_results(folder, study, rescored, shares)

    shown.print()
    shown.print(_best_trials(study))
    shown.print()
    shown.print(_honest(rescored, config.folds))
    if shares:
        ranked = ", ".join(f"{parameter} {share:.0%}" for parameter, share in shares.items())
        shown.print(f"\nWhat mattered: {ranked}", soft_wrap=True)
    shown.print(f"\nThe study:     {folder}  (best.toml, trials.csv, history.png, slices.png, ...)")
    if args.save_defaults:
        text = (folder / "best.toml").read_text(encoding="utf-8")
        shown.print(f"New defaults:  {save_defaults(space.model, text)}")
    if study.finished() < args.trials:
        shown.print(f"Next: go on with the same command; {_standing(study, args.trials)}")
    else:
        shown.print(f"Next: python -m titanic_nn.train --params {folder / 'best.toml'}")


def _nested(
    args: "Namespace",
    model: Model,
    space: "Space",
    config: Config,
    passengers: "Passengers",
    shown: "Console",
) -> None:
    """Tune within each outer fold, and say what that gave on its held-out rows."""
    from titanic_nn.evaluation.comparison import compare
    from titanic_nn.files import write_text
    from titanic_nn.runs.folder import to_csv
    from titanic_nn.tuning.nested import nested_estimate

    features, y, outer = _folds(config, passengers, config.seed, config.repeats)
    with progress(shown, [model]) as on_progress:
        found = nested_estimate(
            features,
            y,
            outer,
            space,
            config.net(model),
            trials=args.trials,
            batch=args.batch,
            n_seeds=config.n_seeds,
            seed=config.seed,
            device=config.device,
            on_split=lambda: on_progress(f"{model}, fold by fold", 1 / len(outer)),
        )
    folder = STUDIES / f"{args.study or passengers.source}-{model}"
    write_text(folder / "nested.csv", to_csv(found))
    better = compare(
        found["shipped"], found["tuned"], held_out_share=1 / config.folds, rope=0.005
    )
    shown.print(
        f"\n{model}, tuned with {args.trials} trials within each of {len(outer)} outer folds: "
        f"log loss {found['tuned'].mean():.4f}; shipped settings {found['shipped'].mean():.4f}; "
        f"difference {better.mean:.4f}, 95 % interval {better.low:.4f} to {better.high:.4f}",
        soft_wrap=True,
    )
    shown.print(f"Written: {folder / 'nested.csv'}")


def _folds(config: Config, passengers: "Passengers", seed: int, repeats: int) -> Any:
    import pandas as pd

    from titanic_nn.competitions.titanic.features import passenger_features
    from titanic_nn.tables.splits import repeated_stratified_splits

    y = passengers.train["Survived"].to_numpy()
    features = passenger_features(pd.concat([passengers.train, passengers.test]))
    return features, y, repeated_stratified_splits(y, config.folds, repeats, seed)


def _objective(
    config: Config, passengers: "Passengers", seed: int, repeats: int
) -> "Objective":
    """What settings are judged by, on folds cut by this seed."""
    from titanic_nn.tuning.objective import Objective

    features, y, splits = _folds(config, passengers, seed, repeats)
    return Objective(features, y, splits, n_seeds=config.n_seeds, seed=seed, device=config.device)


@contextmanager
def _bar(shown: "Console", study: "SharedStudy", total: int) -> Iterator[Callable[[], None]]:
    """A bar with the best loss so far and the time left."""
    before = study.finished()
    left = max(1, total - before)
    with progress(shown, [study.name]) as move_on:

        def on_batch() -> None:
            nonlocal before
            finished, best = study.finished(), study.best()
            loss = f", best {best.value:.4f}" if best else ""
            move_on(f"{study.name}: {finished} of {total}{loss}", (finished - before) / left)
            before = finished

        yield on_batch


@contextmanager
def _interruptible(study: "SharedStudy", total: int) -> Iterator[None]:
    """On Ctrl-C say what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "titanic_nn.cli.tune", *sys.argv[1:]])
        print(
            f"interrupted: {_standing(study, total)}, kept in {study.where}. Go on: {again}",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)


def _standing(study: "SharedStudy", total: int) -> str:
    return f"{study.finished()} of {total} trials finished"


def _best_trials(study: "SharedStudy") -> "Table":
    """The few best trials with their parameters."""
    from titanic_nn.tuning.results import trials_table

    trials = trials_table(study)
    best = trials[trials["state"] == "scored"].drop(columns=["state", "splits"]).head(SHOWN)
    table = table_of("trial", *map(str, best.columns[1:]))
    for row in best.itertuples(index=False):
        number, loss, *params = row
        texts = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in params]
        table.add_row(str(number), f"{loss:.4f}", *texts)
    stopped = (trials["state"] == "stopped").sum()
    table.caption = f"the best of {len(trials)}; {stopped} were stopped early as weak"
    return table


def _honest(rescored: "Rescored", folds: int) -> "Table":
    """The winner on fresh folds, beside the others."""
    table = table_of("settings", "searched", "fresh", "tuned is lower by", "95 % interval")
    table.title = f"Log loss on the search's folds, and on {FRESH_REPEATS} x {folds} fresh ones"
    for name, loss in rescored.fresh.items():
        row = [name, f"{rescored.searched[name]:.4f}", f"{loss:.4f}"]
        if name in rescored.differences:
            d = rescored.differences[name]
            row += [f"{d.mean:.4f}", f"{d.low:.4f} to {d.high:.4f}"]
        table.add_row(*row)
    table.caption = f"against shipped, the search's own folds flatter by {rescored.optimism:.4f}"
    return table


if __name__ == "__main__":
    main()
