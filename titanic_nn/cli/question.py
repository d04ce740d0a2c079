"""What a command that asks something of passengers is given, and where its answer goes."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from titanic_nn.errors import ConfigError
from titanic_nn.files import write_folder
from titanic_nn.runs.find import find_run
from titanic_nn.tables.sources import Passengers, load_passengers
from titanic_nn.runs.folder import choose_folder, made_of, read_passengers, write_answer
from titanic_nn.config import Config
from titanic_nn.cli.console import training_config


@dataclass(frozen=True)
class Question:
    """A question to a run, or to tables with settings.

    Attributes:
        settings, passengers: the run's, or those that were chosen.
        folder: where the answer goes: the run's, or a new one.
        of_run: whether it is asked of a run.
    """

    config: Config
    passengers: Passengers
    folder: Path
    of_run: bool

    @classmethod
    def of(cls, args: argparse.Namespace, name: str) -> "Question":
        """What the options run, data, out and those of training ask; `name` is the question's.

        Raises SettingsError or DataError: there is no such run, its tables have changed, ...
        """
        run, config = _asked_of(args)
        passengers = read_passengers(run, args.data) if run else load_passengers(args.data)
        return cls(config, passengers, run or choose_folder(args.out, name), run is not None)

    def write(self, files: Mapping[str, str], device: str) -> None:
        """Write the answer's files: beside the run's, or with what they were made of."""
        if self.of_run:
            write_answer(self.folder, files)
        else:
            made = made_of(self.config, self.passengers, device)
            write_folder(self.folder, {**made, **files}.items())


def _asked_of(args: argparse.Namespace) -> tuple[Path | None, Config]:
    """The folder of the run that a question is about, if one was named, and the settings for it.

    Raises SettingsError: there is no such run, or an option is given that the run answers itself.
    """
    if args.run is None:
        return None, training_config(args, args.params)
    for option in ("params", "out"):
        if getattr(args, option) is not None:
            raise ConfigError(f"--{option}: {args.run} has its own; leave one of them out")
    folder = find_run(args.run)
    return folder, training_config(args, folder / "settings.toml")
