"""A user of `download` and `submit`, against the server of kaggle_server.py."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from kaggle_server import KEY, SECRETS, USERNAME, spellings
from packaging.version import Version

from titanic_nn.cli import download, kernel, submit
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.kaggle.once import TIME_FORMAT, VISIBLE_AFTER
from titanic_nn.runs.submissions import write_submissions

# The limits of submissions.
asks_for_limits = pytest.mark.skipif(
    Version(version("kaggle")) < Version("2.2.4"),
    reason="this version of the kaggle package cannot ask for them",
)
LONG = 2 * VISIBLE_AFTER  # seconds, after which nothing that was cut off can still arrive
COMMANDS = {"download": download.main, "kernel": kernel.main, "submit": submit.main}


@dataclass(frozen=True)
class KaggleTables:
    """Tables like Kaggle's: the bundled ones, with passengers renumbered."""

    train: bytes
    test: bytes
    answers: dict[str, str]
    sex_rule: bytes  # a submission

    @property
    def archive(self) -> bytes:
        return zipped({"train.csv": self.train, "test.csv": self.test})


@cache
def kaggle_tables() -> KaggleTables:
    places = [place for place in TITANIC.search if place[0] == "bundled"]
    bundled = replace(TITANIC, search=places).load()
    assert bundled.answers is not None
    answers = pd.read_csv(bundled.answers)
    train = bundled.train.assign(PassengerId=bundled.train["PassengerId"] + 10_000)
    test = bundled.test.assign(PassengerId=bundled.test["PassengerId"] + 10_000)
    rule = pd.DataFrame(
        {"PassengerId": test["PassengerId"], "Survived": (test["Sex"] == "female").astype(int)}
    )
    return KaggleTables(
        train=train.to_csv(index=False).encode(),
        test=test.to_csv(index=False).encode(),
        answers={str(id + 10_000): str(label) for id, label in answers.to_numpy()},
        sex_rule=rule.to_csv(index=False).encode(),
    )


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class User:
    """A folder, an environment, and commands that run in them."""

    folder: Path
    environment: dict[str, str]
    capture: pytest.CaptureFixture[str]

    def call(self, command: str, *arguments: str) -> Done:
        """Run a command in this process, which is quick."""
        self.capture.readouterr()
        code = 0
        try:
            COMMANDS[command](list(arguments))
        except SystemExit as left:
            code = int(left.code or 0)
        return Done(code, *self.capture.readouterr())

    def start(self, command: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command as a user would, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "titanic_nn", command, *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments: str, **variables: str) -> Done:
        with self.start(command, *arguments, **variables) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    @property
    def submission(self) -> Path:
        return Path("submissions/a-run-relu.csv")

    def ledger(self) -> "list[dict[str, str]]":
        """As a notebook reads it."""
        return read_ledger(self.folder)

    def let_pass(self, seconds: float) -> None:
        """Set the ledger's times as if so long had passed since."""
        let_pass(self.folder, seconds)


LEDGER = "submissions/ledger.csv"


def read_ledger(folder: Path, name: str = LEDGER) -> "list[dict[str, str]]":
    """A ledger of a user's folder, as a notebook reads it."""
    path = folder / name
    if not path.exists():
        return []
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy()]


def let_pass(folder: Path, seconds: float, name: str = LEDGER) -> None:
    """Set the times in a folder's ledger as if so long had passed since."""
    path = folder / name
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    earlier = pd.to_datetime(table["time"]) - pd.Timedelta(seconds=seconds)
    table.assign(time=earlier.dt.strftime(TIME_FORMAT)).to_csv(path, index=False)


def give_key(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}.items():
        user.environment[name] = value
        monkeypatch.setenv(name, value)


def write_tables(folder: Path, tables: KaggleTables) -> None:
    folder.mkdir(parents=True)
    (folder / "train.csv").write_bytes(tables.train)
    (folder / "test.csv").write_bytes(tables.test)


def write_run(
    parent: Path,
    name: str,
    source: str,
    test: bytes,
    submission: bytes,
    *,
    competition: str = "titanic",
) -> Path:
    """Write a run, and its submissions."""
    run = write_run_only(parent, name, source, test, submission, competition=competition)
    write_submissions(run)
    return run


def write_run_only(
    parent: Path,
    name: str,
    source: str,
    test: bytes,
    submission: bytes,
    *,
    competition: str = "titanic",
    models: Sequence[str] = ("relu", "linear"),
) -> Path:
    """Write a run whose first, recommended model predicts `submission`.

    The other models predict the opposite. What `submit` reads is written, and no more; that `train`
    writes the same is shown in test_loop.py.
    """
    run = parent / name
    run.mkdir(parents=True)
    scores = {"log_loss": {"mean": 0.41234}, "accuracy": {"mean": 0.83}, "calibration_error": 0.1}
    summary = {
        "recommended": models[0],
        "predictors": models,
        "models": dict.fromkeys([*models, "a_baseline"], scores),
    }
    data = {
        "competition": competition,
        "source": source,
        "location": "data",
        "train_sha256": "0" * 64,
        "test_sha256": hashlib.sha256(test).hexdigest(),
    }
    environment = {"commit": "c0ffee" * 6, "data": data}
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "environment.json").write_text(json.dumps(environment))
    (id, _), *rows = csv.reader(io.StringIO(submission.decode()))
    lines = [f"{id},a_baseline,{','.join(models)}"]
    for row, label in rows:
        likely = 0.9 if label in ("1", "croaks") else 0.25
        others = "".join(f",{1 - likely}" for _ in models[1:])
        lines.append(f"{row},0.5,{likely}{others}")
    (run / "test_predictions.csv").write_text("\n".join(lines) + "\n")
    return run


def leaks(*texts: str, besides: Sequence[str] = ()) -> list[str]:
    """The secrets that are in any of the texts, in any spelling, in upper or lower case."""
    read = {"".join(unquote(text).split()).casefold() for text in texts}
    read |= {"".join(text.split()).casefold() for text in texts}
    return [
        f"{secret} ({name})"
        for secret in (*SECRETS, *besides)
        for name, spelling in spellings(secret).items()
        if any("".join(spelling.split()).rstrip("=").casefold() in text for text in read)
    ]


def files_in(folder: Path) -> list[str]:
    """The contents of all files in a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path.read_text(errors="replace") for path in paths]


def no_secret_in(user: User, *said: str, besides: Sequence[str] = ()) -> None:
    """Assert that no secret was printed, or written anywhere in the user's folder."""
    assert leaks(*said, *files_in(user.folder), besides=besides) == []
