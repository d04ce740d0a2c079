"""The comparison of models, as a run computes it, against scikit-learn's metrics."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as referee
from titanic_tables import KAGGLE, bundled

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import ENSEMBLE, Config
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.baselines import baselines
from titanic_nn.evaluation.compare_models import ModelComparison, compare_models
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.tables.sources import Tables

NETS = list(Config().models)
ALL_MODELS = [*baselines(TITANIC), *NETS, ENSEMBLE]
SHORT: dict[str, Any] = {"inner_folds": 2} | {net: {"epochs": 15} for net in NETS}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return bundled()


@pytest.fixture(scope="module")
def result(tables: Tables) -> ModelComparison:
    return compare_models(tables, folds=3, repeats=2, n_seeds=2, history_points=5, **SHORT)


def test_every_model_is_scored_on_the_same_folds(result: ModelComparison) -> None:
    assert list(result.metrics.columns) == ["model", "repeat", "fold", *METRICS]
    folds = result.metrics.groupby("model")[["repeat", "fold"]].apply(
        lambda rows: list(rows.itertuples(index=False, name=None))
    )
    assert sorted(folds.index) == sorted(ALL_MODELS)
    for model in ALL_MODELS:
        assert folds[model] == [(r, f) for r in range(2) for f in range(3)]


def test_every_labelled_row_is_held_out_once_a_repeat(
    result: ModelComparison, tables: Tables
) -> None:
    assert list(result.oof) == ["PassengerId", "label", "repeat", "fold", *ALL_MODELS]
    for _, oof in result.oof.groupby("repeat"):
        assert oof["PassengerId"].tolist() == tables.train["PassengerId"].tolist()
        assert oof["label"].tolist() == tables.y.tolist()
    assert result.oof[ALL_MODELS].apply(lambda p: p.between(0, 1).all()).all()


@pytest.mark.parametrize("model", ALL_MODELS)
def test_the_metrics_are_scikit_learns_of_the_out_of_fold_predictions(
    result: ModelComparison, model: str
) -> None:
    table = result.metrics[result.metrics["model"] == model].set_index(["repeat", "fold"])
    scored = table.to_dict(orient="index")
    for key, oof in result.oof.groupby(["repeat", "fold"]):
        y, p = oof["label"], oof[model]
        assert scored[key]["accuracy"] == pytest.approx(referee.accuracy_score(y, p >= 0.5))
        assert scored[key]["log_loss"] == pytest.approx(referee.log_loss(y, p))
        assert scored[key]["roc_auc"] == pytest.approx(referee.roc_auc_score(y, p))
    summary = result.summary.to_dict(orient="index")[model]
    assert summary["log_loss"] == pytest.approx(table["log_loss"].mean())
    assert summary["log_loss_sd"] == pytest.approx(table["log_loss"].std(ddof=1))
    assert summary["log_loss_low"] < summary["log_loss"] < summary["log_loss_high"]


def test_the_net_with_the_best_log_loss_is_recommended(result: ModelComparison) -> None:
    assert result.recommended == result.summary.loc[[*NETS, ENSEMBLE], "log_loss"].idxmin()


def test_the_test_table_is_predicted_in_its_order(result: ModelComparison, tables: Tables) -> None:
    assert list(result.test_predictions) == ["PassengerId", *ALL_MODELS]
    assert result.test_predictions["PassengerId"].tolist() == tables.test["PassengerId"].tolist()


@pytest.mark.parametrize("model", [*NETS, ENSEMBLE])
def test_the_fitted_models_predict_the_test_table_to_the_last_bit(
    result: ModelComparison, tables: Tables, model: str
) -> None:
    p = result.models[model].predict_proba(tables.test)[:, 1]
    np.testing.assert_array_equal(p, result.test_predictions[model])


def test_the_calibration_table_has_a_row_per_net(result: ModelComparison) -> None:
    assert result.calibration.index.tolist() == NETS
    assert list(result.calibration) == [
        *("log_loss_before", "ece_before", "log_loss_after", "ece_after"),
        *("slope", "intercept", "weight"),
    ]
    assert result.calibration["weight"].sum() == pytest.approx(1)
    after = result.calibration["log_loss_after"]
    assert after.to_numpy() == pytest.approx(result.summary.loc[NETS, "log_loss"].to_numpy())


def test_the_history_covers_every_fold_and_epoch_that_was_recorded(result: ModelComparison) -> None:
    history = result.history
    assert len(history) == len(NETS) * 6 * 5  # folds x points
    last = history.groupby(["model", "repeat", "fold"])["epoch"].max()
    for model in NETS:
        assert (last[model] == result.config.nets[model].epochs).all()
    # Nets learn: on average the training loss falls from the first point to the last.
    by_epoch = history.groupby(["model", "epoch"])["training_loss"].mean()
    for model in NETS:
        assert by_epoch[model].iloc[-1] < by_epoch[model].iloc[0]


def test_the_history_ends_at_the_metrics(tables: Tables) -> None:
    # With one seed, not calibrated, the last point's held-out loss is the fold's log loss.
    result = compare_models(tables, models=["relu"], folds=3, repeats=1, n_seeds=1, inner_folds=0)
    last = result.history.groupby("fold")["held_out_loss"].last()
    scored = result.metrics.query("model == 'relu'").set_index("fold")["log_loss"]
    assert last.to_numpy() == pytest.approx(scored.to_numpy(), abs=1e-5)


def test_the_same_seed_gives_the_same_bits(result: ModelComparison, tables: Tables) -> None:
    again = compare_models(tables, config=result.config)
    pd.testing.assert_frame_equal(result.oof, again.oof, check_exact=True)
    pd.testing.assert_frame_equal(result.test_predictions, again.test_predictions, check_exact=True)


@pytest.mark.gpu
def test_a_run_on_a_gpu_has_the_same_metrics(tables: Tables) -> None:
    def losses(device: str) -> "pd.Series[float]":
        run = compare_models(tables, device=device, folds=3, repeats=2, n_seeds=2, **SHORT)
        return run.metrics.groupby("model")["log_loss"].mean()

    pd.testing.assert_series_equal(losses("cuda"), losses("cpu"), atol=2e-3)


def test_another_seed_gives_other_folds(result: ModelComparison, tables: Tables) -> None:
    other = compare_models(tables, models=["linear"], folds=3, repeats=1, n_seeds=1, seed=43)
    assert not other.oof["fold"].equals(result.oof.query("repeat == 0")["fold"])


def test_with_shuffled_labels_no_model_is_better_than_chance(tables: Tables) -> None:
    # Nothing is left to learn: a model that is better than chance has read a held-out label.
    # 891 rows, 340 of them positive: an AUC's standard error under chance is
    # sqrt((340 + 551 + 1) / (12 * 340 * 551)) = 0.020. Three of them:
    rng = np.random.default_rng(0)
    labels = rng.permutation(tables.y)
    shuffled = replace(tables, train=tables.train.assign(Survived=labels))
    result = compare_models(shuffled, folds=5, repeats=1, n_seeds=1, inner_folds=2)
    for model in ALL_MODELS:
        assert result.summary.loc[model, "roc_auc"] == pytest.approx(0.5, abs=0.06)


def test_training_never_opens_the_answers() -> None:
    # In a process of its own, since an audit hook cannot be removed.
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.tables.sources import load_tables
places = [place for place in TITANIC.search if place[0] == "bundled"]
tables = load_tables(TITANIC.schema, search=places, archive=TITANIC.archive)
assert tables.answers.is_file()
short = {net: {"epochs": 2} for net in TITANIC.config().models}
compare_models(tables, folds=2, repeats=1, n_seeds=1, inner_folds=2, **short)
assert any(name.endswith("train.csv") for name in opened)
assert not any(name.endswith("answers.csv") for name in opened), opened
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_mistake_is_one_line(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^folds = 1: .*2$"):
        compare_models(tables, folds=1)
    with pytest.raises(ConfigError, match=r"no setting relu.epoch; did you mean relu.epochs\?$"):
        compare_models(tables, relu={"epoch": 3})
    with pytest.raises(DataError, match=r"340 passengers have 1, too few for 341 folds"):
        compare_models(tables, folds=341)
    with pytest.raises(ConfigError, match=r"^give config, or folds, not both$"):
        compare_models(tables, config=TITANIC.config(), folds=3)


@pytest.mark.parametrize("inner_folds", [0, 2])
def test_splits_that_take_turns_in_memory_give_the_same_result(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, inner_folds: int
) -> None:
    options: dict[str, Any] = {"models": ["linear"], "folds": 2, "repeats": 2, "n_seeds": 2}
    options |= {"inner_folds": inner_folds, "linear": {"epochs": 3}}
    together = compare_models(tables, **options)
    for limit in ("ENCODED_AT_ONCE", "ROWS_KEPT"):  # one split and its encoder at a time
        monkeypatch.setattr(f"titanic_nn.tables.encode.{limit}", 1)
    apart = compare_models(tables, **options)
    pd.testing.assert_frame_equal(apart.oof, together.oof, rtol=1e-6)
    pd.testing.assert_frame_equal(apart.test_predictions, together.test_predictions, rtol=1e-6)
    assert apart.seconds.keys() == together.seconds.keys()


@pytest.mark.skipif(not KAGGLE.is_dir(), reason="Kaggle's own tables are not at hand")
def test_on_kaggles_tables_every_net_beats_the_sex_rule() -> None:
    result = compare_models(
        KAGGLE, config=TITANIC.config(folds=5, repeats=1, n_seeds=1, inner_folds=2)
    )
    accuracy = result.summary["accuracy"]
    assert accuracy["sex_rule"] == pytest.approx(0.787, abs=0.001)  # known from the table itself
    for model in NETS:
        assert accuracy[model] > 0.81
    assert result.test_predictions["PassengerId"].tolist() == list(range(892, 1310))
