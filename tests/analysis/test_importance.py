"""Permutation importance, against scikit-learn's; the linear net's weights and their spread."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.inspection import permutation_importance as referee
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from titanic_tables import bundled

from titanic_nn.analysis.importance import (
    Importance,
    coefficients,
    importance,
    permutation_importance,
    predict,
)
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import repeated_stratified_splits

MODELS = ["linear", "relu", "deep"]
SMALL: dict[str, Any] = {"folds": 3, "repeats": 1, "n_seeds": 2, "permutations": 3}
COLUMNS = ["model", "feature", "repeat", "fold", "log_loss_increase", "accuracy_drop"]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return bundled()


@pytest.fixture(scope="module")
def found(tables: Tables) -> Importance:
    return importance(tables, **SMALL)


def test_it_is_scikit_learns_with_all_columns_of_a_category_together() -> None:
    """scikit-learn permutes the port before it is encoded; here its three columns are permuted."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"port": rng.choice(["C", "Q", "S"], 200), "age": rng.normal(size=200)})
    y = np.asarray(2.0 * (x["port"] == "C") - x["age"] + rng.logistic(size=200) > 0, np.int64)
    encoder = make_column_transformer((OneHotEncoder(), ["port"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(x, y)

    def probability(encoded: NDArray[np.float32]) -> NDArray[np.float64]:
        by_row = model[-1].predict_proba(encoded.reshape(-1, 4))[:, 1]
        return np.asarray(by_row.reshape(encoded.shape[:-1]))

    ours = permutation_importance(
        probability,
        np.asarray(encoder.transform(x), np.float32),
        y,
        {"port": [0, 1, 2], "age": [3]},
        permutations=100,
        rng=rng,
    )
    scoring = {"log_loss_increase": "neg_log_loss", "accuracy_drop": "accuracy"}
    theirs = referee(model, x, y, scoring=list(scoring.values()), n_repeats=100, random_state=0)
    for i, row in enumerate(ours):
        for name, metric in scoring.items():
            mean, sd = theirs[metric].importances_mean[i], theirs[metric].importances_std[i]
            # Two means of 100 permutations each: four standard errors of their difference.
            assert row[name] == pytest.approx(mean, abs=4 * sd * np.sqrt(2 / 100))
            assert row[name] > 0.02


def test_what_a_net_does_not_read_has_no_importance() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    read, unread = permutation_importance(
        lambda rows: 1 / (1 + np.exp(-3.0 * rows[..., 0])),
        x,
        y,
        {"read": [0], "unread": [1]},
        permutations=5,
        rng=rng,
    )
    assert (unread["log_loss_increase"], unread["accuracy_drop"]) == (0, 0)
    assert read["log_loss_increase"] > 0.1


def test_a_row_for_every_net_feature_repeat_and_fold(found: Importance) -> None:
    assert list(found.scores) == COLUMNS
    assert not found.scores[COLUMNS[:4]].duplicated().any()
    folds = found.scores.groupby(["model", "feature"], sort=False).size()
    assert (folds == 3).all()
    assert folds.index.get_level_values("model").unique().tolist() == MODELS
    assert {"title", "sex", "class", "age"} <= set(found.scores["feature"])
    assert np.isfinite(found.scores[COLUMNS[4:]]).all().all()


def test_sex_and_title_matter_most_to_every_net(found: Importance) -> None:
    for _, of_model in found.summary.groupby("model"):
        assert set(of_model["feature"].head(2)) == {"sex", "title"}
        most = of_model.iloc[0]
        assert most["low"] < most["log_loss_increase"] < most["high"]


def test_with_shuffled_labels_no_feature_matters(tables: Tables) -> None:
    shuffled = np.random.default_rng(0).permutation(tables.y)
    unlearnable = replace(tables, train=tables.train.assign(Survived=shuffled))
    summary = importance(unlearnable, models=["linear"], **SMALL).summary
    assert summary["log_loss_increase"].abs().max() < 0.02


def test_the_linear_nets_weights_are_listed_by_name(found: Importance) -> None:
    table = found.coefficients
    assert list(table) == ["feature", "mean", "sd", "low", "high"]
    weight = table.set_index("feature")["mean"].to_dict()
    assert weight["sex=female"] > 0.3
    assert weight["sex=male"] < -0.3
    assert weight["age"] < 0
    assert table["mean"].abs().is_monotonic_decreasing
    with_spread = table.dropna()
    assert (with_spread["low"] < with_spread["mean"]).all()


def test_without_the_linear_net_there_are_no_weights(tables: Tables) -> None:
    assert importance(tables, models=["relu"], **SMALL).coefficients.empty


def test_the_jackknife_of_means_is_the_standard_error_of_the_mean() -> None:
    # Leave each of ten values out in turn: the means' jackknife is s / sqrt(10), exactly.
    values = np.random.default_rng(0).normal(size=10)
    leave_one_out = (values.sum() - values) / 9  # (folds,)
    table = coefficients(leave_one_out[:, None], ["age"], folds=10)
    standard_error = values.std(ddof=1) / np.sqrt(10)
    assert table["mean"].item() == pytest.approx(values.mean())
    assert table["sd"].item() == pytest.approx(leave_one_out.std(ddof=1))
    # 2.262 is the 97.5 % quantile of Student's t with 9 degrees of freedom.
    assert table["high"].item() - values.mean() == pytest.approx(2.262 * standard_error, rel=1e-3)


def test_the_interval_is_as_wide_as_logistic_regressions() -> None:
    """The Fisher information gives the standard errors that a statistics package would."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 3))
    y = rng.random(900) < 1 / (1 + np.exp(-(x @ [1.0, -0.5, 0.0])))
    folds = np.array_split(np.arange(900), 10)
    weights = []
    for held_out in folds:
        train = np.setdiff1d(np.arange(900), held_out)
        weights.append(LogisticRegression(C=np.inf).fit(x[train], y[train]).coef_[0])
    table = coefficients(np.array(weights), ["a", "b", "c"], folds=10).set_index("feature")
    p = LogisticRegression(C=np.inf).fit(x, y).predict_proba(x)[:, 1]
    information = (x * (p * (1 - p))[:, None]).T @ x
    standard_errors = np.sqrt(np.diag(np.linalg.inv(information)))
    half_widths = (table["high"] - table["mean"])[["a", "b", "c"]].to_numpy()
    assert (half_widths / (2.262 * standard_errors)).mean() == pytest.approx(1, abs=0.35)


def test_a_column_that_a_fold_lacks_is_averaged_over_the_others() -> None:
    weights = np.array([[1.0, 5.0], [3.0, np.nan], [2.0, 7.0], [2.0, np.nan]])
    table = coefficients(weights, ["age", "deck=T"], folds=2).set_index("feature")
    assert table["mean"].to_dict() == {"deck=T": 6.0, "age": 2.0}
    # No repeat has two folds with that column, so nothing is known of its spread.
    assert table["low"].isna().to_dict() == {"deck=T": True, "age": False}


def test_there_must_be_a_permutation(tables: Tables) -> None:
    with pytest.raises(ConfigError, match="permutations = 0: choose 1 or more"):
        importance(tables, permutations=0)


@pytest.mark.parametrize(
    "config",
    [
        LinearConfig(epochs=2),
        ReLUConfig(epochs=2, hidden_size=5),
        DeepConfig(epochs=2, hidden_sizes=(5, 3), normalization="batch", dropout=0.3),
    ],
)
def test_unpermuted_rows_are_predicted_as_after_training(config: NetConfig) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 60, 4)).astype(np.float32)  # (splits, rows, features)
    y = rng.integers(0, 2, 60)
    splits = repeated_stratified_splits(y, folds=2, repeats=1, seed=0)
    nets = train_nets(
        SplitData(x, y, splits), Members([config], 3), seed=0, device=torch.device("cpu")
    )
    for i, split in enumerate(splits):
        expected = nets.probability[i].mean(0).numpy()[split.held_out]
        assert predict(nets, i, x[i, split.held_out]) == pytest.approx(expected, abs=1e-6)
        twice = predict(nets, i, np.stack([x[i], x[i]]))  # leading axes come back
        assert twice.shape == (2, 60)
        assert twice[1, split.held_out] == pytest.approx(expected, abs=1e-6)
