"""Every net as a scikit-learn classifier, over the engine.

`fit` trains on one split, all rows; `cross_validate` trains the splits of all folds at once. The
random numbers of a fit depend on `random_state` alone, so both train the same nets.

The settings and their defaults are those of nets/config.py, which suit any table. What `train` uses
in a competition may have been tuned for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from inspect import Parameter, Signature
from math import inf
from numbers import Integral
from reprlib import repr as shortened
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from titanic_nn.config import check_config
from titanic_nn.engine.cost import refuse_too_large, training_cost
from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, divergence, train_nets
from titanic_nn.errors import ConfigError, DivergenceError
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.fitted_nets import FittedNets, net_of, refuse_overflow, scaled
from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig
from titanic_nn.tables.splits import FINAL, Split

Rows: TypeAlias = Any  # a table of numbers: an array, a DataFrame, a list of lists
ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
RandomState = int | np.random.RandomState | None

# The parameters that every classifier has besides its net's settings.
COMMON: dict[str, Any] = {
    "n_seeds": 5,
    "standardize": True,
    "class_weight": None,
    "device": "auto",
    "random_state": None,
}

# Settings class -> classifier; each subclass of NetClassifier adds itself.
_CLASSES: dict[type[NetConfig], "type[NetClassifier]"] = {}


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a fit trains on: those it was given, without rows of weight 0."""

    x: NDArray[np.float32]  # features, (rows, features)
    targets: NDArray[np.int64]  # 0 or 1 for two classes, (rows, 1); else one-hot, (rows, classes)
    weights: NDArray[np.float32] | None  # sample weights, (rows,); None: all equal
    kept: NDArray[np.int64]  # positions in the table that `fit` was given, (rows,)


class NetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The base of all classifiers. A subclass names its settings class as `Config`.

    The parameters are the fields of `Config` and those in COMMON, all keyword-only. Their defaults
    stand there alone: `__init__` is generated from them.
    """

    Config: ClassVar[type[NetConfig]]
    n_seeds: int
    standardize: bool
    class_weight: ClassWeight
    device: str
    random_state: RandomState

    # After `fit`; `feature_names_in_` too, if X was a DataFrame with names.
    classes_: NDArray[Any]  # the labels, sorted, (classes,)
    n_features_in_: int
    mean_: NDArray[np.float64] | None  # of each column over the training rows, (features,);
    scale_: NDArray[np.float64] | None  # both None without `standardize`
    params_: dict[str, NDArray[np.float32]]  # by name, each (n_seeds, ...)
    calibration_: Calibration  # of the mean probabilities; `fit` does not calibrate

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "Config" in vars(cls):
            _CLASSES.setdefault(cls.Config, cls)
            if "__init__" not in vars(cls):
                cls.__init__ = _init_of(cls.Config)  # type: ignore[method-assign]

    @staticmethod
    def from_trained(
        config: NetConfig,
        params: Mapping[str, NDArray[np.float32]],
        *,
        classes: ArrayLike,
        n_features: int,
        seed: int | None,
        calibration: Calibration = Calibration(),  # noqa: B008 (frozen)
        mean: ArrayLike | None = None,
        scale: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        **parameters: Any,
    ) -> "NetClassifier":
        """A fitted classifier of nets that were trained elsewhere.

        Args:
            config: the nets' settings, which also decide the classifier's class.
            params: their parameters by name, each (n_seeds, ...).
            classes: the labels, sorted, (classes,).
            n_features: columns that the nets read.
            seed: the random seed that they were trained with.
            calibration: of their mean probabilities.
            mean, scale: of each column, (features,); by default columns are not standardized.
            feature_names: the columns' names, if they have any.
            parameters: others of COMMON.

        Raises:
            ValueError: arrays do not have the shapes and types that such nets have.
        """
        common = {"standardize": mean is not None, "n_seeds": len(next(iter(params.values()), ()))}
        values = asdict(config) | common | {"random_state": seed} | parameters
        model = classifier_class(type(config))(**values)
        model.classes_, model.n_features_in_ = np.asarray(classes), n_features
        model.mean_ = None if mean is None else np.array(mean, dtype=np.float64)
        model.scale_ = None if scale is None else np.array(scale, dtype=np.float64)
        if feature_names is not None:
            model.feature_names_in_ = np.array(feature_names, dtype=object)
        nets = FittedNets(model.net(), params, model.mean_, model.scale_, calibration)
        model.params_ = nets.checked_params(
            n_seeds=model.checked_n_seeds(), n_features=n_features, n_classes=len(model.classes_)
        )
        model.calibration_ = calibration
        return model

    def fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train `n_seeds` nets.

        Args:
            X: numbers, (rows, features), without missing values.
            y: labels of two or more classes, (rows,), of any type that can be sorted.
            sample_weight: (rows,); all equal by default. A row of weight 2 counts like two equal
                rows, a row of weight 0 is left out (exactly if one batch holds all rows).

        Raises:
            ValueError: X, y or sample_weight is not valid.
            ConfigError: a parameter is not valid, or the nets would not fit into memory.
            DivergenceError: a net of any seed diverged. It is a ValueError, as those of
                scikit-learn's own nets; the classifier is not fitted then.
        """
        rows = self.prepare(X, y, sample_weight)
        (error,) = fit_together([self], [rows], [rows.kept])
        if error:
            raise error
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "params_")

    def predict_proba(self, X: Rows) -> NDArray[np.float32]:  # noqa: N803
        """The probability of each class, the mean over the nets, (rows, classes).

        A row's probabilities are bitwise the same, whatever other rows X has.
        """
        check_is_fitted(self)
        return self.probabilities(validate_data(self, X, dtype=np.float64, reset=False))

    def probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float32]:  # noqa: N803
        """`predict_proba` of a checked array. Raises ValueError where a row is too large for it."""
        nets = FittedNets(self.net(), self.params_, self.mean_, self.scale_, self.calibration_)
        return nets.predict_proba(X)

    def predict(self, X: Rows) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each row, (rows,); the second of two at equal probability."""
        p = self.predict_proba(X)
        which = (p[:, 1] >= p[:, 0]).astype(int) if p.shape[1] == 2 else p.argmax(axis=1)
        return np.asarray(self.classes_[which])

    def decision_function(self, X: Rows) -> NDArray[np.float32]:  # noqa: N803
        """The log-odds of the second class, (rows,), or log probabilities, (rows, classes)."""
        logs = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    def net(self) -> Net:
        """The structure that the nets share."""
        return net_of(self.config(), self.checked_n_seeds())

    def config(self) -> NetConfig:
        """The parameters that are the net's settings, checked. Raises ConfigError."""
        values = {f.name: plain(getattr(self, f.name)) for f in fields(self.Config)}
        return check_config(self.Config, values)

    def checked_n_seeds(self) -> int:
        """How many nets. Raises ConfigError."""
        n_seeds = plain(self.n_seeds)
        if not isinstance(n_seeds, int) or isinstance(n_seeds, bool) or not 1 <= n_seeds <= 10**9:
            shown = shortened(self.n_seeds)
            raise ConfigError(f"n_seeds = {shown}: choose a whole number, 1 or more, up to 10**9")
        return n_seeds

    def prepare(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None) -> TrainingRows:  # noqa: N803
        """Check the arguments of `fit`, and set classes, means and scales."""
        if hasattr(self, "params_"):  # of an earlier fit, to other means and scales
            del self.params_
        config = self.config()
        X, labels = validate_data(self, X, y, dtype=np.float64)  # noqa: N806
        check_classification_targets(labels)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        kept = np.flatnonzero(weights)
        if not len(kept):
            raise ValueError("sample_weight is 0 in every row: no row is left to train on")
        self.classes_, which = np.unique(labels[kept], return_inverse=True)
        classes = len(self.classes_)
        if classes < 2:
            raise ValueError(f"y has only one class, {plain(self.classes_[0])!r}; two are needed")
        rows, weights = X[kept], weights[kept]
        if config.batch_size == "all" or len(rows) <= config.batch_size:
            # In a single batch neither order nor repetition of rows matters. Merged and sorted,
            # such rows train bitwise the same net.
            _, first, place = np.unique(
                np.column_stack([which, rows]), axis=0, return_index=True, return_inverse=True
            )
            kept, rows, which = kept[first], rows[first], which[first]
            weights = np.bincount(place.ravel(), weights=weights)

        self.mean_ = self.scale_ = None
        if self.standardize:
            with np.errstate(over="ignore", invalid="ignore"):  # refused below
                self.mean_ = np.average(rows, axis=0, weights=weights)
                sd = np.sqrt(np.average((rows - self.mean_) ** 2, axis=0, weights=weights))
            refuse_overflow(sd)
            # A constant column's deviation can differ from 0 by rounding.
            self.scale_ = np.where(np.ptp(rows, axis=0) == 0, 1.0, sd)
        if self.class_weight == "balanced":
            # By the sum of weights, so that a row of weight 2 still counts like two rows.
            by_class = weights.sum() / (classes * np.bincount(which, weights=weights))
        else:
            by_class = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[which]
            )
        weights = weights * by_class[which]
        if not weights.any():
            raise ValueError("class_weight is 0 for every class: no row is left to train on")
        counts = weights > 0
        rows, which, weights, kept = rows[counts], which[counts], weights[counts], kept[counts]
        targets = which[:, None] if classes == 2 else np.eye(classes, dtype=np.int64)[which]
        equal = bool((weights == weights[0]).all())
        relative = None if equal else (weights / weights.mean()).astype(np.float32)
        return TrainingRows(self.scaled(rows), targets, relative, kept)

    def scaled(self, X: NDArray[np.floating]) -> NDArray[np.float32]:  # noqa: N803
        """A checked array as the nets read it. Raises ValueError where a number is too large."""
        return scaled(X, self.mean_, self.scale_)


