"""scikit-learn's `cross_validate`, with the nets of all folds trained at once."""

import time
import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, indexable

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.classifiers import NetClassifier, Rows, TrainingRows, fit_together


def cross_validate(
    estimator: NetClassifier | Pipeline,
    X: Rows,  # noqa: N803
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    scoring: Any = None,
    cv: Any = None,
    return_train_score: bool = False,
    return_estimator: bool = False,
    error_score: float | Literal["raise"] = np.nan,
    **unsupported: Any,
) -> dict[str, Any]:
    """The results of `sklearn.model_selection.cross_validate`, several times faster.

    Each fold trains the nets that it would train alone, so the scores are equal but for float
    rounding. This holds for an integer `random_state`; without one, all folds share a random seed.

    Args:
        estimator: one of the package's classifiers, or a Pipeline that ends in one: then each fold
            fits the steps before it on its own training rows.
        X: the table, (rows, features).
        y: its labels, (rows,).
        groups: passed to the splitter, (rows,).
        scoring: a metric's name, several in a list, or a scorer; accuracy by default.
        cv: a number of folds, a splitter or an iterable of splits, as in scikit-learn.
        return_train_score: whether to score the training rows too.
        return_estimator: whether to return the fitted estimators.
        error_score: what stands for the scores of a fold that could not be fitted, because a net
            diverged or a step before it failed, with a FitFailedWarning; "raise" raises its error.
        unsupported: scikit-learn's other parameters, which are refused.

    Returns:
        A dict with an entry per fold: "test_score" (or "test_<metric>" for each of several), and
        "train_..." likewise; "score_time"; "fit_time", an equal part of the time that all took; and
        "estimator", if asked for.

    Raises:
        ConfigError: the estimator does not end in one of the package's classifiers, y is missing,
            or a parameter is not supported.
        ValueError: no fold could be fitted.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from titanic_nn import LinearClassifier, cross_validate
        >>> X, y = load_iris(return_X_y=True)
        >>> scores = cross_validate(LinearClassifier(random_state=0), X, y, cv=5)
        >>> scores["test_score"].shape
        (5,)
    """
    if unsupported:
        raise ConfigError(f"cross_validate does not support {', '.join(unsupported)}; leave it out")
    if y is None:
        raise ConfigError("cross_validate needs labels y: it trains classifiers")
    if not isinstance(last := _net(estimator), NetClassifier):
        raise ConfigError(
            f"cross_validate trains titanic_nn's classifiers; {type(last).__name__} is none of them"
        )
    if error_score != "raise" and not isinstance(error_score, Real):
        raise ConfigError(f'error_score = {error_score!r}: give a number, or "raise"')
    X, y, groups = indexable(X, y, groups)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=True).split(X, y, groups))
    scorer = check_scoring(estimator, scoring=scoring)

    start = time.perf_counter()
    fitted = [clone(estimator) for _ in splits]
    # Folds with as many features and the same classes train together.
    together: dict[tuple[Any, ...], list[tuple[NetClassifier, TrainingRows, Any]]] = {}
    errors: dict[NetClassifier, Exception] = {}
    for one, (train, _) in zip(fitted, splits, strict=True):
        net, x, labels = _net(one), _safe_indexing(X, train), _safe_indexing(y, train)
        try:
            if isinstance(one, Pipeline) and len(one) > 1:
                x = Pipeline(one.steps[:-1]).fit_transform(x, labels)
            rows = net.prepare(x, labels, None)
        except Exception as error:  # of any step, as in scikit-learn
            if error_score == "raise":
                raise
            errors[net] = error
            continue
        key = (rows.x.shape[1], *net.classes_.tolist())
        together.setdefault(key, []).append((net, rows, np.asarray(train)[rows.kept]))
    for equal in together.values():
        diverged = fit_together(*zip(*equal, strict=True))
        errors |= {net: e for (net, _, _), e in zip(equal, diverged, strict=True) if e}
    _report(list(errors.values()), len(splits), error_score)
    fit_time = (time.perf_counter() - start) / len(splits)

    def scores(estimator: NetClassifier | Pipeline, rows: Any) -> dict[str, float]:
        score = scorer(estimator, _safe_indexing(X, rows), _safe_indexing(y, rows))
        return score if isinstance(score, dict) else {"score": score}

    score_time = np.zeros(len(splits))
    by_fold: list[dict[str, float]] = []
    for i, (one, (train, test)) in enumerate(zip(fitted, splits, strict=True)):
        start, found = time.perf_counter(), {}
        if _net(one) not in errors:
            found = {f"test_{name}": score for name, score in scores(one, test).items()}
            score_time[i] = time.perf_counter() - start
            if return_train_score:
                found |= {f"train_{name}": score for name, score in scores(one, train).items()}
        by_fold.append(found)
    results: dict[str, Any] = {"fit_time": np.full(len(splits), fit_time), "score_time": score_time}
    for name in dict.fromkeys(name for found in by_fold for name in found):
        results[name] = np.array([found.get(name, error_score) for found in by_fold])
    return {**results, "estimator": fitted} if return_estimator else results


def _report(errors: Sequence[Exception], folds: int, error_score: Any) -> None:
    """Warn of the folds that could not be fitted, or raise; as scikit-learn's cross_validate."""
    if not errors:
        return
    if error_score == "raise":
        raise errors[0]
    which = f"{len(errors)} of {folds} folds could not be fitted. The first error: {errors[0]}"
    if len(errors) == folds:
        raise ValueError(which) from errors[0]
    message = f"{which}. The scores of such a fold are {error_score}."
    warnings.warn(message, FitFailedWarning, stacklevel=3)


def _net(estimator: NetClassifier | Pipeline) -> NetClassifier:
    net: NetClassifier = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return net
