"""A file that may be sent, and the run that it came from. Reads runs without loading torch."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from titanic_nn.errors import DataError, ConfigError

RUNS = Path("runs")
SUBMISSIONS = Path("submissions")


@dataclass(frozen=True)
class Run:
    """What a run's folder says about itself."""

    folder: Path
    recommended: str
    models: dict[str, Any]  # name: {"log_loss": {"mean": …}, "accuracy": {"mean": …}, …}
    commit: str | None
    source: str  # of its passengers: "bundled", "downloaded", …
    test_sha256: str | None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def submission(self, model: str) -> Path:
        """Where `train` wrote a model's submission."""
        return SUBMISSIONS / f"{self.name}-{model}.csv"


@dataclass(frozen=True)
class Candidate:
    """A file as it was read, once: what is checked is what is sent."""

    path: Path
    content: bytes
    run: Run | None  # None where nothing is known of the file
    model: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_bundled(self) -> bool:
        """Was it made from the bundled table? A file whose run is gone may still say so."""
        if self.run:
            return self.run.source == "bundled"
        return "-bundled-" in self.path.name

    def cv(self, metric: str) -> str:
        """The model's cross-validated mean of a metric; empty where it isn't known."""
        scores = self.run.models.get(self.model, {}) if self.run else {}
        mean = scores.get(metric, {}).get("mean")
        return "" if mean is None else f"{mean:.5f}"

    def message(self) -> str:
        """What Kaggle's list of submissions will show, if the user has nothing better to say."""
        if not self.run:
            return self.path.name
        scores = f"log loss {self.cv('log_loss')}, accuracy {self.cv('accuracy')}"
        commit = f", commit {self.run.commit[:12]}" if self.run.commit else ""
        return f"{self.model}: cross-validated {scores}{commit}"


def find_candidate(file: Path | None, run: str | None, model: str | None) -> Candidate:
    """The file that was named, or a run's submission: the newest run's, the recommended model's.

    Raises:
        SettingsError: there is no such run, or it has no such model.
        DataError: the file or the run's folder cannot be read.
    """
    if file is not None:
        content = _read(file)
        return Candidate(file, content, *_origin(file, content))
    found = read_run(find_run(run)) if run else newest_run()
    chosen = model or found.recommended
    path = found.submission(chosen)
    if not path.is_file():
        made = [name for name in found.models if found.submission(name).is_file()]
        raise ConfigError(
            f"the run {found.folder} has no submission {path}; "
            + (f"choose --model from {', '.join(made)}" if made else "train again, or name a file")
        )
    return Candidate(path, _read(path), found, chosen)


def newest_run() -> Run:
    """The run that was finished last.

    Raises:
        SettingsError: there is none.
    """
    finished = sorted(RUNS.glob("*/summary.json"), key=lambda path: path.stat().st_mtime_ns)
    if not finished:
        raise ConfigError(
            f"no run in {RUNS}/: make one with `python -m titanic_nn.train`, or name a file"
        )
    return read_run(finished[-1].parent)


def read_run(folder: Path) -> Run:
    """Read a run's summary.json and environment.json.

    Raises:
        DataError: they cannot be read.
    """
    summary, environment = (
        read_json(folder / f"{name}.json") for name in ("summary", "environment")
    )
    try:
        return Run(
            folder=folder,
            recommended=summary["recommended"],
            models=summary["models"],
            commit=environment.get("commit"),
            source=environment["data"]["source"],
            test_sha256=environment["data"].get("test_sha256"),
        )
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"{folder}: is no run's folder, or an older version's") from None


def saved_model(named: str) -> Path:
    """The folder of a saved model: `named` itself, or a run's recommended one.

    Raises:
        SettingsError: there is no such folder.
        DataError: it is neither a model's nor a run's.
    """
    folder = find_run(named)
    if (folder / "model.json").exists():
        return folder
    if not (folder / "summary.json").exists():
        raise DataError(f"{folder}: is neither a saved model (model.json) nor a run (summary.json)")
    return folder / "models" / read_run(folder).recommended


def find_run(named: str) -> Path:
    """The folder of a run, by its path or by its name in runs/.

    Raises:
        SettingsError: there is none.
    """
    for folder in (Path(named), RUNS / named):
        if folder.is_dir():
            return folder
    raise ConfigError(f"run {named}: no such folder, here or in {RUNS}/")


def _origin(file: Path, content: bytes) -> tuple[Run | None, str]:
    """The run and model that a file's name speaks of, <run>-<model>.csv, or that of its twin."""
    twins = (path for path in sorted(SUBMISSIONS.glob("*-*.csv")) if _read(path) == content)
    for path in (file, *twins):
        name, _, model = path.stem.rpartition("-")
        folder = RUNS / name
        if (elsewhere := RUNS / f"{name}.path").is_file():  # of a run with an --out of its own
            folder = Path(_read(elsewhere).decode().strip())
        if name and (folder / "summary.json").is_file():
            return read_run(folder), model
    return None, ""


def _read(path: Path) -> bytes:
    # Not schema.read_bytes, which would bring pandas: a file already sent is known without it.
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file: {error.strerror}") from None


def read_json(path: Path) -> Any:
    """A JSON file. Raises DataError if it cannot be read as one."""
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error})") from None
