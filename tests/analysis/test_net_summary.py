"""A saved net's parts are the numbers that it predicts with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.pipeline import make_pipeline

import titanic_nn
from titanic_nn.errors import ModelError, ConfigError
from titanic_nn.analysis.net_summary import NetParts, read_parts
from titanic_nn.tables.sources import SEARCH

TRAIN = titanic_nn.load_passengers(search=SEARCH[3:]).train
X, Y = TRAIN.drop(columns="Survived"), TRAIN["Survived"]


def saved(folder: Path, net: object) -> Path:
    model = make_pipeline(titanic_nn.TitanicFeatures(), net).fit(X, Y)
    titanic_nn.save(model, folder)
    return folder


def test_a_forward_pass_over_the_parts_is_the_prediction(tmp_path: Path) -> None:
    net = titanic_nn.ReLUClassifier(
        hidden=3, epochs=2, n_seeds=2, standardize=False, random_state=0, device="cpu"
    )
    folder = saved(tmp_path / "relu", net)
    model: Any = titanic_nn.load(folder)
    x = model[0].transform(X)
    said = []
    for which in (1, 2):
        parts = read_parts(folder, which)
        first, second = parts.layers.values()
        h = np.maximum(0, x @ first["w1"] + first["b1"])
        said.append(expit(h @ second["w2"] + second["b2"]))
    assert np.mean(said, axis=0)[:, 0] == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-5)


def test_layers_come_in_order_with_their_shapes(tmp_path: Path) -> None:
    net = titanic_nn.DeepClassifier(
        hidden=(4, 3), epochs=1, n_seeds=1, normalization="batch", activation="tanh", device="cpu"
    )
    parts = read_parts(saved(tmp_path / "deep", net))
    assert list(parts.layers) == ["layer1", "layer2", "layer3"]
    normalised = ["w2", "running_mean2", "running_variance2", "scale2", "shift2"]
    assert list(parts.layers["layer2"]) == normalised
    assert list(parts.layers["layer3"]) == ["w3", "b3"]
    assert parts.layers["layer1"]["w1"].shape == (len(parts.features), 4)
    assert parts.notes["layer1"] == "then batch normalisation, then tanh"
    assert parts.notes["layer3"] == "the log-odds of surviving"


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = titanic_nn.LinearClassifier(epochs=1, n_seeds=2, device="cpu")
    return saved(tmp_path_factory.mktemp("models") / "linear", net)


def test_the_linear_net_is_one_layer(linear: Path) -> None:
    parts: NetParts = read_parts(linear)
    assert parts.model == "linear"
    assert parts.nets == 2
    assert {name: list(tensors) for name, tensors in parts.layers.items()} == {"layer1": ["w", "b"]}


@pytest.mark.parametrize("which", [0, 3])
def test_a_net_that_is_not_there(linear: Path, which: int) -> None:
    with pytest.raises(ConfigError, match=f"net {which}: choose from 1 to 2"):
        read_parts(linear, which)


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        read_parts(tmp_path)
