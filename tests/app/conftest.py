"""A run of Titanic's bundled table, and of tables of other kinds."""

from contextlib import chdir
from pathlib import Path

import pytest

from titanic_nn.cli.train import main as train
from titanic_nn.competitions.registry import get_competition

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--inner-folds", "2", "--quiet"]
BUNDLED = get_competition("titanic").search[-1][1]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose place no answer of the app may show. Copy it before you change it."""
    home = tmp_path_factory.mktemp("home_of_the_user")
    with chdir(home):
        train([*QUICK, "--models", "linear", "relu", "--data", str(BUNDLED), "--out", "runs/mine"])
    return home / "runs/mine"
