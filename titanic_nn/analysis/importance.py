"""Which features matter? Permutation importance on held-out rows, and the linear net's weights.

A feature's values are permuted among a fold's held-out rows, all columns that encode it together,
and the nets trained on the other folds predict again: the rise of the log loss is the feature's
importance (Breiman 2001, "Random Forests", in the model-agnostic form of Fisher, Rudin and Dominici
2019). Nothing is trained again, so a feature whose information another one also carries has a low
importance: the nets still have the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit

from titanic_nn.config import Config
from titanic_nn.engine.train import TrainedNets
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.comparison import interval
from titanic_nn.evaluation.experiment import Experiment, Progress, no_progress
from titanic_nn.evaluation.metrics import accuracy, log_loss
from titanic_nn.nets.losses import probabilities
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import Split

PERMUTATIONS = 5

# Probabilities (..., rows), of more than two classes (..., rows, classes), for encoded rows
# (..., rows, features).
Predict = Callable[[NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Importance:
    """The result of a permutation importance.

    Attributes:
        config, tables, device: what the nets were made of, and where they were trained.
        scores: a row per model, feature, repeat and fold, with the columns of importance.csv: how
            much worse the held-out scores get, the mean over permutations.
        summary: a row per model and feature, the most important first: means over folds, and the
            log loss increase's corrected 95 % interval `low` to `high`.
        coefficients: the linear net's weights, the largest first; empty without that net.
            Columns `feature` (an encoded column; of more than two classes `column → class`, the
            weight less its mean over classes), `mean` and `sd` over folds, and `low` to `high`,
            a 95 % interval. Numbers are in standard deviations, everything else is 0 or 1.
    """

    config: Config
    tables: Tables
    device: str
    scores: pd.DataFrame
    summary: pd.DataFrame
    coefficients: pd.DataFrame


def importance(
    data: Path | Tables | None = None,
    *,
    permutations: int = PERMUTATIONS,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> Importance:
    """Train the nets on every fold, and permute the features of the held-out rows.

    A fold's values are permuted `permutations` times. Other arguments and errors are those of
    `compare_models`.
    """
    if permutations < 1:
        raise ConfigError(f"permutations = {permutations}: choose 1 or more")
    run = Experiment.start(data, config, overrides, on_progress)
    encoders = run.encoders(run.folds)
    names, columns = encoders.feature_names, encoders.columns_of_features

    rows: dict[tuple[str, str], list[dict[str, Any]]] = {
        (model, feature): [] for model in run.config.models for feature in columns
    }
    weights: list[NDArray[np.float64]] = []
    for model, encoded, nets in run.trained(encoders):
        for i, split in enumerate(encoded.splits):
            found = permutation_importance(
                partial(predict, nets, i),
                encoded.x[i, split.held_out],
                run.tables.targets[split.held_out],
                columns,
                permutations=permutations,
                rng=_rng(split, run.config.seed),
            )
            key = {"model": model, "repeat": split.repeat, "fold": split.fold}
            for row in found:
                rows[model, row["feature"]].append(key | row)
        if model == "linear":
            weights.append(_weights(nets, encoded.x))
    class_names = run.tables.schema.class_names
    if len(class_names) > 2:
        names = [f"{name} → {of_class}" for name in names for of_class in class_names]

    order = ["model", "feature", "repeat", "fold", "log_loss_increase", "accuracy_drop"]
    scores = pd.DataFrame(chain(*rows.values()), columns=order)
    return Importance(
        config=run.config,
        tables=run.tables,
        device=str(run.device),
        scores=scores,
        summary=_summary(scores, run.config.folds),
        coefficients=coefficients(
            np.concatenate([np.empty((0, len(names))), *weights]), names, run.config.folds
        ),
    )


def permutation_importance(
    predict: Predict,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    columns: dict[str, list[int]],
    *,
    permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """How much the scores of some rows get worse when a feature is permuted among them.

    All features use the same permutations, which makes them comparable.

    Args:
        predict: from x to probabilities.
        x, y: held-out rows, (rows, features), and their labels, (rows,) or one-hot.
        columns: feature -> its columns, which are permuted together.

    Returns:
        For each feature its `feature`, `log_loss_increase` and `accuracy_drop`, means over
        permutations.
    """
    orders = np.stack([rng.permutation(len(x)) for _ in range(permutations)])
    before = predict(x)  # (rows,)
    found = []
    for feature, of_feature in columns.items():
        permuted = np.repeat(x[None], permutations, axis=0)  # (permutations, rows, features)
        permuted[..., of_feature] = x[orders][..., of_feature]
        after = predict(permuted)  # (permutations, rows)
        increase = float(log_loss(y, after).mean() - log_loss(y, before))
        drop = float(accuracy(y, before) - accuracy(y, after).mean())
        found.append({"feature": feature, "log_loss_increase": increase, "accuracy_drop": drop})
    return found


@torch.no_grad()
def predict(nets: TrainedNets, split: int, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of rows x (..., rows, features), averaged over a split's nets."""
    params = {name: value[split] for name, value in nets.params.items()}  # (members, ...)
    rows = torch.from_numpy(x).to(nets.probability.device).flatten(0, -2)  # (all rows, features)
    logits = nets.net.logits(params, rows)  # (members, all rows, outputs)
    p = probabilities(logits.double()).mean(0).cpu().numpy()  # (all rows, outputs)
    return p.reshape(x.shape[:-1] if p.shape[-1] == 1 else (*x.shape[:-1], -1))


