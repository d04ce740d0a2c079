"""What a training takes at least, against what this machine has: before it begins, without torch.

A lower bound, so that what is refused for it is refused rightly: the products at a core's best
rate, and the tensors that must be in memory at one time.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf
from pathlib import Path

from titanic_nn.errors import ConfigError
from titanic_nn.nets.config import NetConfig, PeriodicEmbedding

OPERATIONS = 1e11  # floating-point operations per second of a core; GPUs are not slower
STEP = 1e-6  # seconds of a step, however small its net
LONGEST = 24 * 3600.0  # seconds; more is refused
# Limits on the memory of a container (cgroups, version 2 and 1), in bytes.
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Cost:
    """A lower bound of what a training takes."""

    what: str  # in words
    seconds: float
    bytes: float


def training_cost(
    name: str,
    config: NetConfig,
    *,
    splits: int,
    n_seeds: int,
    rows: int,
    features: int,
    classes: int = 2,
) -> Cost:
    """The cost of a net with each of so many seeds, on each split of so many rows.

    The nets of a split are in memory together; those of different splits need not be.
    """
    outputs = 1 if classes == 2 else classes
    held, parameters = activations(config, features, outputs), 0
    if isinstance(config, PeriodicEmbedding):
        waves = 2 * config.n_frequencies
        parameters = features * (config.n_frequencies + waves * config.embedding_size)
        features = config.embedded(features)
    widths = (features, *config.layer_widths, outputs)
    parameters += sum((before + 1) * after for before, after in pairwise(widths))
    batch_rows = rows if config.batch_size == "all" else min(rows, config.batch_size)
    steps = ceil(rows / batch_rows) * config.epochs
    cores, nets = os.cpu_count() or 1, splits * n_seeds
    products = 6 * parameters * rows * config.epochs  # forward, and twice as many backward
    # Of a net that trains: parameters, gradient, Adam's state (3); a batch's activations.
    training = 4 * (5 * parameters + batch_rows * held)
    # Of every net of a split: parameters, float64 probabilities. Of all: learning rates, folds.
    kept = n_seeds * (4 * parameters + 8 * rows * outputs)
    return Cost(
        f"{name}: {nets:,} nets of {parameters:,} parameters, {config.epochs:,} epochs each",
        nets * (products / OPERATIONS + steps * STEP) / cores,
        min(nets, cores) * training + kept + 32 * steps + 8 * rows * splits,
    )


def activations(config: NetConfig, features: int, outputs: int) -> int:
    """Numbers that a net computes for a row: of the embedding, and of each layer."""
    embedded = 0
    if isinstance(config, PeriodicEmbedding):
        embedded = features * 2 * config.n_frequencies
        features = config.embedded(features)
    return embedded + sum((features, *config.layer_widths, outputs))


def refuse_too_large(*costs: Cost, longest: float = LONGEST, hint: str = "") -> None:
    """Raise ConfigError where all costs together are more than `longest`, or one needs too much
    memory. `hint` ends the message: what else the user can do.
    """
    has, cores = memory(), os.cpu_count() or 1
    worst = max(costs, key=lambda cost: cost.bytes if cost.bytes > has else cost.seconds / longest)
    if worst.bytes > has or sum(cost.seconds for cost in costs) > longest:
        raise ConfigError(
            f"{worst.what}, would take at least {_duration(worst.seconds)} and "
            f"{_size(worst.bytes)} of memory; this machine has {cores} cores and {_size(has)}. "
            f"Choose smaller settings{hint}"
        )


def memory() -> float:
    """Bytes of memory that this process may use; infinity where the system does not tell."""
    limits = [inf]
    with suppress(AttributeError, OSError, ValueError):  # on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in map(Path, CGROUPS):
        with suppress(OSError, ValueError):  # on another system, or "max"
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


@contextmanager
def memory_faults() -> Iterator[None]:
    """Turn the errors of NumPy, torch and CUDA for want of memory into ConfigError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and " memory" not in str(error):
            raise
        raise ConfigError(
            "the training needs more memory than there is: choose smaller settings, or fewer of "
            "the nets, seeds and trials that are trained together"
        ) from error


def _duration(seconds: float) -> str:
    for unit, length in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"


def _size(bytes: float) -> str:
    return f"{bytes / 2**30:,.1f} GiB"
