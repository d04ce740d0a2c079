"""A run's folder: what it was made of, and what it found."""

import json
import math
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from titanic_nn import __version__
from titanic_nn.errors import DataError, ConfigError
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.files import write_folder, write_text
from titanic_nn.runs.find import RUNS
from titanic_nn.tables.sources import Passengers, load_passengers
from titanic_nn.config import Config

if TYPE_CHECKING:
    from titanic_nn.evaluation.compare_models import ModelComparison

MODELS_FOLDER = "models"
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")


def choose_folder(out: Path | None, name: str) -> Path:
    """The folder for a new run: `out`, or `runs/<UTC time>-<name>`.

    Raises SettingsError if `out` holds something already, which a run would bury.
    """
    if out is None:
        now = datetime.now(UTC)
        return RUNS / f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{name}"
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"--out {out}: is there already; choose a new folder")
    return out


def write_run(result: "CrossValidation", folder: Path) -> None:
    """Write a run's folder, and lead `submit` to it."""
    write_folder(folder, _files(result))
    if folder.resolve().parent != RUNS.resolve():
        # Its submissions go by its name alone: this leads `submit` from the name to the run.
        write_text(RUNS / f"{folder.resolve().name}.path", f"{folder.resolve()}\n")


def write_answer(run: Path, files: Mapping[str, str]) -> None:
    """Write what was asked of a run beside its own files; an older answer makes way."""
    for name, text in files.items():
        write_text(run / name, text)


def made_of(config: Config, passengers: Passengers, device: str) -> dict[str, str]:
    """The two files that say what a folder's results were made of."""
    return {
        "settings.toml": config.to_toml(),
        "environment.json": to_json(environment(passengers, device)),
    }


def read_table(run: Path, name: str, words: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """A CSV file of a run's folder, which must have these columns of words and of numbers.

    Raises DataError, in one line: the file is not there, is no such table, or holds no number
    where one belongs.
    """
    path = run / name
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give a run's folder, as "
            "python -m titanic_nn.train writes it"
        ) from None
    except ValueError as error:  # all that pandas finds wrong is one
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: is not the CSV file that a run writes ({reason})") from None
    for column in (*words, *numbers):
        if column not in table:
            raise DataError(f"{path}: has no column {column}; make the run again")
    if table.empty:
        raise DataError(f"{path}: has a header but no rows below it; make the run again")
    for column in numbers:
        found = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = np.flatnonzero(~np.isfinite(found))
        if len(wrong):
            line, value = wrong[0] + 2, table[column].iloc[wrong[0]]  # line 1 is the header
            raise DataError(f"{path}, line {line}, column {column}: {value} is no finite number")
    return table


def _files(result: "CrossValidation") -> Iterator[tuple[str, str | bytes]]:
    from titanic_nn.estimators.persistence import model_files  # loads torch

    yield from made_of(result.config, result.passengers, result.device).items()
    yield "metrics.csv", to_csv(result.metrics)
    yield "summary.json", to_json(summary(result))
    yield "oof.csv", to_csv(result.oof)
    yield "test_predictions.csv", to_csv(result.test_predictions)
    yield "history.csv", to_csv(result.history)
    for model, fitted in result.models.items():
        # Each in a folder of its own, which titanic_nn.load reads.
        for name, content in model_files(fitted):
            yield f"{MODELS_FOLDER}/{model}/{name}", content


def read_passengers(run: Path, data: Path | None = None) -> Passengers:
    """The very tables that a run was made from, read again from where they lay, or from `data`.

    Raises:
        DataError: they are gone, or not what they were.
    """
    path = run / "environment.json"
    try:
        made_from = json.loads(path.read_text(encoding="utf-8"))["data"]
        location = data or Path(made_from["location"])
        hashes = made_from["train_sha256"], made_from["test_sha256"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: does not say what the run was made from") from None
    if not location.exists():
        raise DataError(f"{location}: the tables of {run} are gone; say where with --data")
    passengers = load_passengers(location)
    if (passengers.train_sha256, passengers.test_sha256) != hashes:
        raise DataError(
            f"{location}: the tables are not those of {run}; train again, or use --data"
        )
    return passengers


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV without its index, the same bytes on every system."""
    return table.to_csv(index=False, lineterminator="\n")


def summary(result: "CrossValidation") -> dict[str, Any]:
    """What a run found, in numbers: per model, compared, recommended; seconds per stage."""
    models = {}
    for model, row in result.summary.iterrows():
        scores = {
            metric: {
                "mean": row[metric],
                "sd": row[f"{metric}_sd"],
                "low": row[f"{metric}_low"],
                "high": row[f"{metric}_high"],
            }
            for metric in METRICS
        }
        models[str(model)] = {**scores, "calibration_error": row["calibration_error"]}
    return {
        "recommended": result.recommended,
        "models": models,
        "comparison": {
            "metric": "log_loss",
            "against": str(result.comparison.index[0]),
            "models": result.comparison.to_dict(orient="index"),
        },
        "calibration": result.calibration.to_dict(orient="index"),
        "seconds": result.seconds,
    }


def environment(passengers: Passengers, device: str) -> dict[str, Any]:
    """Where a run was made and from what, so that it can be made again."""
    import torch

    on_gpu = device.startswith("cuda")
    return {
        "titanic_nn": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "threads": torch.get_num_threads(),
        "data": {
            "source": passengers.source,
            "location": str(passengers.location),
            "train_rows": len(passengers.train),
            "test_rows": len(passengers.test),
            "train_sha256": passengers.train_sha256,
            "test_sha256": passengers.test_sha256,
        },
    }


def to_json(value: Mapping[str, Any]) -> str:
    """JSON that every reader takes: a number that is not finite becomes null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _commit() -> str | None:
    """The checkout's commit, "-dirty" after it if files were changed; None for a package."""
    home = Path(__file__).parents[1]
    if not (home / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(home), "describe", "--always", "--abbrev=40", "--dirty"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
