"""All folds at once have the results of scikit-learn's loop."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, RepeatedStratifiedKFold
from sklearn.model_selection import cross_validate as loop_over_folds
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from titanic_nn import (
    CompetitionFeatures,
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    ResNetClassifier,
    cross_validate,
    load_tables,
)
from titanic_nn.errors import ConfigError, DivergenceError

QUICK: dict[str, Any] = {"epochs": 5, "n_seeds": 2, "device": "cpu", "random_state": 1}


def titanic() -> tuple[Any, Any]:
    tables = load_tables()
    return tables.train[:300], tables.y[:300]


CASES: dict[str, tuple[BaseEstimator, Any, Any]] = {
    "linear": (LinearClassifier(**QUICK), *load_breast_cancer(return_X_y=True)),
    "three classes": (ReLUClassifier(**QUICK), *load_iris(return_X_y=True)),
    "batch norm, dropout": (
        DeepClassifier(normalization="batch", **QUICK),
        *load_breast_cancer(return_X_y=True),
    ),
    "resnet": (ResNetClassifier(**QUICK), *load_breast_cancer(return_X_y=True)),
    "balanced": (
        ReLUClassifier(class_weight="balanced", **QUICK),
        *load_breast_cancer(return_X_y=True, as_frame=True),
    ),
    "scaler": (
        make_pipeline(StandardScaler(), ReLUClassifier(**QUICK)),
        *load_breast_cancer(return_X_y=True, as_frame=True),
    ),
    # Folds have different decks and titles, and so different numbers of features.
    "titanic": (make_pipeline(CompetitionFeatures(), ReLUClassifier(**QUICK)), *titanic()),
}


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_loop(case: str) -> None:
    estimator, x, y = CASES[case]
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    arguments: dict[str, Any] = {"cv": cv, "scoring": "neg_log_loss", "return_train_score": True}
    loop = loop_over_folds(estimator, x, y, **arguments)
    at_once = cross_validate(estimator, x, y, **arguments)
    assert set(at_once) == set(loop)
    for name in ("test_score", "train_score"):
        assert_allclose(at_once[name], loop[name], atol=1e-5)


def test_several_metrics_groups_and_the_estimators() -> None:
    x, y = load_iris(return_X_y=True)
    groups = np.arange(150) % 5
    arguments: dict[str, Any] = {"groups": groups, "scoring": ["accuracy", "neg_log_loss"]}
    arguments |= {"cv": GroupKFold(4), "return_estimator": True}
    model = LinearClassifier(**QUICK)
    loop = loop_over_folds(model, x, y, **arguments)
    at_once = cross_validate(model, x, y, **arguments)
    assert set(at_once) == set(loop)
    for name in ("test_accuracy", "test_neg_log_loss"):
        assert_allclose(at_once[name], loop[name], atol=1e-5)
    for ours, theirs in zip(at_once["estimator"], loop["estimator"], strict=True):
        assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-5)
    assert not hasattr(model, "params_")  # the argument stays unfitted


def test_folds_that_lack_a_class() -> None:
    x, y = load_iris(return_X_y=True)
    splits = [(np.arange(100), np.arange(40, 100)), (np.arange(150), np.arange(90, 150))]
    loop = loop_over_folds(LinearClassifier(**QUICK), x, y, cv=splits)
    at_once = cross_validate(LinearClassifier(**QUICK), x, y, cv=splits)
    assert_allclose(at_once["test_score"], loop["test_score"])


def test_what_is_not_supported_is_refused() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ConfigError, match="LogisticRegression is none"):
        cross_validate(LogisticRegression(), x, y)
    with pytest.raises(ConfigError, match="does not support n_jobs, params; leave it out"):
        cross_validate(LinearClassifier(), x, y, n_jobs=2, params={})
    with pytest.raises(ConfigError, match="needs labels"):
        cross_validate(LinearClassifier(), x)


def test_folds_that_cannot_be_fitted_are_scored_as_scikit_learn_scores_them() -> None:
    x, y = load_iris(return_X_y=True)
    splits = [(np.arange(40), np.arange(40, 100)), (np.arange(150), np.arange(0, 150, 3))]
    model = LinearClassifier(**QUICK)
    for scoring in ("accuracy", ["accuracy", "neg_log_loss"]):
        for score in (np.nan, 0.0):
            arguments: dict[str, Any] = {"cv": splits, "scoring": scoring, "error_score": score}
            with pytest.warns(FitFailedWarning):
                loop = loop_over_folds(model, x, y, **arguments)
            with pytest.warns(FitFailedWarning, match="1 of 2 folds .*: y has only one class"):
                at_once = cross_validate(model, x, y, **arguments)
            assert set(at_once) == set(loop)
            for name in set(loop) - {"fit_time", "score_time"}:
                assert_allclose(at_once[name], loop[name], atol=1e-5)
    with pytest.raises(ValueError, match="y has only one class"):
        cross_validate(model, x, y, cv=splits, error_score="raise")
    with pytest.raises(ConfigError, match="error_score = 'ignore'"):
        cross_validate(model, x, y, cv=splits, error_score="ignore")  # type: ignore[arg-type]


def test_a_net_that_diverges_is_not_scored() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    bad = ReLUClassifier(learning_rate=3.0, random_state=0)
    with pytest.raises(ValueError, match=r"5 of 5 folds could not be fitted\. .*relu diverged"):
        cross_validate(bad, x, y)
    with pytest.raises(DivergenceError, match="relu diverged"):
        cross_validate(bad, x, y, error_score="raise")
