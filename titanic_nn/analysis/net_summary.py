"""The parameters of a saved net, layer by layer."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import ConfigError

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class NetSummary:
    """One net of a saved model.

    Attributes:
        model: its name: "relu".
        n_seeds: how many such nets the model averages.
        features: the encoded columns that it reads, in order.
        layers: layer -> parameter -> values (rows, columns): layers["layer1"]["w1"]. The features'
            own matrices of an embedding, "layer0", are below each other.
        outputs: of the last layer: "log-odds", or the names of three and more classes.
        notes: layer -> its normalization and activation, as far as the settings name them; of the
            last layer what it gives.
    """

    model: str
    n_seeds: int
    features: list[str]
    layers: dict[str, Tensors]
    outputs: list[str]
    notes: dict[str, str]


def summarize_net(folder: Path, number: int = 1) -> NetSummary:
    """One net of a saved model's folder; `number` counts from 1.

    Raises:
        ModelError: the folder does not hold a model.
        ConfigError: the model is not a single net's on a competition's table, or has no such net.
    """
    from sklearn.pipeline import Pipeline

    from titanic_nn.estimators.persistence import load  # imports torch

    model = load(folder)
    if not isinstance(model, Pipeline):
        raise ConfigError(f"{folder}: is not the model of one net on a competition's table")
    return summary_of(folder.name, model, number)


def summary_of(name: str, model: Any, number: int = 1) -> NetSummary:
    """One net of a model, a Pipeline of CompetitionFeatures and a classifier.

    A parameter belongs to the layer whose number its name ends in, to the first without one.
    Raises ConfigError if there is no such net.
    """
    features, classifier = model[0], model[-1]
    if not 1 <= number <= classifier.n_seeds:
        raise ConfigError(f"net {number}: choose from 1 to {classifier.n_seeds}")
    layers: dict[str, Tensors] = {}
    for key, values in sorted(classifier.params_.items(), key=lambda item: _layer(item[0])):
        layers.setdefault(f"layer{_layer(key)}", {})[key] = values[number - 1].reshape(
            -1, values.shape[-1]
        )

    config, last = classifier.config(), list(layers)[-1]
    class_names = get_competition(features.competition).schema.class_names
    if len(class_names) == 2:
        outputs, given = ["log-odds"], f"log-odds of class {class_names[1]}"
    else:
        outputs, given = list(class_names), f"logits of {len(class_names)} classes"
    notes = {}
    for layer, tensors in layers.items():
        plain = all(key.rstrip("0123456789") in ("w", "b") for key in tensors)
        if layer == "layer0":
            notes[layer] = "periodic embedding"
            continue
        found = [] if plain else [f"{getattr(config, 'normalization', 'other')} normalization"]
        is_last = layer == last
        after = given if is_last else getattr(config, "activation", "")
        notes[layer] = ", ".join(filter(None, [*found, after]))
    return NetSummary(
        model=name,
        n_seeds=classifier.n_seeds,
        features=features.get_feature_names_out().tolist(),
        layers=layers,
        outputs=outputs,
        notes=notes,
    )


def hidden_units(net: NetSummary) -> pd.DataFrame:
    """The weights into and out of each unit of a net with one hidden layer.

    Columns: `unit`, from 1; `side`, "in" or "out"; `name`, of a feature or an output; `weight`.
    """
    w1 = net.layers["layer1"]["w1"]  # (features, units)
    w2 = net.layers["layer2"]["w2"]  # (units, outputs)
    sides = [("in", name, weights) for name, weights in zip(net.features, w1, strict=True)]
    sides += [("out", name, weights) for name, weights in zip(net.outputs, w2.T, strict=True)]
    rows = [
        {"unit": unit, "side": side, "name": name, "weight": weight}
        for side, name, weights in sides
        for unit, weight in enumerate(weights.tolist(), 1)
    ]
    return pd.DataFrame(rows)


def _layer(name: str) -> int:
    found = re.search(r"\d+$", name)
    return int(found[0]) if found else 1