def coefficients(
    weights: NDArray[np.float64], feature_names: Sequence[str], folds: int
) -> pd.DataFrame:
    """The linear net's weights by name, the largest first, with their spread.

    Two folds share most training rows, so the weights' variance over folds underestimates that
    over other samples. The delete-a-group jackknife corrects it:
    variance = (folds - 1)^2 / folds * (variance over folds)
    (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11).

    Args:
        weights: (repeats * folds, features); NaN where a split lacks a column.

    Returns:
        feature, mean, sd (over folds), low and high (95 %; NaN where no repeat has two folds).
    """
    table = pd.DataFrame(weights, columns=list(feature_names))
    variance = table.groupby(table.index // folds).var().mean()  # within repeats
    reach = stdtrit(folds - 1, 0.975) * np.sqrt((folds - 1) ** 2 / folds * variance)
    mean = table.mean()
    spread = {"sd": np.sqrt(variance), "low": mean - reach, "high": mean + reach}
    found = pd.DataFrame({"mean": mean, **spread}).dropna(subset="mean")
    heaviest_first = found["mean"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[heaviest_first].rename_axis("feature").reset_index()


def _rng(split: Split, seed: int) -> np.random.Generator:
    """A split's own generator; the engine uses the keys that start with 0 and 1."""
    key = (3, split.repeat + 1, split.fold + 1)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _weights(nets: TrainedNets, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The linear net's weights, averaged over seeds, (splits, features).

    Of more than two classes (splits, features * classes), each less its mean over classes: the
    probabilities do not depend on that.
    """
    w = nets.params["w"].double().mean(1).cpu().numpy()  # (splits, features, outputs)
    if w.shape[-1] > 1:
        w = w - w.mean(axis=-1, keepdims=True)
    # A column that a split does not encode is zero in all rows, and its weight is untrained.
    trained = np.any(x, axis=1, keepdims=True).mT  # (splits, features, 1)
    return np.where(trained, w, np.nan).reshape(len(w), -1)


def _summary(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """A row per model and feature, model by model, the most important feature first."""
    rows = []
    for (model, feature), part in scores.groupby(["model", "feature"], sort=False):
        rise = interval(part["log_loss_increase"], test_fraction=1 / folds)
        drop = part["accuracy_drop"].mean()
        rows.append((model, feature, rise.mean, rise.low, rise.high, drop))
    models = scores["model"].unique().tolist()
    rows.sort(key=lambda row: (models.index(row[0]), -row[2]))
    columns = ["model", "feature", "log_loss_increase", "low", "high", "accuracy_drop"]
    return pd.DataFrame(rows, columns=columns)
