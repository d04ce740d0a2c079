"""The options that several commands share."""

import argparse
from argparse import BooleanOptionalAction
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titanic_nn.cli.console import Parser
from titanic_nn.config import RIVALS, Config
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.registry import NETS

if TYPE_CHECKING:
    from titanic_nn.tables.sources import Tables


COMPETITION = f"as in its address, or a TOML file of your own table ({Config.competition})"


def add_data_options(parser: Parser) -> None:
    """Which competition, and where its tables are."""
    add = parser.add_argument
    add("--competition", metavar="NAME", help=COMPETITION)
    add("--data", type=Path, metavar="DIR", help="folder with train.csv and test.csv, or the zip")


def add_run_argument(parser: Parser, what: str = "a run's folder, or its name in runs/") -> None:
    """A run, given to every command in the same way."""
    parser.add_argument("run", nargs="?", metavar="RUN", help=f"{what}; the newest by default")


def add_model_arguments(parser: Parser) -> None:
    """A saved model: one of a run's, or its own folder."""
    add_run_argument(parser, "a run's folder, its name in runs/, or a saved model's folder")
    text = "one of the run's models; the recommended by default"
    parser.add_argument("--model", metavar="NAME", help=text)


def add_training_options(parser: Parser, **defaults: Any) -> None:
    """What every command that trains lets the user choose; `defaults` are the command's own."""
    add, default = parser.add_argument, Config(**defaults)
    models = f"some of {', '.join(NETS)} ({' '.join(default.models)})"
    seeds = f"nets per split whose probabilities are averaged ({default.n_seeds})"
    add("--models", nargs="+", metavar="NET", help=models)
    add("--folds", type=int, help=f"folds of the cross-validation ({default.folds})")
    add_group_folds_option(parser)
    add("--repeats", type=int, help=f"how often the folds are drawn ({default.repeats})")
    add("--seed", type=int, help=f"random seed ({default.seed})")
    add("--n-seeds", type=int, help=seeds)
    add("--device", help=f"auto, cpu or cuda ({default.device})")
    add("--config", type=Path, metavar="FILE", help="settings in TOML; it may leave anything out")
    add_yes_option(parser)
    add("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(**defaults)


def add_run_options(parser: Parser) -> None:
    """What a whole run lets the user choose: `run_config` reads it, but for --minutes."""
    add = parser.add_argument
    add_training_options(parser)
    inner = f"folds for calibration and ensemble weights, 0: none ({Config.inner_folds})"
    add("--inner-folds", type=int, help=inner)
    rivals = f"compare with {', '.join(RIVALS)}, or some of them: pip install 'titanic_nn[rivals]'"
    add("--rivals", nargs="*", metavar="NAME", help=rivals)
    mixed = "a further ensemble, of nets and rivals; it is not saved as a model"
    add("--ensemble-rivals", action="store_true", default=None, help=mixed)
    minutes = "choose repeats and n_seeds so that the run takes about so long"
    add("--minutes", type=float, metavar="N", help=minutes)


def add_group_folds_option(parser: Parser) -> None:
    """For every command that draws folds."""
    text = "keep the rows of a group in one fold; by default as the competition says"
    parser.add_argument("--group-folds", action=BooleanOptionalAction, help=text)


def add_yes_option(parser: Parser) -> None:
    """For every command that trains: to try what `check_size` refuses."""
    text = "try a training that takes more than a day, or more memory than there is"
    parser.add_argument("--yes", action="store_true", help=text)


def check_size(
    args: argparse.Namespace,
    tables: "Tables",
    config: Config,
    *,
    inner: bool = False,
    trials: Sequence[tuple[str, NetConfig, int]] | None = None,
) -> None:
    """Raise ConfigError before a training that would take too long, or too much memory.

    It is estimated from below; with `--yes` it is tried all the same.

    Args:
        args: the command's.
        tables, config: what is trained on what.
        inner: whether nets are trained on inner folds and on all rows too, as a run's are.
        trials: of nets, their settings, and how many of them are trained together; by default one
            of each of the models of `config`.
    """
    from titanic_nn.competitions.registry import get_competition
    from titanic_nn.engine.cost import refuse_too_large, training_cost

    if args.yes:
        return
    tables.check_folds(config.folds)
    splits = config.folds * config.repeats
    if inner:
        splits = (splits + 1) * (1 + min(config.inner_folds, len(tables.train)))
    trials = trials or [(model, config.nets[model], 1) for model in config.models]
    costs = [
        training_cost(
            name,
            net,
            splits=splits,
            n_seeds=config.n_seeds * together,
            rows=len(tables.train) - len(tables.train) // config.folds,
            # Encoded columns are counted after encoding; here one for each feature.
            features=len(get_competition(config.competition).features.features),
            classes=len(tables.schema.labels),
        )
        for name, net, together in trials
    ]
    refuse_too_large(*costs, hint=", or add --yes to try")


def folds_in_words(config: Config) -> str:
    """What cross-validation does, as commands print it first."""
    groups = " of whole groups" if config.group_folds else ""
    repeats = "repeat" if config.repeats == 1 else "repeats"
    return f"{config.folds} folds{groups} x {config.repeats} {repeats}"


def run_config(args: argparse.Namespace) -> Config:
    """The settings of a whole run; ConfigError where they are wrong."""
    rivals = args.rivals and [name for names in args.rivals for name in names.split(",")]
    return training_config(
        args,
        args.config,
        inner_folds=args.inner_folds,
        rivals=RIVALS if rivals == [] else rivals,  # the option alone: all of them
        ensemble_rivals=args.ensemble_rivals,
    )


def training_config(args: argparse.Namespace, path: Path | None, **more: Any) -> Config:
    """The settings in the file, under what the user chose; ConfigError where they are wrong."""
    from titanic_nn.competitions.registry import load_config

    models = args.models and [name for names in args.models for name in names.split(",")]
    names = ("competition", "folds", "group_folds", "repeats", "seed", "n_seeds", "device")
    chosen = {"models": models, **{name: getattr(args, name) for name in names}, **more}
    for name, value in chosen.items():
        try:  # each by itself, so that an error names the option, not the file
            load_config(**{name: value})
        except ConfigError as error:
            if name == "competition" and str(error).startswith(f"{value}: "):
                raise  # it names the file
            reason = str(error).removeprefix("settings: ").removeprefix(name)
            raise ConfigError(f"--{name.replace('_', '-')}{reason}") from None
    return load_config(path, **chosen)
