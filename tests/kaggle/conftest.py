"""A user's folder with Kaggle's tables and a run in it, and a server that plays Kaggle."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from kaggle_server import KaggleServer, environment
from kaggle_user import Tables, User, give_key, write_run, write_tables

from titanic_nn.tables.sources import SEARCH, load_passengers

ROOT = Path(__file__).parents[2]
# A call may be silent for half a second, and the first pause is so short that tests needn't wait.
BRISK = {"TITANIC_NN_SILENCE": "0.5", "TITANIC_NN_PAUSE": "0.01"}


@pytest.fixture(scope="session")
def tables() -> Tables:
    bundled = load_passengers(search=[place for place in SEARCH if place[0] == "bundled"])
    assert bundled.answers is not None
    answers = pd.read_csv(bundled.answers)
    train = bundled.train.assign(PassengerId=bundled.train["PassengerId"] + 10_000)
    test = bundled.test.assign(PassengerId=bundled.test["PassengerId"] + 10_000)
    rule = pd.DataFrame(
        {"PassengerId": test["PassengerId"], "Survived": (test["Sex"] == "female").astype(int)}
    )
    return Tables(
        train=train.to_csv(index=False).encode(),
        test=test.to_csv(index=False).encode(),
        answers=dict(zip(answers["PassengerId"] + 10_000, answers["Survived"], strict=True)),
        sex_rule=rule.to_csv(index=False).encode(),
    )


@pytest.fixture
def kaggle(tables: Tables) -> KaggleServer:
    return KaggleServer(tables.archive, tables.answers)


@pytest.fixture
def newcomer(
    kaggle: KaggleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[User]:
    """A user without credentials, data or runs. Afterwards, no other host may have been asked."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    for name in [*os.environ]:
        if name.upper().startswith(("KAGGLE_", "VERBOSE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with kaggle.serving() as port:
        for name, value in {**environment(port, home), **BRISK}.items():
            monkeypatch.setenv(name, value)
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        yield User(folder, variables, capfd)
    assert (kaggle.foreign, kaggle.mishaps) == ([], [])


@pytest.fixture
def user(newcomer: User, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a key, Kaggle's tables, and a run that recommends its "relu"."""
    give_key(newcomer, monkeypatch)
    write_tables(newcomer.folder / "data/kaggle", tables)
    write_run(newcomer.folder, "a-run", "downloaded", tables.test, tables.sex_rule)
    return newcomer
