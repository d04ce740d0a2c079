"""Submission files, each with a manifest beside it that states what it was made from.

`submissions/<run>-<model>.csv` is what Kaggle scores; its manifest is the `.json` of the same name.
A manifest describes contents, by their SHA-256: a copy is known by it, a changed file is not.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from titanic_nn.errors import DataError
from titanic_nn.files import locked, read_bytes, write_bytes
from titanic_nn.runs.find import Run, find_run, read_run

SUBMISSIONS = Path("submissions")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a submission was made from."""

    run: str  # absolute path of the run's folder
    model: str
    sha256: str  # of the submission's bytes, 64 hex digits
    competition: str | dict[str, Any]  # slug or, of an own table, its description
    scores: Mapping[str, float | None]  # metric: the model's cross-validated mean
    source: str  # of the run's tables: "bundled", "downloaded", ...
    train_sha256: str  # of the tables' bytes
    test_sha256: str
    commit: str | None  # of the checkout that made the run


@dataclass(frozen=True)
class SubmissionFile:
    """A file as it was read, once: what is checked is what is sent."""

    path: Path
    content: bytes
    manifest: Manifest | None  # None where nothing is known of the contents
    changed: bool = False  # the manifest beside it describes other contents

    @property
    def sha256(self) -> str:
        """Of the bytes, 64 hex digits."""
        return hashlib.sha256(self.content).hexdigest()

    def score(self, metric: str) -> str:
        """The model's cross-validated mean of a metric; empty where it isn't known."""
        mean = self.manifest.scores.get(metric) if self.manifest else None
        return "" if mean is None else f"{mean:.5f}"

    def message(self) -> str:
        """The default description of the submission at Kaggle."""
        if not self.manifest:
            return self.path.name
        scores = f"log loss {self.score('log_loss')}, accuracy {self.score('accuracy')}"
        commit = f", commit {self.manifest.commit[:12]}" if self.manifest.commit else ""
        return f"{self.manifest.model}: cross-validated {scores}{commit}"


def write_submissions(folder: Path) -> dict[str, Path]:
    """Write a finished run's submissions; those that are there already are left as they are.

    Nothing is overwritten: where a name is taken by something else, all of the run's files get a
    number, `<run>-2-<model>.csv`. Returns the submission of each of the run's predictors, those
    that are not saved too; raises
    DataError if the run's files cannot be read, WriteError if the submissions cannot be written.
    """
    run = read_run(folder)
    contents = _contents(run)
    with locked(SUBMISSIONS / ".names.lock"):  # two runs must not choose one name
        for number in count(1):
            stem = run.name if number == 1 else f"{run.name}-{number}"
            paths = {model: SUBMISSIONS / f"{stem}-{model}.csv" for model in contents}
            # The manifests first: no submission is without one at any time.
            files = {
                path.with_suffix(".json"): _manifest(run, model, contents[model])
                for model, path in paths.items()
            } | {path: contents[model] for model, path in paths.items()}
            if all(not os.path.lexists(p) or _holds(p, files[p]) for p in files):
                break
        for path, content in files.items():
            if not path.exists():
                write_bytes(path, content)
    return paths


def find_submission(named: str | None, model: str | None) -> SubmissionFile:
    """The submission of a run's `model`, or its recommended one; written if it is missing.

    `named` is the run, as in `find_run`. Raises ConfigError if there is no such run or model,
    DataError if the run's files cannot be read.
    """
    run = read_run(find_run(named))
    chosen = run.choose(model)
    return read_submission(write_submissions(run.folder)[chosen])


def read_submission(path: Path) -> SubmissionFile:
    """Any file, with the manifest that describes its contents if there is one in submissions/.

    Raises DataError if it cannot be read.
    """
    content = read_bytes(path)
    beside = _read_manifest(path.with_suffix(".json"))
    known = [beside, *map(_read_manifest, sorted(SUBMISSIONS.glob("*.json")))]
    digest = hashlib.sha256(content).hexdigest()
    manifest = next((one for one in known if one and one.sha256 == digest), None)
    return SubmissionFile(path, content, manifest, beside is not None and beside.sha256 != digest)


def _contents(run: Run) -> dict[str, bytes]:
    """Each predictor's submission: every test row's likeliest class, or its probabilities."""
    import numpy as np

    from titanic_nn.competitions.registry import get_competition  # loads pandas
    from titanic_nn.evaluation.predictions import column_names, most_probable

    schema = get_competition(run.competition).schema
    path = run.folder / "test_predictions.csv"
    contents = {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        for model in (*run.predictors, *run.unsaved):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow([schema.id.name, *schema.submission_columns])
            columns = column_names(model, schema.labels)
            texts = [row[column] for row in rows for column in columns]
            p = np.array([*map(float, texts)]).reshape(-1, len(columns))
            outside = p[~((p >= 0) & (p <= 1))]
            if len(outside):
                raise ValueError(f"{outside[0]} is no probability")
            if schema.submission == "probabilities":
                cells = p.tolist()
            else:
                codes = most_probable(p[:, 0] if len(columns) == 1 else p)
                cells = [[schema.labels[code]] for code in codes]
            writer.writerows(
                [row[schema.id.name], *of] for row, of in zip(rows, cells, strict=True)
            )
            contents[model] = text.getvalue().encode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: is not the table that a run writes ({error})") from None
    return contents


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:  # a folder, a dangling link, …
        return False


def _manifest(run: Run, model: str, content: bytes) -> bytes:
    manifest = Manifest(
        run=str(run.folder.resolve()),
        model=model,
        sha256=hashlib.sha256(content).hexdigest(),
        competition=run.competition,
        scores={m: s["mean"] for m, s in run.models[model].items() if isinstance(s, Mapping)},
        source=run.source,
        train_sha256=run.train_sha256,
        test_sha256=run.test_sha256,
        commit=run.commit,
    )
    return f"{json.dumps(asdict(manifest), indent=2)}\n".encode()


def _read_manifest(path: Path) -> Manifest | None:
    try:
        return TypeAdapter(Manifest).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
