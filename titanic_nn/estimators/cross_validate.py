"""scikit-learn's `cross_validate`, with the nets of all folds trained at once."""

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, indexable

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.classifiers import NetClassifier, Rows, TrainingRows, fit_together


def cross_validate(
    estimator: NetClassifier | Pipeline,
    X: Rows,  # noqa: N803
    y: ArrayLike,
    cv: Any = None,
    *,
    groups: ArrayLike | None = None,
    scoring: Any = None,
    return_estimator: bool = False,
) -> dict[str, Any]:
    """What `sklearn.model_selection.cross_validate` finds, many times sooner.

    Each fold trains the nets that it would train alone, so the scores are the same but for float
    rounding. That holds for an integer `random_state`; without one, folds share a random number.

    Args:
        estimator: one of our classifiers, or a Pipeline that ends in one: then each fold fits the
            steps before it on its own training rows.
        X, y, groups: the table, its labels, and what `cv` may need to split it.
        cv: a number of folds, a splitter or an iterable of splits, as scikit-learn takes them.
        scoring: a metric's name, several in a list, or a scorer; accuracy by default.
        return_estimator: whether the fitted estimators come along.

    Returns:
        "test_score" (or "test_<metric>" for each of several) and "score_time": an entry a fold;
        "fit_time": each fold's share of the time that all took; and, if asked for, "estimator".

    Raises:
        SettingsError: the estimator does not end in one of our classifiers.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from titanic_nn import LinearClassifier, cross_val_many
        >>> X, y = load_iris(return_X_y=True)
        >>> found = cross_val_many(LinearClassifier(random_state=0), X, y, cv=5)
        >>> found["test_score"].shape
        (5,)
    """
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(last, NetClassifier):
        raise ConfigError(
            f"cross_val_many trains titanic_nn's classifiers; {type(last).__name__} is none"
        )
    X, y, groups = indexable(X, y, groups)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=True).split(X, y, groups))
    scorer = check_scoring(estimator, scoring=scoring)

    start = time.perf_counter()
    fitted = [clone(estimator) for _ in splits]
    trains = [np.asarray(train, dtype=np.int64) for train, _ in splits]
    rows = [
        _prepared(one, _safe_indexing(X, train), _safe_indexing(y, train))
        for one, train in zip(fitted, trains, strict=True)
    ]
    for alike in _alike(fitted, rows):
        fit_together(
            [_net(fitted[i]) for i in alike],
            [rows[i] for i in alike],
            [trains[i][rows[i].kept] for i in alike],
        )
    fit_time = (time.perf_counter() - start) / len(splits)

    scores, seconds = [], []
    for one, (_, test) in zip(fitted, splits, strict=True):
        start = time.perf_counter()
        score = scorer(one, _safe_indexing(X, test), _safe_indexing(y, test))
        scores.append(score if isinstance(score, dict) else {"score": score})
        seconds.append(time.perf_counter() - start)
    found = {
        "fit_time": np.full(len(splits), fit_time),
        "score_time": np.array(seconds),
        **{f"test_{name}": np.array([score[name] for score in scores]) for name in scores[0]},
    }
    return {**found, "estimator": fitted} if return_estimator else found


def _net(estimator: NetClassifier | Pipeline) -> NetClassifier:
    net: NetClassifier = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return net


def _prepared(estimator: NetClassifier | Pipeline, X: Rows, y: NDArray[Any]) -> TrainingRows:  # noqa: N803
    """Fit whatever comes before the net, and hand the net its training rows."""
    if isinstance(estimator, Pipeline):
        X = Pipeline(estimator.steps[:-1]).fit_transform(X, y) if len(estimator) > 1 else X  # noqa: N806
    return _net(estimator).prepare(X, y)


def _alike(fitted: list[NetClassifier | Pipeline], rows: list[TrainingRows]) -> list[list[int]]:
    """Folds that can train together: with as many features, and the same classes."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, (one, own) in enumerate(zip(fitted, rows, strict=True)):
        key = (own.x.shape[1], tuple(_net(one).classes_.tolist()))
        groups.setdefault(key, []).append(i)
    return list(groups.values())