def plain(value: Any) -> Any:
    """A parameter as `Config` takes it: those of a grid may be NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(plain(item) for item in value) if isinstance(value, list | tuple) else value


def _seed(random_state: RandomState) -> int:
    """The random seed: `random_state` itself, if it is an integer."""
    generator = check_random_state(random_state)  # refuses what scikit-learn refuses
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))


def _init_of(config_class: type[NetConfig]) -> Callable[..., None]:
    """The `__init__` of a classifier with these settings, as scikit-learn's conventions ask."""
    make: Callable[[], NetConfig] = config_class  # every field has a default
    defaults = asdict(make()) | COMMON
    parameters = [Parameter(n, Parameter.KEYWORD_ONLY, default=d) for n, d in defaults.items()]
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *parameters])

    def __init__(self: NetClassifier, **given: Any) -> None:  # noqa: N807
        signature.bind(self, **given)  # raises TypeError, as a call does
        for name, value in (defaults | given).items():
            setattr(self, name, value)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__


def classifier_class(config_class: type[NetConfig]) -> type[NetClassifier]:
    """The classifier with these settings; it is made if there is none yet."""
    if config_class not in _CLASSES:
        name = f"{config_class.__name__.removesuffix('Config')}Classifier"
        type(name, (NetClassifier,), {"Config": config_class, "__doc__": config_class.__doc__})
    return _CLASSES[config_class]


def fit_together(
    classifiers: Sequence[NetClassifier],
    prepared: Sequence[TrainingRows],
    where: Sequence[NDArray[np.int64]],
) -> list[DivergenceError | None]:
    """Fit clones of one classifier, with the same classes and features, at once.

    Each is fitted on the rows that it `prepared`; `where` are their positions in the whole table.
    Returns an error for each, or None: one with a net that diverged is left unfitted.
    """
    first = classifiers[0]
    members = Members([first.config()], first.checked_n_seeds())
    cost = training_cost(
        type(first).__name__,
        members.shared,
        splits=len(classifiers),
        n_seeds=members.n_seeds,
        rows=max(map(len, where)),
        features=prepared[0].x.shape[1],
        classes=len(first.classes_),
    )
    refuse_too_large(cost, longest=inf)  # a day is for the user to spend
    table, features = 1 + max(int(rows.max()) for rows in where), prepared[0].x.shape[1]
    x = np.zeros((len(classifiers), table, features), dtype=np.float32)
    y = np.zeros((table, prepared[0].targets.shape[1]), dtype=np.int64)
    weights = np.ones((len(classifiers), table), dtype=np.float32)
    for i, (own, rows) in enumerate(zip(prepared, where, strict=True)):
        x[i, rows], y[rows] = own.x, own.targets
        if own.weights is not None:
            weights[i, rows] = own.weights
    # All have the random numbers of a single fit: each trains the nets that it would train alone.
    splits = [Split(FINAL, FINAL, rows, np.empty(0, dtype=np.int64)) for rows in where]
    equal = all(own.weights is None for own in prepared)
    nets = train_nets(
        SplitData(x, y, splits, None if equal else weights),
        members,
        seed=_seed(first.random_state),
        device=choose_device(first.device),
        history_points=0,
        keep_diverged=True,
    )
    errors = [
        divergence(nets.diverged[i : i + 1], splits[i : i + 1], members)
        for i in range(len(classifiers))
    ]
    for i, (classifier, error) in enumerate(zip(classifiers, errors, strict=True)):
        if error:
            continue
        classifier.params_ = {name: p[i].cpu().numpy().copy() for name, p in nets.params.items()}
        classifier.calibration_ = Calibration()
    return errors


