"""A small run on disk, made by the package itself."""

from contextlib import chdir
from pathlib import Path

import pytest

from titanic_nn.evaluation.crossval import cross_validate
from titanic_nn.passengers.sources import SEARCH, load_passengers
from titanic_nn.reporting import write_report
from titanic_nn.runs import write_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds, twice, and its report. Copy it before you change it."""
    home = tmp_path_factory.mktemp("home")
    passengers = load_passengers(search=SEARCH[3:])
    result = cross_validate(passengers, folds=2, repeats=2, seeds=1, models=["linear", "relu"])
    with chdir(home):
        write_run(result, Path("runs/small"))
        write_report(Path("runs/small"))
    return home / "runs/small"
