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
    add("--repeats", type=int, help=f"how often the folds are drawn ({default.repeats})")
    add("--seed", type=int, help=f"random seed ({default.seed})")
    add("--n-seeds", type=int, help=seeds)
    add("--device", help=f"auto, cpu or cuda ({default.device})")
    add("--config", type=Path, metavar="FILE", help="settings in TOML; it may leave anything out")
    add("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(**defaults)


def training_config(args: argparse.Namespace, path: Path | None, **more: Any) -> Config:
    """The settings in the file, under what the user chose; ConfigError where they are wrong."""
    from titanic_nn.competitions.registry import load_config

    models = args.models and [name for names in args.models for name in names.split(",")]
    names = ("competition", "folds", "repeats", "seed", "n_seeds", "device")
    return load_config(path, models=models, **{n: getattr(args, n) for n in names}, **more)
