"""Runs with a page to play with, made by the package itself, and a browser."""

from contextlib import chdir
from pathlib import Path

import pytest
from titanic_tables import bundled

from titanic_nn.competitions.registry import load_config
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.play.page import write_play
from titanic_nn.runs.folder import write_run

SETTINGS = """
models = ["linear", "relu", "deep"]
folds = 2
repeats = 1
n_seeds = 2
inner_folds = 2
device = "cpu"
[relu]
epochs = 10
hidden_size = 8
[deep]
epochs = 3
hidden_sizes = [8]
activation = "gelu"
normalization = "layer"
n_frequencies = 2
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the bundled table, with its page. Copy it before you change it."""
    home = tmp_path_factory.mktemp("home")
    (home / "settings.toml").write_text(SETTINGS)
    config = load_config(home / "settings.toml")
    with chdir(home):
        write_run(compare_models(bundled(), config=config), Path("runs/small"))
        write_play(Path("runs/small"))
    return home / "runs/small"
