"""The nets as scikit-learn classifiers: its own checks, its tools, and what is particular."""

import inspect
from dataclasses import asdict
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
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from titanic_nn import DeepClassifier, LinearClassifier, ReLUClassifier, ResNetClassifier
from titanic_nn.config import check_config
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.errors import ConfigError, DivergenceError
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.classifiers import COMMON, NetClassifier, classifier_class
from titanic_nn.nets.config import ReLUConfig
from titanic_nn.nets.registry import NETS
from titanic_nn.tables.splits import final_split

CLASSIFIERS: list[type[NetClassifier]] = [
    LinearClassifier,
    ReLUClassifier,
    DeepClassifier,
    ResNetClassifier,
]
EACH = pytest.mark.parametrize("cls", CLASSIFIERS)


def quick(cls: type[NetClassifier], **values: Any) -> NetClassifier:
    """With a single seed and few epochs."""
    return cls(**{"epochs": 10, "n_seeds": 1, "device": "cpu", "random_state": 0} | values)


# The shallow nets have their defaults, but for the device; no check is skipped.
CHECKED: list[NetClassifier] = [
    LinearClassifier(device="cpu"),
    ReLUClassifier(device="cpu"),
    DeepClassifier(device="cpu", epochs=20, n_seeds=1),
    ResNetClassifier(device="cpu", epochs=50, n_seeds=1),
]


@pytest.mark.gpu
@EACH
def test_a_gpu_fits_the_same_classifier(cls: type[NetClassifier]) -> None:
    X, y = load_breast_cancer(return_X_y=True)  # noqa: N806
    on_cpu, on_gpu = (quick(cls, n_seeds=3, device=name).fit(X, y) for name in ("cpu", "cuda"))
    assert_allclose(on_gpu.predict_proba(X), on_cpu.predict_proba(X), atol=1e-3)


@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]
def test_scikit_learn_s_own_checks(estimator: NetClassifier, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def cancer() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x, y = load_breast_cancer(return_X_y=True)
    return x[:300], y[:300]


@EACH
def test_parameters_and_defaults_are_those_of_the_settings(cls: type[NetClassifier]) -> None:
    make: Any = cls.Config
    expected = asdict(make()) | COMMON
    assert cls().get_params() == expected
    parameters = inspect.signature(cls).parameters.values()
    assert {p.name: p.default for p in parameters} == expected
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="unexpected keyword argument 'seeds'"):
        cls(seeds=3)


def test_every_registered_net_has_a_public_class() -> None:
    assert [classifier_class(spec.config) for spec in NETS.values()] == CLASSIFIERS


def test_settings_without_a_class_get_one() -> None:
    class OtherConfig(ReLUConfig):
        """Other defaults."""

    cls = classifier_class(OtherConfig)
    assert (cls.__name__, cls.Config, cls.__doc__) == (
        "OtherClassifier",
        OtherConfig,
        OtherConfig.__doc__,
    )
    assert classifier_class(OtherConfig) is cls
    assert clone(cls(hidden_size=3)).get_params()["hidden_size"] == 3
    assert classifier_class(ReLUConfig) is ReLUClassifier


