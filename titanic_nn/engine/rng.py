"""Random numbers keyed by identity: the i-th number of a net depends on its key and i alone.

Each is a hash of (key, purpose, i): a net draws the same alone or among thousands, on CPU or GPU.
The hash is the 32-bit finaliser "lowbias32" that Chris Wellons found by search (2018), applied to a
counter and again to what a 64-bit key makes of it.
"""

import zlib
from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

# XOR with the number shifted by so many bits, then multiply.
LOWBIAS32 = [(16, 0x7FEB352D), (15, 0x846CA68B)]
LAST_SHIFT = 16


def keys(identities: Sequence[Sequence[int]], seed: int) -> Tensor:
    """A 64-bit key for each identity (a tuple of integers >= 0), as int32 (identities, 2)."""
    sequences = [np.random.SeedSequence(seed, spawn_key=tuple(key)) for key in identities]
    words = np.array([sequence.generate_state(2) for sequence in sequences], dtype=np.uint32)
    return torch.from_numpy(words.view(np.int32))


def uniform(key: Tensor, purpose: str, shape: tuple[int, ...], step: int | Tensor = 0) -> Tensor:
    """Numbers from U(0, 1), never 0 or 1, as float32 (..., *shape) for keys (..., 2).

    Purposes and steps have independent numbers; step may be an int32 tensor of one number.
    """
    stream = stream_of(purpose)
    stream -= (stream >> 31) << 32  # the same 32 bits as a signed number
    words = _mix_(_mix_(key ^ stream) + step)
    offset, factor = words.unsqueeze(-1).unbind(-2)  # (..., 1)
    # Every key permutes the same scrambled counter, by its own offset and its own odd factor.
    counter = _mix_(torch.arange(prod(shape), dtype=torch.int32, device=key.device))
    bits = _mix_((counter + offset).mul_(factor | 1))  # (..., prod(shape))
    top = bits.bitwise_right_shift_(9).bitwise_and_(0x7FFFFF)  # 23 bits: with a half, still exact
    return top.to(torch.float32).add_(0.5).mul_(2**-23).view(*key.shape[:-1], *shape)


def stream_of(purpose: str) -> int:
    """32 bits that separate a purpose's numbers from those of others."""
    return zlib.crc32(purpose.encode())


def _mix_(x: Tensor) -> Tensor:
    """lowbias32 on int32, in place."""
    if x.device.type == "cpu":  # twice as fast by numpy, which has unsigned numbers
        bits = x.numpy().view(np.uint32)
        for shift, factor in LOWBIAS32:
            bits ^= bits >> shift
            bits *= factor
        bits ^= bits >> LAST_SHIFT
    else:
        _mix_by_torch(x)
    return x


def _mix_by_torch(x: Tensor) -> None:
    def xor_shifted(shift: int) -> None:
        # torch shifts copies of the sign bit in; the mask removes them.
        x.bitwise_xor_((x >> shift).bitwise_and_(2 ** (32 - shift) - 1))

    for shift, factor in LOWBIAS32:
        xor_shifted(shift)
        x.mul_(factor - (factor >> 31 << 32))  # the same 32 bits as a signed number
    xor_shifted(LAST_SHIFT)
