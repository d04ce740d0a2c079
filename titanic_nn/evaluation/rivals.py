"""The libraries of boosted trees that one would otherwise pick, on the same folds as the nets.

Their settings are fixed here and were written down before any held-out row was scored, with values
that are usual for tables of a thousand to some ten thousand rows: a learning rate of 0.05, trees
smaller than the libraries' own defaults, and for XGBoost and LightGBM rows and columns subsampled
for each tree. CatBoost keeps its default trees, which are symmetric, of depth 6.

The number of trees is chosen by early stopping on the inner folds of a split's training rows: it is
the mean of the inner folds' best numbers, with which all training rows are then fitted. The inner
folds are those on which the nets are calibrated, and each has an encoder of its own, so that no
feature knows a label that stops it. (The average of the inner folds' models was worse, by 0.004 to
0.010 of log loss.)

A library reads the encoded columns, or the feature table as it is, with categories and missing
values. Which of the two is better was measured on Kaggle's 891 rows of Titanic, as mean log loss of
three times ten folds, encoded and raw: XGBoost 0.3520 and 0.3500, LightGBM 0.3490 and 0.3510,
CatBoost 0.3488 and 0.3452.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.comparison import compare_losses
from titanic_nn.evaluation.predictions import kept
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.splits import Split

TREES = 2000  # at most
PATIENCE = 50  # rounds without a lower loss, after which no further tree is added
LEARNING_RATE = 0.05

Matrix: TypeAlias = NDArray[np.floating]
Labels: TypeAlias = NDArray[np.int64]


class Trees(Protocol):
    """A library's boosted trees, which also predict with the first of them only."""

    def __init__(self, categories: Sequence[int], seed: int) -> None:
        """categories: the positions of the columns that hold codes of categories."""

    def fit(self, x: Matrix, y: Labels, trees: int, stop_on: tuple[Matrix, Labels] | None) -> int:
        """Fit on x (rows, features) and y (rows,).

        With rows to stop on, fewer trees are made; returns the number with the lowest loss on them.
        """

    def predict_proba(self, x: Matrix, trees: int) -> Matrix:
        """Probabilities (rows, classes) by the first trees."""


class XGBoost:
    """Trees of depth 4; a missing value goes to the side where it is better."""

    def __init__(self, categories: Sequence[int], seed: int) -> None:
        self.categories, self.seed = categories, seed

    def fit(self, x: Matrix, y: Labels, trees: int, stop_on: tuple[Matrix, Labels] | None) -> int:
        from xgboost import XGBClassifier

        types = ["c" if i in self.categories else "q" for i in range(x.shape[1])]
        self.model = XGBClassifier(
            n_estimators=trees,
            learning_rate=LEARNING_RATE,
            max_depth=4,
            subsample=0.8,
            colsample_bytree=0.8,
            early_stopping_rounds=PATIENCE if stop_on else None,
            feature_types=types,
            enable_categorical=True,
            random_state=self.seed,
            n_jobs=1,
            verbosity=0,
        )
        self.model.fit(x, y, eval_set=[stop_on] if stop_on else None, verbose=False)
        return int(self.model.best_iteration) + 1 if stop_on else trees

    def predict_proba(self, x: Matrix, trees: int) -> Matrix:
        trees = min(trees, self.model.get_booster().num_boosted_rounds())
        p: Matrix = self.model.predict_proba(x, iteration_range=(0, trees))
        return p


class LightGBM:
    """Trees of at most 15 leaves."""

    def __init__(self, categories: Sequence[int], seed: int) -> None:
        self.categories, self.seed = categories, seed

    def fit(self, x: Matrix, y: Labels, trees: int, stop_on: tuple[Matrix, Labels] | None) -> int:
        from lightgbm import Dataset, early_stopping, train

        # Not LGBMClassifier: 4.6 and 4.7 take the rows to stop on under different names.
        classes = int(y.max()) + 1
        several = {"objective": "multiclass", "num_class": classes}
        settings: dict[str, Any] = {
            **(several if classes > 2 else {"objective": "binary"}),
            "learning_rate": LEARNING_RATE,
            "num_leaves": 15,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "feature_fraction": 0.8,
            "deterministic": True,
            "force_col_wise": True,
            "seed": self.seed,
            "num_threads": 1,
            "verbosity": -1,
        }
        rows = Dataset(x, y, categorical_feature=list(self.categories))
        if not stop_on:
            self.model = train(settings, rows, trees)
            return trees
        stop = early_stopping(PATIENCE, verbose=False)
        watched = rows.create_valid(*stop_on)
        self.model = train(settings, rows, trees, valid_sets=[watched], callbacks=[stop])
        return int(self.model.best_iteration)

    def predict_proba(self, x: Matrix, trees: int) -> Matrix:
        p: Matrix = np.asarray(self.model.predict(x, num_iteration=trees, num_threads=1))
        return p if p.ndim == 2 else np.stack([1 - p, p], axis=1)  # (rows, classes)