def test_from_trained_is_the_fitted_classifier(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = cancer
    model = quick(ReLUClassifier, n_seeds=2, standardize=False).fit(x, y)
    arguments: dict[str, Any] = {"classes": [0, 1], "n_features": 30, "seed": 0}
    again = NetClassifier.from_trained(model.config(), model.params_, **arguments)
    assert type(again) is ReLUClassifier
    assert again.get_params() == model.get_params() | {"device": "auto"}
    assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    calibrated = NetClassifier.from_trained(
        model.config(), model.params_, calibration=Calibration(0.5, 0.1), **arguments
    )
    assert np.abs(calibrated.predict_proba(x) - model.predict_proba(x)).max() > 0.01
    for wrong in ({"n_features": 29}, {"classes": [0, 1, 2]}, {"mean": [0.0], "scale": [1.0]}):
        with pytest.raises(ValueError, match=r"not those of the net|not of the shape"):
            NetClassifier.from_trained(model.config(), model.params_, **arguments | wrong)


def test_a_fit_is_what_the_engine_trains() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    values: dict[str, Any] = {"epochs": 5, "batch_size": 16, "hidden_size": 8}
    nets = train_nets(
        SplitData(x[None], y, [final_split(50, 0)]),
        Members([check_config(ReLUConfig, values)], 2),
        seed=7,
        device=torch.device("cpu"),
    )
    model = ReLUClassifier(**values, n_seeds=2, standardize=False, random_state=7).fit(x, y)
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
    assert_allclose(two.params_["w1"][:1], one.params_["w1"], atol=1e-6)
    first = clone(two).fit(x, y)
    first.params_ = {name: p[1:] for name, p in first.params_.items()}
    mean = (one.predict_proba(x) + first.set_params(n_seeds=1).predict_proba(x)) / 2
    assert_allclose(two.predict_proba(x), mean, atol=1e-6)


def test_the_same_random_state_makes_the_same_bits(
    cancer: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = cancer
    model = quick(DeepClassifier).fit(x, y)
    expected = model.predict_proba(x)
    assert_array_equal(clone(model).fit(x, y).predict_proba(x), expected)
    assert_array_equal(model.predict_proba(x[::-7]), expected[::-7])
    other = quick(DeepClassifier, random_state=np.random.RandomState(1)).fit(x, y)
    assert np.abs(other.predict_proba(x) - expected).max() > 0.01


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
    ("values", "error"),
    [
        ({"epochs": 0}, "epochs = 0: input should be greater than or equal to 1"),
        ({"momentum": 0.5}, 'momentum does nothing under "adamw"'),
        ({"n_seeds": 2.5}, "n_seeds = 2.5: choose a whole number, 1 or more"),
        ({"loss": "hinge"}, "loss = 'hinge'"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        quick(LinearClassifier, **values).fit([[0], [1]], [0, 1])


def test_labels_and_weights_that_leave_nothing_to_learn() -> None:
    model = quick(LinearClassifier)
    with pytest.raises(ValueError, match="only one class, 'a'"):
        model.fit([[0], [1]], ["a", "a"])
    with pytest.raises(ValueError, match="0 for every class"):
        model.set_params(class_weight={0: 0, 1: 0}).fit([[0], [1]], [0, 1])


class TestScikitLearnsTools:
    """They work with the classifiers, and give sensible results."""

    def test_pipeline_and_grid_search(
        self, cancer: tuple[NDArray[np.float64], NDArray[np.int64]]
    ) -> None:
        steps = make_pipeline(StandardScaler(), quick(ReLUClassifier, standardize=False))
        grid = {"reluclassifier__hidden_size": np.array([1, 16]), "reluclassifier__l2": [0.0, 0.1]}
        search = GridSearchCV(steps, grid, cv=3, scoring="neg_log_loss").fit(*cancer)
        assert search.best_params_["reluclassifier__hidden_size"] == 16
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


def test_a_net_that_diverges_fails_the_fit_as_scikit_learns_own_nets_do() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    model = ReLUClassifier(random_state=0).fit(x, y)
    model.set_params(learning_rate=3.0)
    with pytest.raises(
        ValueError, match=r"relu diverged: .*seed 0 .*by epoch \d+ of 100"
    ) as caught:
        model.fit(x, y)
    assert isinstance(caught.value, DivergenceError)
    with pytest.raises(NotFittedError):  # nor are the nets of the first fit used
        model.predict(x)
    net = LinearClassifier(epochs=5, random_state=0)
    rates = {"learning_rate": [1e30, 0.01]}
    search = GridSearchCV(net, rates, cv=2, error_score=0.0)
    with pytest.warns(FitFailedWarning, match="linear diverged"):
        search.fit(x, y)
    assert search.best_params_ == {"learning_rate": 0.01}


def test_numbers_that_float32_does_not_hold_are_refused() -> None:
    x, y = load_iris(return_X_y=True)
    model = ReLUClassifier(epochs=2, n_seeds=1, random_state=0)
    for number in (1e39, 1e300):
        spoilt = x.copy()
        spoilt[3, 1] = number
        with pytest.raises(ValueError, match="too large"):
            model.set_params(standardize=False).fit(spoilt, y)
        with pytest.raises(ValueError, match="too large"):
            model.fit(x, y).predict(spoilt)
    spoilt[3, 1] = 3e38
    with pytest.raises(ValueError, match="Row 3 of X holds numbers so large"):
        model.predict_proba(spoilt)
    model.set_params(standardize=True)
    with pytest.raises(ValueError, match="too large"):
        model.fit(np.where(x > 5, 1e200, x), y)


def test_nets_that_fit_into_no_memory_are_refused_before_the_first() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ConfigError, match=r"GiB of memory; this machine has"):
        ReLUClassifier(hidden_size=10**9).fit(x, y)
    with pytest.raises(ConfigError, match=r"GiB of memory; this machine has"):
        LinearClassifier(n_seeds=10**9).fit(x, y)
    with pytest.raises(ConfigError, match="n_seeds = 1000000001"):
        LinearClassifier(n_seeds=10**9 + 1).fit(x, y)
