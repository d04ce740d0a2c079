"""A small run on disk, made by the package itself."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from titanic_nn.cli import ablation, explain, importance, learning_curve, misclassified
from titanic_nn.competitions.registry import get_competition, load_tables
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.report.page import write_report
from titanic_nn.runs.folder import write_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two folds and two repeats, with its report. Copy it before you change it."""
    home = tmp_path_factory.mktemp("home")
    bundled = load_tables(get_competition("titanic").search[-1][1])
    result = compare_models(bundled, folds=2, repeats=2, n_seeds=1, models=["linear", "relu"])
    with chdir(home):
        write_run(result, Path("runs/small"))
        write_report(Path("runs/small"))
    return home / "runs/small"


@pytest.fixture(scope="session")
def asked(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run after every question that a command answers. Copy it before you change it."""
    run = Path(shutil.copytree(finished, tmp_path_factory.mktemp("asked") / "small"))
    quick = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--quiet"]
    learning_curve.main(
        [str(run), "--train-fractions", "0.1", "0.3", "0.6", "1", "--models", "relu", *quick]
    )
    ablation.main([str(run), *quick])  # of relu
    importance.main([str(run), "--models", "linear", *quick])
    misclassified.main([str(run)])
    explain.main([str(run), "--model", "linear"])
    explain.main([str(run), "--model", "linear", "--id", "892"])
    return run