class LinearClassifier(NetClassifier):
    """The linear model; with cross-entropy, logistic regression.

    Args:
        epochs: passes over the training rows.
        batch_size: rows per step, or "all".
        loss: "cross_entropy", "squared_error" or "absolute_error", of probabilities.
        optimizer: "sgd", "adam" or "adamw".
        learning_rate: of the optimizer.
        schedule: of the learning rate: "constant", "cosine" or "one_cycle".
        momentum: fraction of the last step's velocity that is kept; "sgd" only.
        weight_decay: weights shrink by learning_rate * weight_decay in each step; "adamw" only.
        l1, l2: penalties l1 * sum(|w|) and l2 / 2 * sum(w^2), added to the loss.
        initialization: of the weights: "xavier", "he" or "fastai".
        n_seeds: nets whose probabilities are averaged.
        standardize: scale each column to mean 0 and standard deviation 1 over the training rows.
        class_weight: {class: weight of its rows}, "balanced", or None.
        device: "auto", "cpu" or "cuda": where to train. Predictions are made on the CPU.
        random_state: with an integer, every fit gives bitwise the same nets on one processor with
            one number of threads; with other threads they differ by rounding, up to about 1e-7.

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

    Config = LinearConfig


class ReLUClassifier(NetClassifier):
    """The net with one hidden layer of rectified linear units.

    Args:
        hidden_size: hidden units.
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


class DeepClassifier(NetClassifier):
    """The net with two or more hidden layers.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
        activation: "relu", "leaky_relu", "tanh", "sigmoid" or "gelu".
        normalization: "none", "batch" or "layer", before each activation.
        dropout: fraction of each hidden layer's units that a training step drops.
        n_frequencies: of the periodic embedding of each feature; 0: none.
        frequency_scale: standard deviation of the initial frequencies, in periods per unit.
        embedding_size: numbers that each feature becomes.
        epochs, ...: the others are those of `LinearClassifier`.

    Examples:
        >>> import numpy as np
        >>> from titanic_nn import DeepClassifier
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> inside = np.where((X**2).sum(axis=1) < 1, "inside", "outside")
        >>> model = DeepClassifier(hidden_sizes=(16, 16), random_state=0).fit(X, inside)
        >>> model.predict([[0, 0], [2, 2]]).tolist()
        ['inside', 'outside']
    """

    Config = DeepConfig


class ResNetClassifier(NetClassifier):
    """The tabular ResNet of Gorishniy et al. (2021): residual blocks with normalization.

    Args:
        width: units of the vector that each block adds to.
        hidden_size: hidden units within a block.
        n_blocks: residual blocks.
        normalization: "batch" or "layer", before each block and the last layer.
        hidden_dropout: fraction of a block's hidden units that a training step drops.
        residual_dropout: fraction of the units of a block's output that a training step drops.
        n_frequencies: of the periodic embedding of each feature; 0: none.
        frequency_scale: standard deviation of the initial frequencies, in periods per unit.
        embedding_size: numbers that each feature becomes.
        epochs, ...: the others are those of `LinearClassifier`.

    Examples:
        >>> from sklearn.datasets import load_wine
        >>> from titanic_nn import ResNetClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = ResNetClassifier(n_blocks=1, epochs=20, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.95)
        True
    """

    Config = ResNetConfig
