"""A run's folder: the settings and tables that it was made from, and its results."""

import csv
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from titanic_nn.analysis.net_summary import hidden_units, summary_of
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.escape import neutralized, restored
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.files import write_bytes, write_folder, writing
from titanic_nn.runs.find import MODELS_FOLDER, RUNS, read_run
from titanic_nn.tables.sources import Tables
from titanic_nn.version import __version__

if TYPE_CHECKING:
    from titanic_nn.evaluation.compare_models import ModelComparison

# Tables whose ids must be exactly those of the data; the others are for people too.
EXACT = ("oof.csv", "test_predictions.csv")
MAY_BE_EMPTY = ("misclassified.csv", "misclassified_reasons.csv")  # where there is no such row
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")


def choose_folder(out: Path | None, name: str) -> Path:
    """The folder for a new run: `out`, or `runs/<UTC time>-<name>`.

    Raises ConfigError if `out` exists and is not an empty folder that can be replaced, or if its
    name starts with a dot, by which an unfinished run is known.
    """
    if out is None:
        now = datetime.now(UTC)
        return RUNS / f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{name}"
    with writing(out):
        if os.path.lexists(out) and not _is_free(out):
            raise ConfigError(f"--out {out}: is there already; choose a new folder")
    if out.name.startswith("."):
        raise ConfigError(f"--out {out}: a run's name must not start with a dot")
    return out


def _is_free(folder: Path) -> bool:
    """Whether a folder is empty, and can be replaced: no link, no disk, and nobody's place."""
    if folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()):
        return False
    return not os.path.ismount(folder) and not Path.cwd().is_relative_to(folder.resolve())


def write_run(result: "ModelComparison", folder: Path) -> None:
    """Write a run's folder, which appears under its name when it is complete."""
    write_folder(folder, run_files(result))


def write_answer(run: Path, files: Mapping[str, str | bytes]) -> None:
    """Write an analysis of a run beside the run's own files; it replaces an older one."""
    for name, content in files.items():
        write_bytes(run / name, content.encode() if isinstance(content, str) else content)


def made_of(
    config: Config, tables: Tables, device: str, libraries: Sequence[str] = LIBRARIES
) -> dict[str, str]:
    """The two files that state what a folder's results were made from, to repeat them."""
    import torch

    environment = {
        "titanic_nn": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "threads": torch.get_num_threads(),
        "data": {
            "competition": config.competition,
            "source": tables.source,
            "location": str(tables.location.absolute()),
            "train_rows": len(tables.train),
            "test_rows": len(tables.test),
            "train_sha256": tables.train_sha256,
            "test_sha256": tables.test_sha256,
        },
    }
    return {"settings.toml": config.to_toml(), "environment.json": to_json(environment)}


def read_table(
    run: Path,
    name: str,
    text_columns: Sequence[str],
    number_columns: Sequence[str],
    bounds: Sequence[str] = (),
) -> pd.DataFrame:
    """A CSV file of a run's folder, which must have these columns.

    `bounds` are those of intervals: a cell is empty where its interval is unknown. Raises DataError
    if the file cannot be read, lacks a column or rows, or has a number that is not finite.
    """
    path = run / name
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text_columns, str))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give a run's folder, as "
            "python -m titanic_nn.train writes it"
        ) from None
    except ValueError as error:  # every parsing error of pandas is one
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: is not the CSV file that a run writes ({reason})") from None
    table = table if name in EXACT else restored(table)
    for column in (*text_columns, *number_columns, *bounds):
        if column not in table:
            raise DataError(f"{path}: has no column {column}; make the run again")
    if table.empty and name not in MAY_BE_EMPTY:
        raise DataError(f"{path}: has a header but no rows below it; make the run again")
    for column in (*number_columns, *bounds):
        known = np.isfinite(pd.to_numeric(table[column], errors="coerce"))
        wrong = np.flatnonzero(~known & ~(table[column].isna() & (column in bounds)))
        if len(wrong):
            line, value = wrong[0] + 2, table[column].iloc[wrong[0]]  # line 1 is the header
            raise DataError(f"{path}, line {line}, column {column}: {value} is no finite number")
    return table


def run_files(result: "ModelComparison") -> Iterator[tuple[str, str | bytes]]:
    """A run's files, by their paths in its folder."""
    from titanic_nn.estimators.persistence import model_files  # loads torch

    libraries = (*LIBRARIES, *result.config.rivals)
    yield from made_of(result.config, result.tables, result.device, libraries).items()
    yield "metrics.csv", to_csv(result.metrics)
    yield "summary.json", to_json(summary(result))
    yield "oof.csv", to_exact_csv(result.oof)
    yield "test_predictions.csv", to_exact_csv(result.test_predictions)
    yield "history.csv", to_csv(result.history)
    if relu := result.models.get("relu"):
        yield "hidden_units.csv", to_csv(hidden_units(summary_of("relu", relu)))
    transformers: dict[Any, str] = {}
    for model, fitted in result.models.items():  # each in a folder that titanic_nn.load reads
        for name, content in model_files(fitted, transformers):
            yield f"{MODELS_FOLDER}/{model}/{name}", content


def read_tables(run: Path, data: Path | None = None) -> Tables:
    """The tables that a run was made from, read from where they were, or from `data`.

    Raises ConfigError if the run's competition is not registered, DataError if the tables are gone
    or have changed.
    """
    made_from = read_run(run)
    location = data or made_from.location
    if not location.exists():
        raise DataError(f"{location}: the tables of {run} are gone; say where with --data")
    tables = get_competition(made_from.competition).load(location)
    hashes = tables.train_sha256, tables.test_sha256
    if hashes != (made_from.train_sha256, made_from.test_sha256):
        changed = f"{location}: the tables are not those of {run}; train again, or use --data"
        raise DataError(changed)
    return tables


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV, without its index and without formulas, the same bytes on every system."""
    return to_exact_csv(neutralized(table))


def to_exact_csv(table: pd.DataFrame, *, header: bool = True) -> str:
    """A table for programs as CSV: text as it is, formulas too."""
    text = table.to_csv(index=False, header=header, lineterminator="\n")
    if "\r" in text:  # readers take it for the end of a line, unless the cell is quoted
        return table.to_csv(
            index=False, header=header, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
        )
    return text


def summary(result: "ModelComparison") -> dict[str, Any]:
    """A run's results: scores per model, their comparison, calibration, seconds per stage."""
    models = {}
    for model, row in result.summary.iterrows():
        scores: dict[str, Any] = {
            metric: {"mean": row[metric]} | {k: row[f"{metric}_{k}"] for k in ("sd", "low", "high")}
            for metric in METRICS
        }
        models[str(model)] = scores | {"calibration_error": row["calibration_error"]}
    return {
        "recommended": result.recommended,
        "predictors": list(result.config.predictors),
        "unsaved": list(result.config.unsaved),
        "models": models,
        "comparison": {
            "metric": "log_loss",
            "against": str(result.comparison.index[0]),
            "models": result.comparison.to_dict(orient="index"),
        },
        "calibration": result.calibration.to_dict(orient="index"),
        "rivals": result.rivals.to_dict(orient="index"),
        "rival_weights": result.rival_weights,
        "seconds": result.seconds,
    }


def to_json(value: Mapping[str, Any]) -> str:
    """Standard JSON: a number that is not finite becomes null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _commit() -> str | None:
    """The checkout's commit, "-dirty" after it if files were changed; None without a checkout."""
    home = Path(__file__).parents[2]
    if not (home / ".git").exists():
        return None
    command = ["git", "-C", str(home), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
