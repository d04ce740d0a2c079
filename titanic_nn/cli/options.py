"""The options that several commands share."""

import argparse
from pathlib import Path
from typing import Any

from titanic_nn.cli.console import Parser
from titanic_nn.config import Config
from titanic_nn.nets.registry import NETS


def add_data_options(parser: Parser) -> None:
    """Which competition, and where its tables are."""
    add = parser.add_argument
    add("--competition", metavar="SLUG", help=f"as in its address ({Config.competition})")
    add("--data", type=Path, metavar="DIR", help="folder with train.csv and test.csv, or the zip")


def add_run_argument(parser: Parser) -> None:
    """A run, given to every command in the same way."""
    text = "a run's folder, or its name in runs/; the newest by default"
    parser.add_argument("run", nargs="?", metavar="RUN", help=text)


def add_training_options(parser: Parser, **defaults: Any) -> None:
    """What every command that trains lets the user choose; `defaults` are the command's own."""
    add = parser.add_argument

    def default(name: str) -> Any:
        value = defaults.get(name, getattr(Config, name))
        return " ".join(value) if isinstance(value, list | tuple) else value

    add(
        "--models",
        nargs="+",
        metavar="NET",
        help=f"some of {', '.join(NETS)} ({default('models')})",
    )
    add("--folds", type=int, help=f"folds of the cross-validation ({default('folds')})")
    add("--repeats", type=int, help=f"how often the folds are drawn ({default('repeats')})")
    add("--seed", type=int, help=f"random seed ({default('seed')})")
    add(
        "--n-seeds",
        type=int,
        help=f"nets per split whose probabilities are averaged ({default('n_seeds')})",
    )
    add("--device", help=f"auto, cpu or cuda ({default('device')})")
    add("--config", type=Path, metavar="FILE", help="settings in TOML; it may leave anything out")
    add("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(**defaults)


def training_config(args: argparse.Namespace, path: Path | None, **more: Any) -> Config:
    """The settings in the file, under what the user chose; ConfigError where they are wrong."""
    from titanic_nn.competitions.registry import load_config

    models = args.models and [name for names in args.models for name in names.split(",")]
    names = ("competition", "folds", "repeats", "seed", "n_seeds", "device")
    return load_config(path, models=models, **{n: getattr(args, n) for n in names}, **more)
