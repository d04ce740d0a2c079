"""A run's nets become a Pipeline, whose nets read the encoder's own columns."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path
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
from titanic_nn.estimators.persistence import load, save
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


EMBEDDED = DeepConfig(epochs=2, n_frequencies=2)


@pytest.mark.parametrize(
    "config",
    [LinearConfig(epochs=2), ReLUConfig(epochs=2), ResNetConfig(epochs=2), EMBEDDED],
    ids=str,
)
def test_the_pipeline_predicts_as_the_trained_nets(
    tmp_path: Path, encoder: Encoder, config: NetConfig
) -> None:
    x = encoder.transform(TITANIC.features.columns(TABLES.train))
    # The nets read two columns more, which are 0 in every row that this encoder encodes.
    names = encoder.feature_names
    for category, last in (("sex", "male"), ("class", "3")):
        names.insert(names.index(f"{category}={last}") + 1, f"{category}=rare")
    columns = [names.index(name) for name in encoder.feature_names]
    wider = np.zeros((len(x), len(names)), np.float32)
    wider[:, columns] = x
    nets = train_nets(
        SplitData(wider[None], TABLES.y, [final_split(len(x), 0)]),
        Members([config], 2),
        seed=3,
        device=torch.device("cpu"),
    )
    params = {name: p[0] for name, p in nets.params.items()}
    model = assemble_pipeline(
        TITANIC, encoder, names, config, params, seed=3, calibration=Calibration()
    )
    found = model.predict_proba(TABLES.train)[:, 1]
    assert_allclose(found, nets.probability[0].mean(0), atol=1e-6)
    read = wider if config is EMBEDDED else x  # what is 0 cannot be left out of an embedding
    assert_array_equal(model[0].transform(TABLES.train), read)
    assert (model[-1].n_seeds, model[-1].n_features_in_) == (2, read.shape[1])
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert_array_equal(again.predict_proba(TABLES.test), model.predict_proba(TABLES.test))
    assert model[-1].random_state == 3
    calibration = Calibration(0.5, 0.1)
    calibrated = assemble_pipeline(
        TITANIC, encoder, names, config, params, seed=3, calibration=calibration
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


def test_a_net_whose_features_cannot_be_left_out_needs_columns_that_can_be_made(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETS, "scaled", NetSpec("scaled", ScaledConfig, f"{__name__}:ScaledNet"))
    monkeypatch.setattr(NetSpec, "load", lambda spec: ScaledNet)
    arguments: Any = {"seed": 0, "calibration": Calibration()}
    for name in ("title=Zar", "deck=rare", "age missing"):
        encoder = copy(encoder)
        encoder.scaling = {n: of for n, of in encoder.scaling.items() if n != name}
        names = [*encoder.feature_names, name]
        with pytest.raises(ConfigError, match=f"the column {name} is not always 0"):
            assemble_pipeline(TITANIC, encoder, names, ScaledConfig(), {}, **arguments)


def test_the_matrix_of_the_features_is_found_by_its_shape() -> None:
    from titanic_nn.estimators.assemble import _first_matrix

    assert _first_matrix(LinearConfig()) == "w"
    for config in (
        ReLUConfig(),
        ResNetConfig(),
        DeepConfig(hidden_sizes=(2, 3), normalization="batch"),
    ):
        assert _first_matrix(config) == "w1"
    assert _first_matrix(EMBEDDED) is None
