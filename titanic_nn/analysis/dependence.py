"""How does the prediction depend on one feature? Partial dependence, with a line for each net.

The partial dependence at a value v is the mean prediction of some rows if all of them had the value
v of the feature, and every row its own values of the others (Friedman 2001, "Greedy Function
Approximation: A Gradient Boosting Machine", section 8.2). Like an explanation it mixes values that
may never occur together: it describes the model, not what would happen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from titanic_nn.analysis.explanation import (
    TableModel,
    calibrated,
    encoded,
    feature_values,
    pipelines,
)
from titanic_nn.competitions.registry import get_competition
from titanic_nn.engine.device import torch_threads
from titanic_nn.errors import ConfigError, ModelError, did_you_mean
from titanic_nn.estimators.calibration import weighted_average
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.nets.losses import probabilities
from titanic_nn.tables.encode import RARE, Encoder
from titanic_nn.tables.features import Feature

ROWS = 1000  # of a longer table so many are drawn
POINTS = 61  # values of a number with more different ones
MEAN = "mean"  # in place of a net's number: the model itself


@dataclass(frozen=True, eq=False)
class Dependence:
    """The partial dependence of a model and its nets on one feature.

    Attributes:
        feature: the feature.
        table: columns `feature`, `value`, `class` (its label; of two classes class 1's), `model`,
            `net` (its number from 1; "mean": the model's own prediction) and `probability`.
        deciles: of a number's values in the rows, (9,); empty for other features.
        rows: how many rows were averaged.
    """

    feature: Feature
    table: pd.DataFrame
    deciles: NDArray[np.float64]
    rows: int


def partial_dependence(
    model: TableModel,
    X: pd.DataFrame,  # noqa: N803
    feature: str,
    *,
    name: str = "model",
    seed: int = 0,
) -> Dependence:
    """The mean prediction over rows, as a function of one feature.

    Args:
        model: a Pipeline of CompetitionFeatures and a classifier, or an Ensemble of such.
        X: a table in the competition's columns; of more than ROWS rows as many are drawn.
        feature: one of the competition's. A number is varied over its range in X; of a category
            every value, and the rare ones together.
        name: the model's, in the result.
        seed: of the rows that are drawn.

    Raises:
        ConfigError: the model does not read a competition's table or there is no such feature, or
            no net reads it, as all training rows agree in it.
        DataError: X breaks the competition's schema.
        ModelError: the nets overflow.
    """
    models, weights = pipelines(model)
    models = {one or name: pipeline for one, pipeline in models.items()}
    weights = {one or name: weight for one, weight in weights.items()}
    competition = get_competition(next(iter(models.values()))[0].competition_)
    known = {one.name: one for one in competition.features.features}
    if feature not in known:
        raise ConfigError(
            f"{feature}: no such feature; choose from {', '.join(known)}"
            f"{did_you_mean(feature, known)}"
        )
    encoders: list[Encoder] = [pipeline[0].encoder_ for pipeline in models.values()]
    varied = known[feature]
    if not any(encoder.encode_values(varied, [])[0] for encoder in encoders):
        raise ConfigError(f"{feature}: all training rows agree in it, so no net reads it")
    rows = np.arange(len(X))
    if len(X) > ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), ROWS, replace=False))
    of_rows = feature_values(model, X)[feature].iloc[rows]
    names, values = _values(varied, encoders[0], of_rows)

    lines: list[tuple[str, str, NDArray[np.float64]]] = []  # model, net, (values, outputs)
    means: dict[str, NDArray[np.float64]] = {}  # (values, outputs)
    for one, pipeline in models.items():
        of_nets, means[one] = _curves(pipeline, encoded(pipeline, X, rows), varied, values)
        lines += [(one, str(i), line) for i, line in enumerate(of_nets, 1)]
    lines.append((name, MEAN, weighted_average(means, weights)))
    if not all(np.isfinite(line).all() for *_, line in lines):
        raise ModelError(f"{name} does not predict these rows: the nets overflow")
    labels = competition.schema.labels
    parts = [
        pd.DataFrame(
            {
                "feature": feature,
                "value": names,
                "class": label,
                "model": one,
                "net": net,
                "probability": line[:, i],
            }
        )
        for one, net, line in lines
        for i, label in enumerate(labels[1:] if len(labels) == 2 else labels)
    ]
    deciles = np.empty(0)
    if varied.kind == "number":
        deciles = np.nanquantile(of_rows.to_numpy(np.float64), np.arange(1, 10) / 10)
    return Dependence(varied, pd.concat(parts, ignore_index=True), deciles, len(rows))


def _values(
    feature: Feature, encoder: Encoder, of_rows: "pd.Series[Any]"
) -> tuple[list[Any], list[Any]]:
    """The values at which a feature is set: as they are shown, and as the encoder reads them."""
    if feature.kind == "flag":
        return ["no", "yes"], [False, True]
    if feature.kind == "category":
        values, rare = encoder.categories[feature.name], encoder.rare[feature.name][:1]
        return [*values, *(RARE for _ in rare)], [*values, *rare]
    known = np.unique(of_rows.dropna().to_numpy(np.float64))
    if not len(known):
        raise ConfigError(f"{feature.name}: is missing in every row")
    grid = known if len(known) <= POINTS else np.linspace(known[0], known[-1], POINTS)
    return grid.tolist(), grid.tolist()


def _curves(
    pipeline: Pipeline, x: NDArray[np.float32], feature: Feature, values: Sequence[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probabilities of rows x (rows, columns) when all have a value of the feature.

    Returns those of each net, (nets, values, outputs), calibrated as the model is, and those of the
    model, (values, outputs).
    """
    classifier: NetClassifier = pipeline[-1]
    params = {name: torch.from_numpy(p) for name, p in classifier.params_.items()}
    columns, of_values = pipeline[0].encoder_.encode_values(feature, values)
    net, calibration = classifier.net(), classifier.calibration_
    of_nets, of_model = [], []
    with torch.no_grad(), torch_threads(1):
        for of_value in of_values:
            varied = x.copy()
            varied[:, columns] = of_value
            logits = net.logits(params, torch.from_numpy(classifier.scaled(varied)))
            p = probabilities(logits.double())  # (nets, rows, outputs)
            of_model.append(calibrated(calibration, p.mean(0).numpy()).mean(0))
            of_nets.append(calibrated(calibration, p.numpy()).mean(1))
    return np.stack(of_nets, axis=1), np.stack(of_model)
