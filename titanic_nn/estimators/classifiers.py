"""The three nets as scikit-learn's classifiers, over the engine.

`fit` gives the engine one split, all rows; `cross_val_many` gives it one a fold. A fit's random
numbers depend on `random_state` alone, so both train the same nets.

The defaults are meant for any table. What `train` uses for Titanic is in `params/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members, Hyperparameters
from titanic_nn.engine.predict import mean_probabilities
from titanic_nn.engine.train import train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.nets import Net
from titanic_nn.tables.splits import FINAL, Split
from titanic_nn.config import DeepConfig, NetConfig, ReLUConfig, check_config

# What scikit-learn takes for a table of numbers: an array, a DataFrame, a list of lists.
Rows: TypeAlias = Any
ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
RandomState = int | np.random.RandomState | None


@dataclass(frozen=True)
class TrainingRows:
    """What a fit hands to the engine.

    Attributes:
        x: features, (rows, features).
        targets: 0 or 1 for two classes, (rows, 1); one-hot for more, (rows, classes).
        weights: how much each row counts, (rows,), or None: all alike.
        kept: where these rows stand in what `fit` was given, (rows,): some may not count at all.
    """

    x: NDArray[np.float32]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32] | None
    kept: NDArray[np.int64]


class NetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the three classifiers share: all but their settings.

    Attributes, after `fit`:
        classes_: the labels, sorted, (classes,).
        n_features_in_: columns of X.
        feature_names_in_: their names, where X was a DataFrame with names.
        mean_, scale_: of each column over the training rows, (features,); None if not
            `standardize`.
        params_: the nets' numbers, by name, each (seeds, ...).
        calibration_: what is made of two classes' mean probabilities; `fit` leaves them as they
            are, a run's nets come with one.
    """

    Config: ClassVar[type[NetConfig]]
    n_seeds: int
    standardize: bool
    class_weight: ClassWeight
    device: str
    random_state: RandomState

    classes_: NDArray[Any]
    n_features_in_: int
    mean_: NDArray[np.float64] | None
    scale_: NDArray[np.float64] | None
    params_: dict[str, NDArray[np.float32]]
    calibration_: Calibration

    def fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train `seeds` nets.

        Args:
            X: numbers, (rows, features), none of them missing.
            y: two or more classes, (rows,), of any type that sorts.
            sample_weight: how much each row counts, (rows,); all alike by default. A row of
                weight 2 counts as if it stood there twice, one of weight 0 as if it were not there
                (exactly so where a batch holds all rows).

        Raises:
            ValueError: X, y or sample_weight is not what it must be.
            SettingsError: a parameter is not what it must be.
        """
        rows = self.prepare(X, y, sample_weight)
        return fit_together([self], [rows], [rows.kept])[0]

    def predict_proba(self, X: Rows) -> NDArray[np.float32]:  # noqa: N803
        """The probability of each class, the mean of what the nets say, (rows, classes).

        A row's numbers are the same, to the last bit, whatever rows stand beside it.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        params = {name: torch.from_numpy(p) for name, p in self.params_.items()}
        p = mean_probabilities(self.net(), params, self._scaled(X))  # (rows, classes)
        if self.calibration_ != Calibration():
            second = self.calibration_(p[:, 1])
            p = np.stack([1 - second, second], axis=1)
        return p.astype(np.float32)  # like the nets' own numbers, in single precision

    def predict(self, X: Rows) -> NDArray[Any]:  # noqa: N803
        """The likeliest class of each row, (rows,); of two that are level, the second."""
        p = self.predict_proba(X)
        which = (p[:, 1] >= p[:, 0]).astype(int) if p.shape[1] == 2 else p.argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[which]
        return predicted

    def decision_function(self, X: Rows) -> NDArray[np.float32]:  # noqa: N803
        """The log-odds of the second class, (rows,), or log probabilities, (rows, classes)."""
        logs = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    def save(self, folder: str | Path) -> None:
        """Write the fitted nets into a new folder, which `titanic_nn.load` reads.

        Raises SettingsError if the folder holds something already.
        """
        from titanic_nn.estimators.persistence import save

        save(self, folder)

    def net(self) -> Net:
        """The structure that the nets share."""
        which = np.zeros(self.checked_n_seeds(), dtype=np.int64)
        return Hyperparameters(Members([self.config()], 1), which, torch.device("cpu")).net()

    def config(self) -> NetConfig:
        """The parameters that are the nets' settings, checked. Raises SettingsError."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self.Config)}
        return check_config(self.Config, values)

    def checked_n_seeds(self) -> int:
        """How many nets. Raises SettingsError."""
        n_seeds = _plain(self.n_seeds)
        if not isinstance(n_seeds, int) or isinstance(n_seeds, bool) or n_seeds < 1:
            raise ConfigError(f"seeds = {self.n_seeds!r}: choose a whole number, 1 or more")
        return n_seeds

    def prepare(
        self,
        X: Rows,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> TrainingRows:
        """Check what `fit` is given, and learn classes, means and scales from it."""
        config = self.config()
        X, labels = validate_data(self, X, y, dtype=np.float64)  # noqa: N806
        check_classification_targets(labels)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        kept = np.flatnonzero(weights)
        if not len(kept):
            raise ValueError("sample_weight is 0 in every row: no row is left to learn from")
        self.classes_, which = np.unique(labels[kept], return_inverse=True)
        classes = len(self.classes_)
        if classes < 2:
            raise ValueError(f"y has only one class, {_plain(self.classes_[0])!r}; two are needed")
        rows, weights = X[kept], weights[kept]
        if config.batch_size == "all" or len(rows) <= config.batch_size:
            # In one batch neither the order of rows nor a repetition has a meaning. Merged and
            # sorted, they train the same net to the last bit.
            first, weights = _merged(np.column_stack([which, rows]), weights)
            kept, rows, which = kept[first], rows[first], which[first]

        self.mean_ = self.scale_ = None
        if self.standardize:
            self.mean_, self.scale_ = _mean_and_scale(rows, weights)
        weights = weights * self._class_weights(which, weights)[which]
        if not weights.any():
            raise ValueError("class_weight is 0 for every class: no row is left to learn from")
        counts = weights > 0
        rows, which, weights, kept = rows[counts], which[counts], weights[counts], kept[counts]
        targets = which[:, None] if classes == 2 else np.eye(classes, dtype=np.int64)[which]
        alike = bool((weights == weights[0]).all())
        relative = None if alike else (weights / weights.mean()).astype(np.float32)
        return TrainingRows(self._scaled(rows), targets, relative, kept)

    def _class_weights(
        self, which: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How much the rows of each class count by `class_weight`, (classes,)."""
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            # As the weighted rows have it, so that a row of weight 2 still stands for two.
            sums = np.bincount(which, weights=weights)
            return np.asarray(weights.sum() / (len(sums) * sums))
        by_class = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[which]
        )
        return np.asarray(by_class, dtype=np.float64)

    def _scaled(self, X: NDArray[np.float64]) -> NDArray[np.float32]:  # noqa: N803
        if self.mean_ is not None and self.scale_ is not None:
            X = (X - self.mean_) / self.scale_  # noqa: N806
        return np.asarray(X, dtype=np.float32)


