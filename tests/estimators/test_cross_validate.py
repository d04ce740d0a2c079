"""All folds at once find what scikit-learn's loop finds."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, RepeatedStratifiedKFold, compare_models
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from titanic_nn import (
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    TitanicFeatures,
    cross_validate,
    load_passengers,
)
from titanic_nn.errors import ConfigError

QUICK: dict[str, Any] = {"epochs": 5, "seeds": 2, "device": "cpu", "random_state": 1}


def passengers() -> tuple[Any, Any]:
    train = load_passengers().train[:300]
    return train.drop(columns="Survived"), train["Survived"]


CASES: dict[str, tuple[BaseEstimator, Any, Any]] = {
    "linear": (LinearClassifier(**QUICK), *load_breast_cancer(return_X_y=True)),
    "three classes": (ReLUClassifier(**QUICK), *load_iris(return_X_y=True)),
    "batch norm, dropout": (
        DeepClassifier(normalization="batch", **QUICK),
        *load_breast_cancer(return_X_y=True),
    ),
    "balanced": (
        ReLUClassifier(class_weight="balanced", **QUICK),
        *load_breast_cancer(return_X_y=True, as_frame=True),
    ),
    "scaler": (
        make_pipeline(StandardScaler(), ReLUClassifier(**QUICK)),
        *load_breast_cancer(return_X_y=True, as_frame=True),
    ),
    # Folds have different decks and titles, and so different numbers of features.
    "passengers": (make_pipeline(TitanicFeatures(), ReLUClassifier(**QUICK)), *passengers()),
}


@pytest.mark.parametrize("case", CASES)
def test_the_loop_s_scores(case: str) -> None:
    estimator, x, y = CASES[case]
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    loop = compare_models(estimator, x, y, cv=cv, scoring="neg_log_loss")
    at_once = cross_validate(estimator, x, y, cv, scoring="neg_log_loss")
    assert set(at_once) == set(loop)
    assert_allclose(at_once["test_score"], loop["test_score"], atol=1e-5)


def test_several_metrics_groups_and_the_estimators() -> None:
    x, y = load_iris(return_X_y=True)
    groups = np.arange(150) % 5
    arguments: dict[str, Any] = {"groups": groups, "scoring": ["accuracy", "neg_log_loss"]}
    model = LinearClassifier(**QUICK)
    loop = compare_models(model, x, y, cv=GroupKFold(4), return_estimator=True, **arguments)
    at_once = cross_validate(model, x, y, GroupKFold(4), return_estimator=True, **arguments)
    assert set(at_once) == set(loop)
    for name in ("test_accuracy", "test_neg_log_loss"):
        assert_allclose(at_once[name], loop[name], atol=1e-5)
    for ours, theirs in zip(at_once["estimator"], loop["estimator"], strict=True):
        assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-5)
    assert not hasattr(model, "params_")  # what was given stays unfitted


def test_folds_that_lack_a_class() -> None:
    x, y = load_iris(return_X_y=True)
    splits = [(np.arange(100), np.arange(40, 100)), (np.arange(150), np.arange(90, 150))]
    loop = compare_models(LinearClassifier(**QUICK), x, y, cv=splits)
    at_once = cross_validate(LinearClassifier(**QUICK), x, y, splits)
    assert_allclose(at_once["test_score"], loop["test_score"])


def test_only_our_classifiers_can_share_a_program() -> None:
    with pytest.raises(ConfigError, match="LogisticRegression is none"):
        cross_validate(LogisticRegression(), *load_iris(return_X_y=True))
