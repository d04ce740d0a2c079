"""The small nets of the page to play with."""

from dataclasses import replace

import numpy as np
import pytest
from titanic_tables import bundled

from titanic_nn.analysis import hidden_units
from titanic_nn.analysis.hidden_units import UNITS, small_nets
from titanic_nn.competitions.registry import load_config
from titanic_nn.competitions.titanic.competition import TITANIC


def test_they_are_trained_and_scored_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = bundled()
    nets = small_nets(tables, load_config())
    assert [net.units for net in nets] == list(UNITS)
    for net in nets:
        columns = len(net.encoder.feature_names)
        first = net.params["w1" if net.units else "w"]
        assert first.shape == (columns, net.units or 1)
        assert 0.35 < net.log_loss < 0.5  # 0.67 for the frequencies of the classes
        assert net.rows == 891
    # Its numbers are those of its columns: it predicts its training rows.
    net = nets[-1]
    x = net.encoder.transform(TITANIC.features.columns(tables.train))
    h = np.maximum(0, x @ net.params["w1"] + net.params["b1"])
    right = ((h @ net.params["w2"] + net.params["b2"])[:, 0] > 0) == tables.y
    assert right.mean() > 0.8

    monkeypatch.setattr(hidden_units, "MOST_ROWS", 300)
    fewer = small_nets(tables, replace(load_config(), seed=1))
    assert {net.rows for net in fewer} == {300}
    assert fewer[0].log_loss > nets[0].log_loss