class CatBoost:
    """Symmetric trees of depth 6; categories by ordered target statistics."""

    def __init__(self, categories: Sequence[int], seed: int) -> None:
        self.categories, self.seed = categories, seed

    def fit(self, x: Matrix, y: Labels, trees: int, stop_on: tuple[Matrix, Labels] | None) -> int:
        from catboost import CatBoostClassifier

        self.model = CatBoostClassifier(
            iterations=trees,
            learning_rate=LEARNING_RATE,
            cat_features=list(self.categories),
            early_stopping_rounds=PATIENCE if stop_on else None,
            use_best_model=False if stop_on else None,  # keep the trees beyond the best, too
            allow_writing_files=False,
            random_seed=self.seed,
            thread_count=1,
            verbose=False,
        )
        stop = (self._frame(stop_on[0]), stop_on[1]) if stop_on else None
        self.model.fit(self._frame(x), y, eval_set=stop)
        return int(self.model.get_best_iteration()) + 1 if stop_on else trees

    def predict_proba(self, x: Matrix, trees: int) -> Matrix:
        trees = min(trees, self.model.tree_count_)
        p: Matrix = self.model.predict_proba(self._frame(x), ntree_end=trees)
        return p

    def _frame(self, x: Matrix) -> pd.DataFrame:
        """Codes as integers, -1 where one is missing: it takes no others for categories."""
        frame = pd.DataFrame(x)
        codes = frame[list(self.categories)].fillna(-1).astype(np.int64)
        frame[list(self.categories)] = codes
        return frame


@dataclass(frozen=True)
class _Rival:
    """A library, and what it reads: the feature table as it is, or the encoded columns."""

    trees: type[Trees]
    raw: bool


_RIVALS: Mapping[str, _Rival] = {
    "xgboost": _Rival(XGBoost, raw=True),
    "lightgbm": _Rival(LightGBM, raw=False),
    "catboost": _Rival(CatBoost, raw=True),
}


@dataclass(frozen=True)
class RivalFit:
    """A rival on a split: probabilities of held-out rows.

    They are (held-out rows,) for two classes, (held-out rows, classes) for more.
    """

    held_out: NDArray[np.float64]
    inner: dict[Split, NDArray[np.float64]]  # of each inner split
    trees: int  # that were chosen on the inner splits


def check_rivals(config: Config) -> None:
    """Raise ConfigError where the settings ask for rivals that cannot be fitted."""
    if config.ensemble_rivals and not config.rivals:
        raise ConfigError("ensemble_rivals: there are no rivals; choose some with --rivals")
    if config.rivals and not config.inner_folds:
        raise ConfigError(
            f"inner_folds = 0: {config.rivals[0]} needs inner folds, on which its number of trees "
            "is chosen; choose 2 or more"
        )
    if missing := [name for name in config.rivals if find_spec(name) is None]:
        raise ConfigError(
            f"{missing[0]} is not installed: pip install 'titanic_nn[rivals]', or leave it out of "
            "the rivals"
        )


def fit_rival(
    name: str,
    encoders: SplitEncoders,
    split: Split,
    inner: Sequence[Split],
    y: NDArray[np.int64],
    seed: int,
) -> RivalFit:
    """Fit a rival on a split's training rows, with the number of trees that the inner folds choose.

    Args:
        name: of RIVALS.
        encoders: of `split` and `inner`.
        split: its training rows are fitted, its held-out rows predicted.
        inner: its training rows in folds.
        y: class codes of the table's first rows, (labelled rows,).
        seed: the random seed.

    Raises:
        DataError: there are no inner folds, or the library refuses the table.
    """
    if not inner:
        raise DataError(f"{split}: too few rows of the rarer class for the inner folds of {name}")
    rival = _RIVALS[name]
    categories = encoders.categories if rival.raw else []

    def matrix(of: Split) -> Matrix:  # (rows, features)
        return encoders.raw(of) if rival.raw else next(encoders.batches([of])).x[0]

    def new_model() -> Trees:
        return rival.trees(categories, seed % 2**31)  # LightGBM's seed has 31 bits

    try:
        best, models = [], []
        for fold in inner:
            x, model = matrix(fold), new_model()
            stop_on = x[fold.held_out], y[fold.held_out]
            best.append(model.fit(x[fold.train], y[fold.train], TREES, stop_on))
            models.append((fold, model, stop_on[0]))
        trees = round(float(np.mean(best)))
        x, model = matrix(split), new_model()
        model.fit(x[split.train], y[split.train], trees, None)
        return RivalFit(
            held_out=_probabilities(model, x[split.held_out], trees),
            inner={fold: _probabilities(of, x, trees) for fold, of, x in models},
            trees=trees,
        )
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())
        raise DataError(
            f"{name} failed on {split}: {reason}; leave it out of the rivals"
        ) from error


def _probabilities(model: Trees, x: Matrix, trees: int) -> NDArray[np.float64]:
    """(rows,) of class 1 where there are two classes, else (rows, classes)."""
    return kept(np.asarray(model.predict_proba(x, trees), np.float64))


def rival_table(metrics: pd.DataFrame, models: Sequence[str], recommended: str) -> pd.DataFrame:
    """A row per model of `models`: its log loss minus the recommended model's, as a Difference.

    `metrics` has one row per model, repeat and fold.
    """
    losses = metrics.pivot(index=["repeat", "fold"], columns="model", values="log_loss")
    folds = metrics["fold"].nunique()
    rows = {m: asdict(compare_losses(losses[m], losses[recommended], folds)) for m in models}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return table.rename(columns={"mean": "difference"})