def _merged(
    rows: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where each distinct row first stands, in the rows' sorted order, and its weights' sum."""
    _, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first.astype(np.int64), np.bincount(place.ravel(), weights=weights).astype(np.float64)


def _mean_and_scale(
    rows: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each column's weighted mean and standard deviation, (features,); 1 for a constant one."""
    mean = np.average(rows, axis=0, weights=weights)
    sd = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
    constant = np.ptp(rows, axis=0) == 0  # its deviation can differ from 0 by rounding
    return mean, np.where(constant, 1.0, sd)


def _plain(value: Any) -> Any:
    """A parameter as settings take it: a grid's values may be NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _seed(random_state: RandomState) -> int:
    """The number that all randomness grows from: an integer itself."""
    generator = check_random_state(random_state)  # refuses what scikit-learn refuses
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))


C = TypeVar("C", bound=NetClassifier)


def fit_together(
    classifiers: Sequence[C], prepared: Sequence[TrainingRows], where: Sequence[NDArray[np.int64]]
) -> list[C]:
    """Train like classifiers at once, each on rows of its own; returns them, fitted.

    Args:
        classifiers: clones of one, with the same classes and features.
        prepared: what the `prepare` of each made of its rows.
        where: which rows of the whole table those are.
    """
    first = classifiers[0]
    table, features = 1 + max(int(rows.max()) for rows in where), prepared[0].x.shape[1]
    x = np.zeros((len(classifiers), table, features), dtype=np.float32)
    y = np.zeros((table, prepared[0].targets.shape[1]), dtype=np.int64)
    weights = np.ones((len(classifiers), table), dtype=np.float32)
    for i, (own, rows) in enumerate(zip(prepared, where, strict=True)):
        x[i, rows], y[rows] = own.x, own.targets
        if own.weights is not None:
            weights[i, rows] = own.weights
    # All have the key of a fit on its own: each trains the nets that it would train alone.
    splits = [Split(FINAL, FINAL, rows, np.empty(0, dtype=np.int64)) for rows in where]
    config = first.config()
    nets = train_nets(
        x,
        y,
        splits,
        Members([config], first.checked_n_seeds()),
        seed=_seed(first.random_state),
        device=choose_device(first.device),
        weights=None if all(own.weights is None for own in prepared) else weights,
        history_points=0,
    )
    for i, classifier in enumerate(classifiers):
        classifier.params_ = {name: p[i].cpu().numpy().copy() for name, p in nets.params.items()}
        classifier.calibration_ = Calibration()
    return list(classifiers)


class LinearClassifier(NetClassifier):
    """The linear model: with cross-entropy, logistic regression.

    Args:
        epochs: passes over the training rows.
        batch_size: rows a step: a number, or "all".
        loss: "cross_entropy", "squared_error" or "absolute_error", of probabilities.
        optimizer: "sgd", "adam" or "adamw".
        learning_rate: of the optimizer.
        schedule: "constant", "cosine" or "one_cycle": how the learning rate moves.
        momentum: share of the last step's velocity that is kept; "sgd" only.
        weight_decay: weights shrink by learning_rate * weight_decay each step; "adamw" only.
        l1, l2: penalties l1 * sum(|w|) and l2 / 2 * sum(w^2), added to the loss.
        initialization: "xavier", "he" or "fastai": how weights start.
        seeds: nets whose probabilities are averaged.
        standardize: bring each column to mean 0 and standard deviation 1 over the training rows.
        class_weight: {class: how much its rows count}, "balanced", or None.
        device: "auto", "cpu" or "cuda": where to train. Predictions are made on the CPU.
        random_state: an integer makes every fit the same, bit for bit.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from titanic_nn import LinearClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = LinearClassifier(random_state=0).fit(X, y)
        >>> model.predict(X[:3])
        array([0, 0, 0])
        >>> model.predict_proba(X).shape
        (150, 3)
    """

    Config = NetConfig

    def __init__(
        self,
        *,
        epochs: int = 200,
        batch_size: int | Literal["all"] = 128,
        loss: str = "cross_entropy",
        optimizer: str = "adamw",
        learning_rate: float = 0.03,
        schedule: str = "cosine",
        momentum: float = 0.0,
        weight_decay: float = 0.1,
        l1: float = 0.0,
        l2: float = 0.0,
        initialization: str = "xavier",
        n_seeds: int = 5,
        standardize: bool = True,
        class_weight: ClassWeight = None,
        device: str = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.l2 = l2
        self.initialization = initialization
        self.n_seeds = n_seeds
        self.standardize = standardize
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state


class ReLUClassifier(NetClassifier):
    """The net with one hidden layer of rectified linear units.

    Args:
        hidden: hidden units.
        epochs, ...: the others are those of `LinearClassifier`.

    Examples:
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.model_selection import cross_val_score
        >>> from titanic_nn import ReLUClassifier
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> scores = cross_val_score(ReLUClassifier(random_state=0), X, y, cv=3)
        >>> bool(scores.mean() > 0.95)
        True
    """

    Config = ReLUConfig

    def __init__(
        self,
        *,
        hidden: int = 64,
        epochs: int = 100,
        batch_size: int | Literal["all"] = 128,
        loss: str = "cross_entropy",
        optimizer: str = "adamw",
        learning_rate: float = 0.01,
        schedule: str = "cosine",
        momentum: float = 0.0,
        weight_decay: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        initialization: str = "he",
        n_seeds: int = 5,
        standardize: bool = True,
        class_weight: ClassWeight = None,
        device: str = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.l2 = l2
        self.initialization = initialization
        self.n_seeds = n_seeds
        self.standardize = standardize
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state


class DeepClassifier(NetClassifier):
    """The net with two and more hidden layers.

    Args:
        hidden: units of each hidden layer, first to last.
        activation: "relu", "leaky_relu", "tanh", "sigmoid" or "gelu".
        normalization: "none", "batch" or "layer", before each activation.
        dropout: share of each hidden layer's units that a training step leaves out.
        epochs, ...: the others are those of `LinearClassifier`.

    Examples:
        >>> import numpy as np
        >>> from titanic_nn import DeepClassifier
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> inside = np.where((X**2).sum(axis=1) < 1, "inside", "outside")
        >>> model = DeepClassifier(hidden=(16, 16), random_state=0).fit(X, inside)
        >>> model.predict([[0, 0], [2, 2]]).tolist()
        ['inside', 'outside']
    """

    Config = DeepConfig

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (64, 32),
        activation: str = "relu",
        normalization: str = "none",
        dropout: float = 0.2,
        epochs: int = 60,
        batch_size: int | Literal["all"] = 128,
        loss: str = "cross_entropy",
        optimizer: str = "adamw",
        learning_rate: float = 0.01,
        schedule: str = "cosine",
        momentum: float = 0.0,
        weight_decay: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        initialization: str = "he",
        n_seeds: int = 5,
        standardize: bool = True,
        class_weight: ClassWeight = None,
        device: str = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.normalization = normalization
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.l2 = l2
        self.initialization = initialization
        self.n_seeds = n_seeds
        self.standardize = standardize
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state


CLASSIFIERS: tuple[type[NetClassifier], ...] = (LinearClassifier, ReLUClassifier, DeepClassifier)
