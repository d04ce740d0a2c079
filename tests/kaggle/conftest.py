"""A user's folder with Kaggle's tables and a run in it, and a server that plays Kaggle."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from kaggle_server import KaggleServer, environment
from kaggle_user import KaggleTables, User, give_key, write_run, write_tables

from titanic_nn.competitions.titanic.competition import TITANIC

ROOT = Path(__file__).parents[2]
# Short enough that the tests need not wait.
SHORT = {"TITANIC_NN_CALL_TIMEOUT": "0.5", "TITANIC_NN_PAUSE": "0.01"}


@pytest.fixture(scope="session")
def tables() -> KaggleTables:
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


@pytest.fixture
def kaggle(tables: KaggleTables) -> KaggleServer:
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
        for name, value in {**environment(port, home), **SHORT}.items():
            monkeypatch.setenv(name, value)
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        yield User(folder, variables, capfd)
    assert (kaggle.foreign, kaggle.mishaps) == ([], [])


@pytest.fixture
def user(newcomer: User, tables: KaggleTables, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a key, Kaggle's tables, and a run that recommends its "relu"."""
    give_key(newcomer, monkeypatch)
    write_tables(newcomer.folder / "data/kaggle/titanic", tables)
    write_run(newcomer.folder / "runs", "a-run", "downloaded", tables.test, tables.sex_rule)
    return newcomer
