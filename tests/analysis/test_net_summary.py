"""A net's summary has the parameters that it predicts with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.pipeline import make_pipeline

import titanic_nn
from titanic_nn.analysis.net_summary import NetSummary, hidden_units, summarize_net, summary_of
from titanic_nn.errors import ConfigError, ModelError

TABLES = titanic_nn.load_tables()
X, Y = TABLES.train, TABLES.y


def saved(folder: Path, net: object) -> Path:
    model = make_pipeline(titanic_nn.CompetitionFeatures(), net).fit(X, Y)
    titanic_nn.save(model, folder)
    return folder


def test_a_forward_pass_over_the_layers_is_the_prediction(tmp_path: Path) -> None:
    net = titanic_nn.ReLUClassifier(
        hidden_size=3, epochs=2, n_seeds=2, standardize=False, random_state=0, device="cpu"
    )
    folder = saved(tmp_path / "relu", net)
    model: Any = titanic_nn.load(folder)
    x = model[0].transform(X)
    p = []
    for which in (1, 2):
        net_of_model = summarize_net(folder, which)
        first, second = net_of_model.layers.values()
        h = np.maximum(0, x @ first["w1"] + first["b1"])
        p.append(expit(h @ second["w2"] + second["b2"]))
    assert np.mean(p, axis=0)[:, 0] == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-5)


def test_hidden_units_are_its_weights() -> None:
    net = titanic_nn.ReLUClassifier(hidden_size=3, epochs=1, n_seeds=2, device="cpu")
    model = make_pipeline(titanic_nn.CompetitionFeatures(), net).fit(X, Y)
    table = hidden_units(summary_of("relu", model))
    weights = {key: rows["weight"].tolist() for key, rows in table.groupby(["side", "name"])}
    for i, name in enumerate(model[0].get_feature_names_out()):
        assert weights.pop(("in", name)) == net.params_["w1"][0, i].tolist()
    assert weights == {("out", "log-odds"): net.params_["w2"][0, :, 0].tolist()}


def test_layers_come_in_order_with_their_shapes(tmp_path: Path) -> None:
    net = titanic_nn.DeepClassifier(
        hidden_sizes=(4, 3),
        epochs=1,
        n_seeds=1,
        normalization="batch",
        activation="tanh",
        device="cpu",
    )
    summary = summarize_net(saved(tmp_path / "deep", net))
    assert list(summary.layers) == ["layer1", "layer2", "layer3"]
    normalized = ["w2", "scale2", "shift2", "running_mean2", "running_variance2"]
    assert list(summary.layers["layer2"]) == normalized
    assert list(summary.layers["layer3"]) == ["w3", "b3"]
    assert summary.layers["layer1"]["w1"].shape == (len(summary.features), 4)
    assert summary.notes["layer1"] == "batch normalization, tanh"
    assert summary.notes["layer3"] == "log-odds of class survived"


def test_normalization_is_noted_where_it_is(tmp_path: Path) -> None:
    net = titanic_nn.ResNetClassifier(epochs=1, n_seeds=1, n_blocks=1, device="cpu")
    summary = summarize_net(saved(tmp_path / "resnet", net))
    notes = ["", "batch normalization", "", "batch normalization, log-odds of class survived"]
    assert list(summary.notes.values()) == notes


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = titanic_nn.LinearClassifier(epochs=1, n_seeds=2, device="cpu")
    return saved(tmp_path_factory.mktemp("models") / "linear", net)


def test_the_linear_net_is_one_layer(linear: Path) -> None:
    summary: NetSummary = summarize_net(linear)
    assert summary.model == "linear"
    assert summary.n_seeds == 2
    assert {name: list(tensors) for name, tensors in summary.layers.items()} == {
        "layer1": ["w", "b"]
    }


@pytest.mark.parametrize("which", [0, 3])
def test_a_net_that_is_not_there(linear: Path, which: int) -> None:
    with pytest.raises(ConfigError, match=f"net {which}: choose from 1 to 2"):
        summarize_net(linear, which)


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        summarize_net(tmp_path)
