"""Runs: found by path or by name, and read. Imports neither torch nor pandas."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from titanic_nn.errors import ConfigError, DataError, did_you_mean
from titanic_nn.files import HIDDEN, read_bytes

RUNS = Path("runs")
MODELS_FOLDER = "models"
PLAY_PAGE = "play.html"


@dataclass(frozen=True)
class Run:
    """A finished run, as its summary.json and environment.json describe it."""

    folder: Path
    competition: Any  # slug or, of an own table, its description
    recommended: str
    predictors: tuple[str, ...]  # the nets and their ensemble: saved, each with a submission
    unsaved: tuple[str, ...]  # each has a submission too, but is not saved as a model
    models: dict[str, Any]  # name, baselines too: {"log_loss": {"mean": …}, "accuracy": …}
    source: str  # of the tables: "bundled", "downloaded", ...
    location: Path  # where they were read
    train_sha256: str  # of the tables' bytes
    test_sha256: str
    commit: str | None

    @property
    def name(self) -> str:
        """The last part of the folder's path."""
        return self.folder.resolve().name

    def choose(self, model: str | None) -> str:
        """`model`, or the recommended one. Raises ConfigError if the run has no such predictor."""
        known = (*self.predictors, *self.unsaved)
        if model is not None and model not in known:
            raise ConfigError(
                f"--model {model}: {self.folder} has no such model; "
                f"choose from {', '.join(known)}{did_you_mean(model, known)}"
            )
        return model or self.recommended


def find_run(named: str | None) -> Path:
    """The folder of a run, by its path or by its name in runs/; None: the one finished last.

    A folder whose name starts with a dot is never a run: a run is written into one, and gets its
    name when it is complete. Raises ConfigError if there is none.
    """
    if named is None:
        finished = [p for p in RUNS.glob("*/summary.json") if not p.parent.name.startswith(".")]
        if not finished:
            raise ConfigError(f"no run in {RUNS}/: make one with `python -m titanic_nn.train`")
        return max(finished, key=lambda path: path.stat().st_mtime_ns).parent
    for folder in (Path(named), RUNS / named):
        if folder.is_dir():
            path = folder.resolve()
            if path.name.startswith(".") or any(p.startswith(HIDDEN) for p in path.parts):
                raise ConfigError(f"run {named}: is hidden, so it was not finished; train again")
            return folder
    raise ConfigError(f"run {named}: no such folder, here or in {RUNS}/")


def read_run(folder: Path) -> Run:
    """Read a run's summary.json and environment.json. Raises DataError if they cannot be read."""
    summary = read_json(folder / "summary.json")
    environment = read_json(folder / "environment.json")
    try:
        tables = environment["data"]
        unsaved = tuple(summary["unsaved"]) if "unsaved" in summary else ()  # older runs have none
        for name in (summary["recommended"], *summary["predictors"], *unsaved):
            if not re.fullmatch(r"\w[\w.-]*", name):  # files and folders have these names
                raise DataError(f"{folder / 'summary.json'}: {name!r} is no model's name")
        return Run(
            folder=folder,
            recommended=summary["recommended"],
            predictors=tuple(summary["predictors"]),
            unsaved=unsaved,
            models=summary["models"],
            location=Path(tables["location"]),
            commit=environment["commit"],
            **{n: tables[n] for n in ("competition", "source", "train_sha256", "test_sha256")},
        )
    except (KeyError, TypeError):
        raise DataError(f"{folder}: is no run's folder, or an older version's") from None


def saved_model(named: str | None, model: str | None = None) -> Path:
    """The folder of a saved model: `model`, or the recommended one, of the run `named`.

    `named` is as in `find_run`, or the folder of a saved model itself.

    Raises:
        ConfigError: there is no such folder, or the run has no such model.
        DataError: the folder is neither a saved model's nor a run's.
    """
    folder = find_run(named)
    if (folder / "model.json").exists():
        if model is not None:
            raise ConfigError(f"--model {model}: {folder} is a single model; leave --model out")
        return folder
    if not (folder / "summary.json").exists():
        raise DataError(f"{folder}: is neither a saved model (model.json) nor a run (summary.json)")
    run = read_run(folder)
    chosen = run.choose(model)
    if chosen in run.unsaved:
        raise ConfigError(
            f"--model {chosen}: {folder} has its predictions and submission only, since models of "
            f"other libraries are not saved; choose from {', '.join(run.predictors)}"
        )
    return folder / MODELS_FOLDER / chosen


def read_json(path: Path) -> Any:
    """A JSON file. Raises DataError if it cannot be read as one."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error})") from None
