"""What a study writes: settings with which `train` trains the very nets that were the best."""

from dataclasses import replace
from pathlib import Path

import pytest
from studies import make_experiment

from titanic_nn.config import Config
from titanic_nn.errors import StudyError
from titanic_nn.nets.config import LinearConfig
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.results import best_toml, rescore
from titanic_nn.tuning.search import Schedule, no_pruning, search
from titanic_nn.tuning.spaces import load_space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy


def test_shipped_settings_that_were_not_searched_do_not_change_the_best(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text('[linear]\nepochs = 4\nschedule = "constant"\n')
    space = load_space("linear", tmp_path / "space.toml")
    experiment = make_experiment(repeats=1)
    shipped = {"linear": LinearConfig(epochs=2, batch_size=64)}
    experiment = replace(experiment, config=replace(experiment.config, nets=shipped))
    objective = Objective(experiment, experiment.folds)
    study = SharedStudy("s", in_memory(), space, {}, seed=0)
    with pytest.raises(StudyError, match="study s has no complete trial"):
        rescore(study, objective)
    search(objective, study, 3, Schedule([2], no_pruning), batch=3)
    rescored = rescore(study, objective)
    (tmp_path / "best.toml").write_text(best_toml(study, rescored))
    tuned = {"linear": {"epochs": 2, "batch_size": 64}}
    read = Config.from_toml(tmp_path / "best.toml", tuned=tuned).nets["linear"]
    assert read == rescored.configs["best"]
    assert (read.epochs, read.batch_size) == (4, 128)
    assert rescored.configs["default"] == LinearConfig()
