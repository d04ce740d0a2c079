"""Which features matter? Permutation importance on held-out rows, and the linear net's weights.

A feature's values are dealt out anew among a fold's held-out passengers, all columns that encode it
together, and the nets that were trained on the other folds predict again: by how much the log loss
rises is what they lean on it (Breiman 2001, "Random Forests", in the model-agnostic form of Fisher,
Rudin and Dominici 2019). Nothing is trained anew, so a feature whose news another one tells too
(title and sex) looks less important than it is: the nets still have the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import t as student_t

from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import TrainedNets, scaled, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.comparison import interval
from titanic_nn.evaluation.compare_models import Progress
from titanic_nn.evaluation.metrics import accuracy, log_loss
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.competitions.titanic.features import FEATURES, passenger_features
from titanic_nn.tables.splits import Split, repeated_stratified_splits
from titanic_nn.tables.sources import Passengers, labelled_passengers
from titanic_nn.config import Model, Config

PERMUTATIONS = 5

# Probabilities (..., rows) for encoded rows (..., rows, features).
Predict = Callable[[NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Importance:
    """What was found.

    Attributes:
        settings: what the nets were made of.
        passengers: the tables, and where they came from.
        device: what the nets were trained on.
        scores: a row per model, feature, repeat and fold, with the columns of importance.csv: how
            much worse the held-out scores get, the mean over permutations.
        summary: a row per model and feature, the most important first: means over folds, and the
            log loss increase's corrected 95 % interval `low` to `high`.
        coefficients: the linear net's weights, the heaviest first; empty without that net.
            Columns `feature` (an encoded column), `mean` and `sd` over folds, and `low` to `high`,
            a 95 % interval. Numbers count in standard deviations, everything else is 0 or 1.
    """

    config: Config
    passengers: Passengers
    device: str
    scores: pd.DataFrame
    summary: pd.DataFrame
    coefficients: pd.DataFrame


def importance(
    data: Path | Passengers | None = None,
    *,
    permutations: int = PERMUTATIONS,
    config: Config | None = None,
    on_progress: Progress = lambda stage, share: None,
    **overrides: Any,
) -> Importance:
    """Train the nets on every fold, and permute the features of the rows held out.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        permutations: how often a fold's values are dealt out anew.
        settings: what the nets are made of; the shipped settings by default.
        on_progress: is called as work is done.
        overrides: single settings, such as `folds=5`, instead of `settings`.

    Raises:
        DataError, SettingsError, DeviceError: a mistake that one line explains.
    """
    config = config or Config.from_toml(**overrides)
    if permutations < 1:
        raise ConfigError(f"permutations = {permutations}: choose 1 or more")
    device = choose_device(config.device)
    passengers, y = labelled_passengers(data, config.folds)

    splits = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
    features = passenger_features(passengers.train)
    encoders = SplitEncoders(features, y, splits, config.features)
    columns = columns_of_features(encoders.feature_names)

    rows: list[dict[str, Any]] = []
    weights = []
    for which in encoders.in_turn():
        part = splits[which.start : which.stop]
        x = encoders.encode(which)  # (splits, rows, features)
        for model in config.models:
            nets = train_nets(
                x,
                y,
                part,
                Members([config.net(model)], config.n_seeds),
                seed=config.seed,
                device=device,
                on_progress=scaled(partial(on_progress, model), len(part) / len(splits)),
            )
            for i, split in enumerate(part):
                found = permutation_importance(
                    partial(predict, nets, i),
                    x[i, split.held_out],
                    y[split.held_out],
                    columns,
                    permutations=permutations,
                    rng=_permuting(split, config.seed),
                )
                where_from = {"repeat": split.repeat, "fold": split.fold}
                rows += [{"model": model, **row, **where_from} for row in found]
            if model == "linear":
                weights.append(_weights(nets, x))

    order = ["model", "feature", "repeat", "fold", "log_loss_increase", "accuracy_drop"]
    scores = pd.DataFrame(rows)[order]
    return Importance(
        config=config,
        passengers=passengers,
        device=str(device),
        scores=_in_order(scores, config.models),
        summary=_summary(scores, config.models, config.folds),
        coefficients=coefficients(
            np.concatenate(weights) if weights else np.empty((0, len(encoders.feature_names))),
            encoders.feature_names,
            config.folds,
        ),
    )


def columns_of_features(encoded: Sequence[str]) -> dict[str, list[int]]:
    """Feature -> the positions of the columns that encode it: `title` has `title=Mr`, ...

    A feature that no split encodes, because all training rows agree in it, is left out.
    """
    labels = [name.partition("=")[0] for name in encoded]
    found = {f.name: [i for i, la in enumerate(labels) if la == f.label] for f in FEATURES}
    return {name: columns for name, columns in found.items() if columns}


def permutation_importance(
    predict: Predict,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    columns: dict[str, list[int]],
    *,
    permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """How much worse the predictions of rows get when a feature is permuted among them.

    Every feature meets the same permutations, so what differs between two is not their luck.

    Args:
        predict: what turns x (..., rows, features) into probabilities (..., rows).
        x: (rows, features), of rows that did not train.
        y: 0 or 1, (rows,).
        columns: feature -> its columns, which are permuted together.

    Returns:
        For each feature: `feature`, `log_loss_increase` and `accuracy_drop`, means over
        permutations.
    """
    orders = np.stack([rng.permutation(len(x)) for _ in range(permutations)])
    before = predict(x)  # (rows,)
    found = []
    for feature, of_feature in columns.items():
        permuted = np.repeat(x[None], permutations, axis=0)  # (permutations, rows, features)
        permuted[..., of_feature] = x[orders][..., of_feature]
        after = predict(permuted)  # (permutations, rows)
        found.append(
            {
                "feature": feature,
                "log_loss_increase": float(log_loss(y, after).mean() - log_loss(y, before)),
                "accuracy_drop": float(accuracy(y, before) - accuracy(y, after).mean()),
            }
        )
    return found


@torch.no_grad()
def predict(nets: TrainedNets, split: int, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a split's nets say of rows x (..., rows, features), averaged over seeds: (..., rows)."""
    params = {name: value[split] for name, value in nets.params.items()}  # (members, ...)
    rows = torch.from_numpy(x).to(nets.probability.device).flatten(0, -2)  # (all rows, features)
    logits = nets.net.logits(params, rows).squeeze(-1)  # (members, all rows)
    return logits.double().sigmoid().mean(0).cpu().numpy().reshape(x.shape[:-1])


