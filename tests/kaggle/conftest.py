"""A user's folder with Kaggle's tables and a run in it, and a server that plays Kaggle."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kaggle_server import KaggleServer, environment
from kaggle_user import KaggleTables, User, give_key, kaggle_tables, write_run, write_tables

ROOT = Path(__file__).parents[2]
# Short enough that the tests need not wait.
SHORT = {"TITANIC_NN_CALL_TIMEOUT": "0.5", "TITANIC_NN_PAUSE": "0.01"}


@pytest.fixture(scope="session")
def tables() -> KaggleTables:
    return kaggle_tables()


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
