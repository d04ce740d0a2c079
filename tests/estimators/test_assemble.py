"""A run's nets become a Pipeline, whose nets read the encoder's own columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from titanic_nn import load_tables
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import FeatureConfig
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.assemble import assemble_pipeline
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.nets.batch import Params, Uniform
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.registry import NETS, NetSpec
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.splits import final_split

TABLES = load_tables()
TITANIC = get_competition("titanic")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    rows = TITANIC.features.columns(TABLES.train)
    return Encoder(TITANIC.features, FeatureConfig()).fit(rows, TABLES.y)


@pytest.mark.parametrize(
    "config", [LinearConfig(epochs=2), ReLUConfig(epochs=2), ResNetConfig(epochs=2)], ids=str
)
def test_the_pipeline_predicts_as_the_trained_nets(encoder: Encoder, config: NetConfig) -> None:
    x = encoder.transform(TITANIC.features.columns(TABLES.train))
    # The nets read two columns more, which are 0 in every row that this encoder encodes.
    wider = np.insert(x, [0, 5], 0, axis=1)
    columns = np.delete(np.arange(wider.shape[1]), [0, 6]).tolist()
    nets = train_nets(
        SplitData(wider[None], TABLES.y, [final_split(len(x), 0)]),
        Members([config], 2),
        seed=3,
        device=torch.device("cpu"),
    )
    params = {name: p[0] for name, p in nets.params.items()}
    model = assemble_pipeline(
        TITANIC, encoder, columns, config, params, seed=3, calibration=Calibration()
    )
    found = model.predict_proba(TABLES.train)[:, 1]
    assert_allclose(found, nets.probability[0].mean(0), atol=1e-6)
    assert_array_equal(model[0].transform(TABLES.train), x)
    assert (model[-1].n_seeds, model[-1].n_features_in_) == (2, x.shape[1])
    assert model[-1].random_state == 3
    calibration = Calibration(0.5, 0.1)
    calibrated = assemble_pipeline(
        TITANIC, encoder, columns, config, params, seed=3, calibration=calibration
    )
    expected = calibration(nets.probability[0].mean(0).numpy())
    assert_allclose(calibrated.predict_proba(TABLES.train)[:, 1], expected, atol=1e-6)


@dataclass(frozen=True)
class ScaledNet(LinearNet):
    """A net in which two parameters have the features' number."""

    def init(self, features: int, outputs: int, uniform: Uniform) -> Params:
        params = super().init(features, outputs, uniform)
        return params | {"scale": uniform("scale", (1, features))}


class ScaledConfig(LinearConfig):
    """The settings of ScaledNet."""


def test_a_net_whose_features_cannot_be_left_out_is_refused(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETS, "scaled", NetSpec("scaled", ScaledConfig, f"{__name__}:ScaledNet"))
    monkeypatch.setattr(NetSpec, "load", lambda spec: ScaledNet)
    arguments: Any = {"seed": 0, "calibration": Calibration()}
    with pytest.raises(ConfigError, match=r"ScaledConfig: .* in w, scale"):
        assemble_pipeline(TITANIC, encoder, [0], ScaledConfig(), {}, **arguments)


def test_the_matrix_of_the_features_is_found_by_its_shape() -> None:
    from titanic_nn.estimators.assemble import _first_matrix

    assert _first_matrix(LinearConfig()) == "w"
    for config in (
        ReLUConfig(),
        ResNetConfig(),
        DeepConfig(hidden_sizes=(2, 3), normalization="batch"),
    ):
        assert _first_matrix(config) == "w1"
