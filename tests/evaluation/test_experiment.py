"""What every evaluation starts from: settings and tables that agree, folds, encoders, nets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from titanic_tables import BUNDLED, bundled, encode

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.experiment import (
    Experiment,
    held_out_probabilities,
    mean_probabilities,
    no_progress,
)
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import final_split, repeated_stratified_splits

CONFIG = TITANIC.config(
    models=["linear", "relu"],
    folds=3,
    repeats=1,
    n_seeds=2,
    device="cpu",
    linear={"epochs": 3},
    relu={"epochs": 2},
)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return bundled()


@pytest.fixture(scope="module")
def run(tables: Tables) -> Experiment:
    return Experiment.start(tables, CONFIG, {}, no_progress)


def test_settings_and_overrides_together_are_refused(tables: Tables) -> None:
    with pytest.raises(ConfigError, match=r"^give config, or folds, seed, not both$"):
        Experiment.start(tables, CONFIG, {"folds": 2, "seed": 1}, no_progress)


def test_tables_of_another_competition_are_refused(tables: Tables) -> None:
    other = replace(TITANIC.schema, row_name="traveller")
    with pytest.raises(ConfigError, match=r"^the tables are not those of competition titanic$"):
        Experiment.start(replace(tables, schema=other), CONFIG, {}, no_progress)


def test_an_unknown_competition_is_refused(tables: Tables) -> None:
    with pytest.raises(ConfigError, match=r"^competition 'titanik' is not known here; choose"):
        Experiment.start(tables, None, {"competition": "titanik"}, no_progress)
    with pytest.raises(ConfigError, match=r"^competition 'titanik' is not known here; choose"):
        Experiment.start(tables, replace(CONFIG, competition="titanik"), {}, no_progress)


def test_a_class_that_is_too_rare_for_the_folds_is_refused(tables: Tables) -> None:
    with pytest.raises(DataError, match="340 passengers have 1, too few for 341 folds"):
        Experiment.start(tables, None, {"folds": 341}, no_progress)


def test_without_settings_they_are_the_competitions_with_the_overrides(tables: Tables) -> None:
    overrides: dict[str, Any] = {"folds": 4, "repeats": 1, "relu": {"epochs": 2}}
    run = Experiment.start(tables, None, overrides, no_progress)
    assert run.config == TITANIC.config(**overrides)
    assert run.competition is TITANIC


@pytest.mark.parametrize("data", ["folder", "search"])
def test_tables_are_read_where_they_were_not_loaded(
    data: str, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # nothing was downloaded here
    run = Experiment.start(BUNDLED if data == "folder" else None, CONFIG, {}, no_progress)
    assert run.tables.fingerprint == tables.fingerprint
    assert run.tables.source == ("given" if data == "folder" else "bundled")


def test_the_folds_are_those_of_the_settings(run: Experiment, tables: Tables) -> None:
    expected = repeated_stratified_splits(tables.y, 3, 1, CONFIG.seed)
    for ours, theirs in zip(run.folds, expected, strict=True):
        np.testing.assert_array_equal(ours.train, theirs.train)
        np.testing.assert_array_equal(ours.held_out, theirs.held_out)


def test_rows_are_encoded_with_the_test_table_only_where_it_is_asked_for(
    run: Experiment, tables: Tables
) -> None:
    x = run.encoders(run.folds).encode(range(3))
    np.testing.assert_array_equal(x, encode(tables.train, tables.y, run.folds))
    final = final_split(len(tables.train), len(tables.test))
    both = pd.concat([tables.train, tables.test])
    (encoded,) = run.encoders([final], test_rows=True).batches()
    np.testing.assert_array_equal(encoded.x, encode(both, tables.y, [final]))


def test_every_net_is_trained_on_every_split(run: Experiment, tables: Tables) -> None:
    encoders = run.encoders(run.folds)
    x = encoders.encode(range(3))
    trained = [(model, encoded.splits, nets) for model, encoded, nets in run.trained(encoders)]
    assert [model for model, _, _ in trained] == ["linear", "relu"]
    for model, splits, nets in trained:
        assert splits == run.folds
        assert nets.probability.shape == (3, 2, 891)  # (splits, seeds, rows)
        expected = train_nets(
            SplitData(x, tables.y, run.folds),
            Members([CONFIG.nets[model]], 2),
            seed=CONFIG.seed,
            device=torch.device("cpu"),
        )
        assert torch.equal(nets.probability, expected.probability)
        p = expected.probability.mean(1).numpy()
        np.testing.assert_array_equal(mean_probabilities(nets), p)
        held_out = held_out_probabilities(splits, nets)
        for i, split in enumerate(run.folds):
            np.testing.assert_array_equal(held_out[split], p[i, split.held_out])


def test_progress_of_each_model_adds_up_to_one(tables: Tables) -> None:
    done = {"linear": 0.0, "relu": 0.0}

    def on_progress(stage: str, fraction: float) -> None:
        done[stage] += fraction

    run = Experiment.start(tables, CONFIG, {}, on_progress)
    for _ in run.trained(run.encoders(run.folds)):
        pass
    assert done == pytest.approx({"linear": 1, "relu": 1})