def coefficients(
    weights: NDArray[np.float64], feature_names: Sequence[str], folds: int
) -> pd.DataFrame:
    """The linear net's weights by name, the heaviest first, with their spread.

    Two folds' training rows are nearly the same, so the weights' spread over folds says little of
    how they would move with other passengers. The jackknife that leaves out a group at a time
    knows by how much to stretch it: variance = (folds - 1)^2 / folds * (variance over folds)
    (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11).

    Args:
        weights: (repeats * folds, features); NaN where a split does not encode a column.

    Returns:
        feature, mean, sd (over folds), low and high (95 %; NaN where no repeat has two folds).
    """
    table = pd.DataFrame(weights, columns=list(feature_names))
    variance = table.groupby(table.index // folds).var().mean()  # within repeats
    reach = student_t.ppf(0.975, folds - 1) * np.sqrt((folds - 1) ** 2 / folds * variance)
    mean = table.mean()
    spread = {"sd": np.sqrt(variance), "low": mean - reach, "high": mean + reach}
    found = pd.DataFrame({"mean": mean, **spread}).dropna(subset="mean")
    heaviest_first = found["mean"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[heaviest_first].rename_axis("feature").reset_index()


def _permuting(split: Split, seed: int) -> np.random.Generator:
    """A split's own generator; members.py draws by keys that start with 0 and 1, and so on."""
    key = (3, split.repeat + 1, split.fold + 1)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _weights(nets: TrainedNets, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The linear net's weights, averaged over seeds, (splits, features)."""
    w = nets.params["w"].double().mean(1).squeeze(-1).cpu().numpy()
    # A column that a split does not encode is zero in all rows, and its weight was never trained.
    return np.where(x.any(axis=1), w, np.nan)


def _in_order(scores: pd.DataFrame, models: Sequence[Model]) -> pd.DataFrame:
    """Model by model, feature by feature, fold by fold."""
    features = [feature.name for feature in FEATURES]
    keys = scores.assign(model=scores["model"].map(list(models).index))
    keys["feature"] = scores["feature"].map(features.index)
    order = keys.sort_values(["model", "feature", "repeat", "fold"]).index
    return scores.loc[order].reset_index(drop=True)


def _summary(scores: pd.DataFrame, models: Sequence[Model], folds: int) -> pd.DataFrame:
    """A row per model and feature, model by model, the most important feature first."""
    rows = []
    for (model, feature), part in scores.groupby(["model", "feature"], sort=False):
        around = interval(part["log_loss_increase"], held_out_share=1 / folds)
        rows.append(
            {
                "model": model,
                "feature": feature,
                "log_loss_increase": around.mean,
                "low": around.low,
                "high": around.high,
                "accuracy_drop": part["accuracy_drop"].mean(),
            }
        )
    table = pd.DataFrame(rows).sort_values("log_loss_increase", ascending=False)
    by_model = table["model"].map(list(models).index)
    return table.loc[by_model.sort_values(kind="stable").index].reset_index(drop=True)
