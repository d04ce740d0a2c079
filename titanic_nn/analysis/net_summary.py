"""A saved net, taken apart: which numbers it is made of, and where each belongs."""

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titanic_nn.errors import ConfigError

Tensors = dict[str, NDArray[np.float32]]

# Tensors of a layer in the order in which it uses them.
USED = ("w", "b", "running_mean", "running_variance", "scale", "shift")


@dataclass(frozen=True)
class NetParts:
    """One net of a saved model.

    Attributes:
        model: its name: "relu".
        nets: how many such nets the model averages.
        features: the columns that it reads, in order.
        layers: layer -> tensor -> numbers (rows, columns): layers["layer1"]["w1"].
        notes: layer -> what it does beside multiplying and adding.
    """

    model: str
    nets: int
    features: list[str]
    layers: dict[str, Tensors]
    notes: dict[str, str]


def read_parts(folder: Path, which: int = 1) -> NetParts:
    """One net of a saved model's folder; `which` counts from 1.

    Raises ModelError where the folder is not a saved model's, SettingsError where it has no such
    net.
    """
    from titanic_nn.estimators import persistence  # which brings torch

    model: Any = saved.load(folder)
    features, classifier = model[0], model[-1]
    if not 1 <= which <= classifier.n_seeds:
        raise ConfigError(f"net {which}: choose from 1 to {classifier.n_seeds}")
    tensors: Tensors = {name: p[which - 1] for name, p in classifier.params_.items()}
    by_layer = groupby(sorted(tensors, key=_place), key=lambda name: _place(name)[0])
    layers = {f"layer{n}": {name: tensors[name] for name in names} for n, names in by_layer}

    *hidden, last = layers
    config = classifier.config()
    bend = f"then {getattr(config, 'activation', 'relu')}"
    if getattr(config, "normalization", "none") != "none":
        bend = f"then {config.normalization} normalisation, {bend}"
    return NetParts(
        model=folder.name,
        nets=classifier.n_seeds,
        features=[str(name) for name in features.get_feature_names_out()],
        layers=layers,
        notes=dict.fromkeys(hidden, bend) | {last: "the log-odds of surviving"},
    )


def _place(tensor: str) -> tuple[int, int]:
    """Sort key: the layer's number, and the order of use in it. The linear net has no numbers."""
    kind, number = re.fullmatch(r"(\D+)(\d*)", tensor).groups()  # type: ignore[union-attr]
    return int(number or 1), USED.index(kind)
