"""Periodic embeddings against torch's modules, autograd and finite differences; on paper; saved."""

from dataclasses import replace
from math import cos, pi, sin

import numpy as np
import pytest
import torch
from gradients import (
    as_modules,
    check_against_finite_differences,
    check_stacked_nets_against_each_net_alone,
    make_batch,
    make_params,
)
from plain import DEEP, RESNET
from sklearn.datasets import make_moons
from torch.testing import assert_close

from titanic_nn import DeepClassifier
from titanic_nn.config import check_config
from titanic_nn.errors import ConfigError
from titanic_nn.nets import layers
from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import DeepConfig, NetConfig, ResNetConfig
from titanic_nn.nets.registry import spec_of

EMBEDDED = [
    replace(DEEP, n_frequencies=3, frequency_scale=0.3),
    replace(RESNET, n_frequencies=2, embedding_size=3),
]
EACH_NET = pytest.mark.parametrize("config", EMBEDDED, ids=["deep", "resnet"])


def make(config: NetConfig) -> Net:
    value = lambda name: torch.tensor([[getattr(config, name)]]).double()  # noqa: E731
    return spec_of(config).load().from_config(config, value)


@EACH_NET
def test_logits_are_those_of_a_linear_layer_for_each_feature(config: NetConfig) -> None:
    net, batch = make(config), make_batch()
    params = make_params(net)
    assert_close(net.logits(params, batch.x), as_modules(config, params).eval()(batch.x))


@EACH_NET
def test_gradients_are_finite_differences(config: NetConfig) -> None:
    if isinstance(config, ResNetConfig):
        config = replace(config, normalization="layer")  # a prediction's value is the training's
    check_against_finite_differences(make(config), "cross_entropy")


@EACH_NET
def test_stacked_nets_are_each_net_alone(config: NetConfig) -> None:
    if isinstance(config, ResNetConfig):
        config = replace(config, normalization="layer")
    check_stacked_nets_against_each_net_alone(make(config), "cross_entropy")


def test_an_embedding_on_paper() -> None:
    # One feature, one frequency of 1/8: at x = 1 the angle is 45 degrees.
    params = {
        "frequency0": torch.tensor([[[1 / 8]]]),
        "w0": torch.tensor([[[2.0, -1.0], [1.0, 0.0]]]),
        "b0": torch.tensor([[[0.5, 0.0]]]),
    }
    embedded = layers.embed(params, torch.tensor([[1.0]]))
    expected = [2 * sin(pi / 4) + cos(pi / 4) + 0.5, 0.0]  # the second is cut off by the ReLU
    assert_close(embedded, torch.tensor([expected]))


def test_a_net_without_frequencies_reads_features_as_they_are() -> None:
    x = torch.rand(3, 2)
    assert layers.embed(make(DEEP).init(2, 1, lambda _, shape: torch.rand(shape)), x) is x


@pytest.mark.parametrize("name", ["frequency_scale", "embedding_size"])
def test_a_setting_of_no_embedding_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} does nothing with n_frequencies = 0"):
        check_config(DeepConfig, {name: 9})


def test_a_wave_is_learned_that_the_same_net_without_embedding_does_not_follow() -> None:
    x = np.linspace(-2, 2, 400)[:, None]
    y = (np.sin(2 * pi * 1.5 * x[:, 0]) > 0).astype(int)  # six times from class to class
    settings = {"hidden_sizes": (8,), "dropout": 0.0, "epochs": 60, "random_state": 0}
    plain = DeepClassifier(**settings, n_seeds=1).fit(x, y).score(x, y)
    waves = DeepClassifier(**settings, n_seeds=1, n_frequencies=8, frequency_scale=1.0)
    assert waves.fit(x, y).score(x, y) > max(0.95, plain + 0.1)


def test_a_saved_net_and_its_onnx_graph_have_the_embedding(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime")
    from titanic_nn.estimators.onnx import to_onnx
    from titanic_nn.estimators.persistence import load, save

    x, y = make_moons(200, noise=0.2, random_state=0)
    model = DeepClassifier(n_frequencies=4, epochs=5, n_seeds=2, random_state=0).fit(x, y)
    save(model, tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(x), model.predict_proba(x))
    session = onnxruntime.InferenceSession(to_onnx(model))
    (p,) = session.run(["probabilities"], {"x": x.astype(np.float32)})
    np.testing.assert_allclose(p, model.predict_proba(x), atol=1e-5)
