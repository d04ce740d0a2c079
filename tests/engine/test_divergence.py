"""A net that diverges is never silent, whatever trained it."""

from dataclasses import replace
from importlib.util import find_spec
from typing import Literal

import numpy as np
import pytest
import torch
from plain import CPU, DEEP, LINEAR, RELU, RESNET, make_table, one_thread

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import TrainedNets, divergence, train_nets
from titanic_nn.errors import DivergenceError
from titanic_nn.nets.config import NetConfig

TABLE = make_table()
HUGE = 1e25  # a learning rate with which AdamW's decay alone multiplies weights beyond float32
HAS_TRITON = find_spec("triton") is not None
OF_TRITON = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed here")
BACKENDS = ["eager", "numba", pytest.param("triton", marks=OF_TRITON)]


@one_thread()
def train(*trials: NetConfig, points: int = 0, **options: object) -> TrainedNets:
    return train_nets(
        TABLE.data,
        Members(trials, n_seeds=2),
        seed=0,
        device=CPU,
        history_points=points,
        **options,  # type: ignore[arg-type]
    )


def diverging(net: NetConfig) -> NetConfig:
    return replace(net, optimizer="adamw", weight_decay=1.0, learning_rate=HUGE)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's, in Triton's interpreter
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_refuses_a_net_that_diverged(backend: str) -> None:
    # Of four splits, two trials and two seeds the second trial's eight nets diverge.
    trials = replace(RELU, optimizer="adamw", weight_decay=0.1), diverging(RELU)
    with pytest.raises(DivergenceError) as caught:
        train(*trials, backend=backend)
    assert str(caught.value) == (
        "relu diverged: 8 of 16 nets are no longer finite. The first is that of seed 0 on "
        f"{TABLE.splits[0]}, by epoch {4 if backend == 'triton' else 1} of 4. "
        "Choose smaller values of learning_rate (1e+25) or weight_decay (1)"
    )
    assert isinstance(caught.value, ValueError)
    nets = train(*trials, backend=backend, keep_diverged=True)
    assert (nets.diverged[:, :2] == 0).all()
    assert (nets.diverged[:, 2:] > 0).all()
    assert nets.probability[:, :2].isfinite().all()


@pytest.mark.parametrize("net", [LINEAR, RELU, DEEP, RESNET], ids=lambda net: type(net).__name__)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_net_and_optimizer(
    net: NetConfig, optimizer: Literal["sgd", "adam", "adamw"]
) -> None:
    weight_decay = 1.0 if optimizer == "adamw" else 0.0
    bad = replace(net, optimizer=optimizer, weight_decay=weight_decay, learning_rate=1e30)
    if net is LINEAR and optimizer != "adamw":  # its gradients are bounded: of no use, yet finite
        assert train(bad, points=2).loss[..., 0].isfinite().all()
        return
    with pytest.raises(DivergenceError, match=r"8 of 8 nets .* by epoch \d of 4\. .*\(1e\+30\)"):
        train(bad)


def test_the_epoch_is_where_the_learning_curve_stops_being_finite() -> None:
    # Decay takes 4.5 weights off each, and leaves it 3.5 times as large: 2**128 is 70 steps away.
    slowly = replace(diverging(RELU), learning_rate=4.5, epochs=40)
    nets = train(slowly, points=40, keep_diverged=True)
    first_bad = 1 + np.isfinite(nets.loss[..., 0].numpy()).argmin(-1)
    assert (nets.diverged.numpy() > 1).all()
    np.testing.assert_array_equal(nets.diverged, first_bad)


def test_nets_that_learn_are_not_suspected() -> None:
    nets = train(LINEAR, points=2)
    assert not nets.diverged.any()
    assert divergence(torch.zeros(4, 2), TABLE.splits, Members([LINEAR], 2)) is None
