"""Numbers depend on key, purpose, step and position alone, and are distributed as U(0, 1)."""

import zlib

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy import stats

from titanic_nn.engine import rng

KEYS = rng.keys([(0, 0), (0, 1), (1, 0)], seed=0)  # (3, 2)


def lowbias32(x: int) -> int:
    """Wellons' hash in Python's own integers, which do not overflow."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ x >> 16


def test_known_answers() -> None:
    stream = zlib.crc32(b"dropout1")
    offset, factor = (
        lowbias32((lowbias32(word ^ stream) + 7) % 2**32)
        for word in KEYS[1].numpy().view(np.uint32).tolist()
    )
    expected = []
    for i in range(20):
        bits = lowbias32((lowbias32(i) + offset) * (factor | 1) % 2**32)
        expected.append(((bits >> 9) + 0.5) / 2**23)

    u = rng.uniform(KEYS[1], "dropout1", (4, 5), step=7)
    assert u.dtype == torch.float32
    assert_array_equal(u.flatten(), expected)


def test_a_gpu_s_hash_is_the_cpu_s() -> None:
    words = torch.from_numpy(np.random.default_rng(0).integers(-(2**31), 2**31, 1000, np.int32))
    by_torch = words.clone()
    rng._mix_by_torch(by_torch)
    assert_array_equal(by_torch, rng._mix_(words))


def test_the_keys_are_those_of_numpy_s_seed_sequence() -> None:
    words = np.random.SeedSequence(9, spawn_key=(3, 1)).generate_state(2)
    assert_array_equal(rng.keys([(0,), (3, 1)], seed=9)[1].numpy().view(np.uint32), words)


def test_a_number_depends_on_its_key_and_position_alone() -> None:
    longer = rng.uniform(KEYS, "w", (10, 5))  # (keys, 10, 5)
    shorter = rng.uniform(KEYS[2:], "w", (4, 5))
    assert_array_equal(longer[2, :4], shorter[0])
    assert_array_equal(rng.uniform(KEYS.view(3, 1, 2), "w", (10, 5)).squeeze(1), longer)


def chi_square_p(u: NDArray[np.float32], bins: int) -> float:
    counts = np.bincount((u * bins).astype(np.int64), minlength=bins)
    return float(stats.chisquare(counts).pvalue)


def test_numbers_are_uniform() -> None:
    u = rng.uniform(KEYS[0], "w", (2**21,)).numpy()
    # 16 numbers a bin; p near 1 would be too even to be random.
    assert 0.001 < chi_square_p(u, bins=2**17) < 0.999
    # The bound bites: cut to 16 bits, every other bin stays empty.
    assert chi_square_p(np.floor(u * 2**16) / 2**16, bins=2**17) < 1e-9


def test_numbers_are_never_0_or_1() -> None:
    # Of 2^23 numbers on as many levels this key's happen to meet both the lowest and the highest.
    u = rng.uniform(rng.keys([(6,)], seed=0)[0], "w", (2**23,))
    assert u.min() == 0.5 / 2**23
    assert u.max() == 1 - 0.5 / 2**23


STREAMS = {
    "keys": [(key, "w", 0) for key in rng.keys([(i,) for i in range(12)], seed=0)],
    "seeds": [(rng.keys([(0,)], seed)[0], "w", 0) for seed in range(12)],
    "purposes": [(KEYS[0], f"w{i}", 0) for i in range(12)],
    "steps": [(KEYS[0], "w", step) for step in range(12)],
}


@pytest.mark.parametrize("differ_in", STREAMS)
def test_streams_are_independent(differ_in: str) -> None:
    n = 2**15
    u = torch.stack([rng.uniform(k, name, (n,), step) for k, name, step in STREAMS[differ_in]])
    # Neighbours in a stream too: the same numbers, one place further.
    u = torch.cat([u[:, 1:], u[:, :-1]])  # (24 streams, n - 1)
    correlations = torch.corrcoef(u)[~torch.eye(24, dtype=torch.bool)]
    assert correlations.abs().max() < 4.5 / n**0.5  # 276 pairs: beyond 4.5 sigma once in 500 runs


def test_no_step_repeats_another() -> None:
    first = {float(rng.uniform(KEYS[0], "dropout1", (1,), step)) for step in range(2000)}
    assert len(first) > 1995  # two of 2^23 levels may meet by chance
