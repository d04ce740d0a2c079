"""Every way trains: its held-out loss is below that of predicting the base rate."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain import one_thread

from benchmarks.engine import FOLDS, make_job, measure
from benchmarks.ways import WAYS, Job


@pytest.fixture(scope="module")
def job() -> Job:
    few = make_job("relu", FOLDS, torch.device("cpu")).first(2)
    return replace(few, epochs=3, learning_rate=1e-2)


@one_thread()
def test_every_way_is_timed_and_learns(job: Job) -> None:
    found = measure(job, list(WAYS), repetitions=1)
    rate = job.y.mean()
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    for way, result in found.items():
        assert len(result["nets_per_second"]) == len(result["ours_over_this"]) == 1
        if way != "matrix products alone":
            assert result["log_loss"] < entropy - 0.05
    assert found["ours"]["ours_over_this"] == [1]


@one_thread()
def test_more_seeds_do_not_change_the_first_net_s_loss(job: Job) -> None:
    ours, _ = WAYS["ours"]
    assert replace(job, n_seeds=3).nets == 6
    np.testing.assert_allclose(ours(replace(job, n_seeds=3)), ours(job), rtol=1e-5)
