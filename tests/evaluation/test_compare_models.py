import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as referee

from titanic_nn.errors import DataError, ConfigError
from titanic_nn.evaluation.baselines import BASELINES
from titanic_nn.evaluation.compare_models import ModelComparison, compare_models
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.tables.sources import SEARCH, Passengers, load_passengers
from titanic_nn.config import ENSEMBLE, MODELS, Config

KAGGLE = Path(__file__).parents[3] / "shared" / "kaggle"
ALL_MODELS = [*BASELINES, *MODELS, ENSEMBLE]


@pytest.fixture(scope="module")
def bundled() -> Passengers:
    return load_passengers(search=SEARCH[3:])


@pytest.fixture(scope="module")
def result(bundled: Passengers) -> ModelComparison:
    return compare_models(bundled, folds=4, repeats=2, n_seeds=2, history_points=5)


def test_every_model_is_scored_on_the_same_folds(result: ModelComparison) -> None:
    assert list(result.metrics.columns) == ["model", "repeat", "fold", *METRICS]
    folds = result.metrics.groupby("model")[["repeat", "fold"]].apply(
        lambda rows: list(rows.itertuples(index=False, name=None))
    )
    assert sorted(folds.index) == sorted(ALL_MODELS)
    for model in ALL_MODELS:
        assert folds[model] == [(r, f) for r in range(2) for f in range(4)]


def test_every_passenger_is_held_out_once_a_repeat(
    result: ModelComparison, bundled: Passengers
) -> None:
    for _, oof in result.oof.groupby("repeat"):
        assert oof["PassengerId"].tolist() == bundled.train["PassengerId"].tolist()
        assert oof["Survived"].tolist() == bundled.train["Survived"].tolist()
    assert result.oof[ALL_MODELS].apply(lambda p: p.between(0, 1).all()).all()


@pytest.mark.parametrize("model", ALL_MODELS)
def test_the_metrics_are_scikit_learns_of_the_out_of_fold_predictions(
    result: ModelComparison, model: str
) -> None:
    table = result.metrics[result.metrics["model"] == model].set_index(["repeat", "fold"])
    scored = table.to_dict(orient="index")
    for key, oof in result.oof.groupby(["repeat", "fold"]):
        y, p = oof["Survived"], oof[model]
        assert scored[key]["accuracy"] == pytest.approx(referee.accuracy_score(y, p >= 0.5))
        assert scored[key]["log_loss"] == pytest.approx(referee.log_loss(y, p))
        assert scored[key]["roc_auc"] == pytest.approx(referee.roc_auc_score(y, p))
    summary = result.summary.to_dict(orient="index")[model]
    assert summary["log_loss"] == pytest.approx(table["log_loss"].mean())
    assert summary["log_loss_sd"] == pytest.approx(table["log_loss"].std(ddof=1))
    assert summary["log_loss_low"] < summary["log_loss"] < summary["log_loss_high"]


def test_the_net_with_the_best_log_loss_is_recommended(result: ModelComparison) -> None:
    assert result.recommended == result.summary.loc[[*MODELS, ENSEMBLE], "log_loss"].idxmin()


def test_the_test_table_is_predicted_in_its_order(
    result: ModelComparison, bundled: Passengers
) -> None:
    assert list(result.test_predictions) == ["PassengerId", *ALL_MODELS]
    assert result.test_predictions["PassengerId"].tolist() == bundled.test["PassengerId"].tolist()


def test_the_learning_curves_show_both_sides_of_every_fold(result: ModelComparison) -> None:
    history = result.history
    assert len(history) == len(MODELS) * 8 * 5  # folds x points
    last = history.groupby(["model", "repeat", "fold"])["epoch"].max()
    for model in MODELS:
        assert (last[model] == result.config.net(model).epochs).all()
    # Nets learn: on average the training loss falls from the first point to the last.
    by_epoch = history.groupby(["model", "epoch"])["training_loss"].mean()
    for model in MODELS:
        assert by_epoch[model].iloc[-1] < by_epoch[model].iloc[0]


def test_the_curves_end_at_the_metrics(bundled: Passengers) -> None:
    # With one seed, not calibrated, the last point's held-out loss is the fold's log loss.
    result = compare_models(bundled, models=["relu"], folds=3, repeats=1, n_seeds=1, inner_folds=0)
    last = result.history.groupby("fold")["held_out_loss"].last()
    scored = result.metrics.query("model == 'relu'").set_index("fold")["log_loss"]
    assert last.to_numpy() == pytest.approx(scored.to_numpy(), abs=1e-5)


def test_the_same_seed_gives_the_same_bits(result: ModelComparison, bundled: Passengers) -> None:
    again = compare_models(bundled, config=result.config)
    pd.testing.assert_frame_equal(result.oof, again.oof, check_exact=True)
    pd.testing.assert_frame_equal(result.test_predictions, again.test_predictions, check_exact=True)


def test_another_seed_gives_other_folds(result: ModelComparison, bundled: Passengers) -> None:
    other = compare_models(bundled, models=["linear"], folds=4, repeats=1, n_seeds=1, seed=43)
    assert not other.oof["fold"].equals(result.oof.query("repeat == 0")["fold"])


def test_with_shuffled_labels_no_model_knows_anything(bundled: Passengers) -> None:
    # Nothing is left to learn, so whoever still finds something has seen a held-out label.
    # 891 rows with 340 survivors: an AUC's standard error under chance is
    # sqrt((340 + 551 + 1) / (12 * 340 * 551)) = 0.020. Three of them:
    rng = np.random.default_rng(0)
    labels = rng.permutation(bundled.train["Survived"].to_numpy())
    shuffled = replace(bundled, train=bundled.train.assign(Survived=labels))
    result = compare_models(shuffled, folds=5, repeats=1, n_seeds=2)
    for model in ALL_MODELS:
        assert result.summary.loc[model, "roc_auc"] == pytest.approx(0.5, abs=0.06)


def test_training_never_opens_the_answers() -> None:
    # A process of its own, since an audit hook cannot be taken back.
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from titanic_nn.tables.sources import SEARCH, load_passengers
from titanic_nn.evaluation.compare_models import cross_validate
passengers = load_passengers(search=SEARCH[3:])
assert passengers.answers.is_file()
cross_validate(passengers, folds=2, repeats=1, seeds=1)
assert any(name.endswith("train.csv") for name in opened)
assert not any(name.endswith("answers.csv") for name in opened), opened
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_mistakes_are_said_in_one_line(bundled: Passengers, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^folds = 1: .*2$"):
        compare_models(bundled, folds=1)
    with pytest.raises(ConfigError, match=r"no setting relu.epoch; did you mean relu.epochs\?$"):
        compare_models(bundled, relu={"epoch": 3})
    with pytest.raises(DataError, match=r"340 passengers have 1, too few for 341 folds"):
        compare_models(bundled, folds=341)


@pytest.mark.skipif(not KAGGLE.is_dir(), reason="Kaggle's own tables are not at hand")
def test_on_kaggles_tables_every_net_beats_the_sex_rule() -> None:
    result = compare_models(KAGGLE, config=Config(repeats=1, n_seeds=2))
    accuracy = result.summary["accuracy"]
    assert accuracy["sex_rule"] == pytest.approx(0.787, abs=0.001)  # known from the table itself
    for model in MODELS:
        assert accuracy[model] > 0.81
    assert result.test_predictions["PassengerId"].tolist() == list(range(892, 1310))
