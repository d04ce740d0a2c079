"""The nets as scikit-learn's classifiers: its own checks, its tools, and what is ours."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from titanic_nn import DeepClassifier, LinearClassifier, ReLUClassifier
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.tables.splits import final_split
from titanic_nn.config import ReLUConfig

CLASSIFIERS: list[type[NetClassifier]] = [LinearClassifier, ReLUClassifier, DeepClassifier]
EACH = pytest.mark.parametrize("cls", CLASSIFIERS)


def quick(cls: type[NetClassifier], **values: Any) -> NetClassifier:
    """With a single seed and few epochs."""
    return cls(**{"epochs": 10, "seeds": 1, "device": "cpu", "random_state": 0} | values)


# Their defaults, but for the device: nothing is excused.
@parametrize_with_checks([cls(device="cpu") for cls in CLASSIFIERS])  # type: ignore[untyped-decorator]
def test_scikit_learn_s_own_checks(estimator: NetClassifier, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def cancer() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x, y = load_breast_cancer(return_X_y=True)
    return x[:300], y[:300]


@EACH
def test_parameters_are_the_settings_and_a_few_more(cls: type[NetClassifier]) -> None:
    own = {"seeds", "standardize", "class_weight", "device", "random_state"}
    assert set(cls().get_params()) == {f.name for f in fields(cls.Config)} | own


def test_a_fit_is_what_the_engine_trains() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    config = ReLUConfig(epochs=5, batch_size=16, hidden=8)
    nets = train_nets(
        x[None],
        y,
        [final_split(50, 0)],
        Members([config], 2),
        seed=7,
        device=torch.device("cpu"),
    )
    model = ReLUClassifier(
        epochs=5,
        batch_size=16,
        hidden=8,
        optimizer="adam",
        weight_decay=0.0,
        schedule="constant",
        n_seeds=2,
        standardize=False,
        random_state=7,
    ).fit(x, y)
    assert_allclose(model.predict_proba(x)[:, 1], nets.probability[0].mean(0), atol=1e-6)


def test_standardize_does_what_a_standard_scaler_before_it_does(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = cancer
    inside = quick(ReLUClassifier).fit(x, y)
    outside = make_pipeline(StandardScaler(), quick(ReLUClassifier, standardize=False)).fit(x, y)
    assert_allclose(inside.predict_proba(x), outside.predict_proba(x), atol=1e-5)


def test_a_linear_classifier_is_logistic_regression() -> None:
    x, y = load_wine(return_X_y=True)
    model = LinearClassifier(
        epochs=2000,
        batch_size="all",
        optimizer="adam",
        weight_decay=0.0,
        l2=0.01,
        n_seeds=1,
        random_state=0,
    ).fit(x, y)
    # LogisticRegression's penalty |w|^2 / (2 C) stands beside the sum over 178 rows, not the mean.
    referee = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (0.01 * 178))).fit(x, y)
    assert_allclose(model.predict_proba(x), referee.predict_proba(x), atol=2e-3)


@EACH
def test_a_weight_of_2_is_a_row_twice_and_of_0_none(cls: type[NetClassifier]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), rng.choice(["no", "yes", "perhaps"], 60)
    weights = rng.integers(0, 3, 60)
    weighted = quick(cls).fit(x, y, sample_weight=weights)
    repeated = quick(cls).fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    assert_array_equal(weighted.predict_proba(x), repeated.predict_proba(x))


def test_in_small_batches_a_weight_still_pulls(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = cancer
    weights = np.where(y == 1, 5.0, 1.0)
    plain = quick(ReLUClassifier, batch_size=32).fit(x, y)
    pulled = quick(ReLUClassifier, batch_size=32).fit(x, y, sample_weight=weights)
    by_class = quick(ReLUClassifier, batch_size=32, class_weight={1: 5.0}, standardize=False)
    assert pulled.predict_proba(x)[:, 1].mean() > plain.predict_proba(x)[:, 1].mean() + 0.01
    scaled = StandardScaler().fit(x, sample_weight=weights).transform(x)
    again = quick(ReLUClassifier, batch_size=32, standardize=False)
    again.fit(scaled, y, sample_weight=weights)
    assert_allclose(by_class.fit(scaled, y).predict_proba(scaled), again.predict_proba(scaled))


def test_balanced_classes_count_alike() -> None:
    x, y = load_iris(return_X_y=True)
    x, y = x[20:], y[20:]  # 30 of the first class, 50 of the others
    weights = len(y) / (3 * np.bincount(y)[y])
    balanced = quick(LinearClassifier, standardize=False, class_weight="balanced").fit(x, y)
    weighted = quick(LinearClassifier, standardize=False).fit(x, y, sample_weight=weights)
    assert_allclose(balanced.predict_proba(x), weighted.predict_proba(x), atol=1e-6)
    none = quick(LinearClassifier, epochs=200, class_weight={0: 0.0}).fit(x, y)
    assert none.predict_proba(x).shape == (130, 3)
    assert 0 not in none.predict(x)


def test_more_seeds_are_an_average(cancer: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    x, y = cancer
    one, two = (quick(ReLUClassifier, n_seeds=n_seeds).fit(x, y) for n_seeds in (1, 2))
    assert two.params_["w1"].shape == (2, 30, 64)
    assert_array_equal(two.params_["w1"][:1], one.params_["w1"])
    first = clone(two).fit(x, y)
    first.params_ = {name: p[1:] for name, p in first.params_.items()}
    mean = (one.predict_proba(x) + first.set_params(n_seeds=1).predict_proba(x)) / 2
    assert_allclose(two.predict_proba(x), mean, atol=1e-6)


def test_the_same_random_state_makes_the_same_bits(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = cancer
    model = quick(DeepClassifier).fit(x, y)
    said = model.predict_proba(x)
    assert_array_equal(clone(model).fit(x, y).predict_proba(x), said)
    assert_array_equal(model.predict_proba(x[::-7]), said[::-7])
    other = quick(DeepClassifier, random_state=np.random.RandomState(1)).fit(x, y)
    assert np.abs(other.predict_proba(x) - said).max() > 0.01


def test_names_and_labels_travel_along(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    frame = pd.DataFrame(cancer[0]).add_prefix("column ")
    labels = pd.Series(np.where(cancer[1] == 1, "benign", "malignant"))
    model = quick(LinearClassifier).fit(frame, labels)
    assert model.classes_.tolist() == ["benign", "malignant"]
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    assert set(model.predict(frame)) == {"benign", "malignant"}
    decision, p = model.decision_function(frame), model.predict_proba(frame)
    assert_allclose(decision, np.log(p[:, 1] / p[:, 0]), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 0}, "epochs = 0: input should be greater than or equal to 1"),
        ({"momentum": 0.5}, 'momentum does nothing under "adamw"'),
        ({"seeds": 2.5}, "seeds = 2.5: choose a whole number, 1 or more"),
        ({"loss": "hinge"}, "loss = 'hinge'"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quick(LinearClassifier, **values).fit([[0], [1]], [0, 1])


def test_labels_and_weights_that_leave_nothing_to_learn() -> None:
    model = quick(LinearClassifier)
    with pytest.raises(ValueError, match="only one class, 'a'"):
        model.fit([[0], [1]], ["a", "a"])
    with pytest.raises(ValueError, match="0 for every class"):
        model.set_params(class_weight={0: 0, 1: 0}).fit([[0], [1]], [0, 1])


class TestScikitLearnsTools:
    """Each does its work with our classifiers, and what it finds is sensible."""

    def test_pipeline_and_grid_search(
        self, cancer: tuple[NDArray[np.float64], NDArray[np.int64]]
    ) -> None:
        steps = make_pipeline(StandardScaler(), quick(ReLUClassifier, standardize=False))
        grid = {"reluclassifier__hidden": np.array([1, 16]), "reluclassifier__l2": [0.0, 0.1]}
        search = GridSearchCV(steps, grid, cv=3, scoring="neg_log_loss").fit(*cancer)
        assert search.best_params_["reluclassifier__hidden"] == 16
        assert search.score(*cancer) > -0.3

    @EACH
    def test_cross_val_score(self, cls: type[NetClassifier]) -> None:
        x, y = load_iris(return_X_y=True)
        assert cross_val_score(cls(n_seeds=1, random_state=0), x, y, cv=3).mean() > 0.9

    def test_calibration(self, cancer: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
        x, y = cancer
        calibrated = CalibratedClassifierCV(quick(LinearClassifier), cv=3).fit(x, y)
        assert log_loss(y, calibrated.predict_proba(x)) < 0.2

    def test_voting(self, cancer: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
        x, y = cancer
        models = [(cls.__name__, quick(cls)) for cls in CLASSIFIERS]
        vote = VotingClassifier(models, voting="soft").fit(x, y)
        mean = np.mean([m.predict_proba(x) for m in vote.estimators_], axis=0)
        assert_allclose(vote.predict_proba(x), mean, atol=1e-6)

    def test_permutation_importance(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(200, 3))
        model = quick(ReLUClassifier, epochs=30).fit(x, x[:, 1] > 0)
        importance = permutation_importance(model, x, x[:, 1] > 0, random_state=0)
        assert importance["importances_mean"].argmax() == 1
