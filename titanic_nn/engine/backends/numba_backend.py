"""An epoch of plain nets, compiled for the CPU: one net after the other.

A stack of nets goes through memory once for every operation of a step. One net alone fits a core's
nearest cache, with its table, its parameters and Adam's memory of them; only Python is too slow to
walk through it. numba compiles the plain loops of loops.py, which train twice as fast as stacked
tensors. They are used where a job is long enough to be worth the seconds that compiling takes, and
needed nowhere: tests hold them to the same plain loop as every other road.
"""

from collections.abc import Callable
from importlib import import_module

import numpy as np
from torch import Tensor

from titanic_nn.engine import rng
from titanic_nn.engine.batches import Batches
from titanic_nn.engine.members import Hyperparameters
from titanic_nn.nets.optimizers import State
from titanic_nn.nets.config import DeepConfig, NetConfig

# Products of a row and a parameter from which compiling pays: a few seconds' work.
WORTH_COMPILING = 2**32
# As many such products as a step of stacked tensors takes the time of, however few its nets.
STACKED_STEP = 2**17


def is_plain(config: NetConfig) -> bool:
    """Whether it is a net of ReLUs with a loss and an optimizer that loops.py has."""
    if isinstance(config, DeepConfig) and (
        config.activation != "relu" or config.normalization != "none"
    ):
        return False
    return config.loss == "cross_entropy" and config.optimizer in ("adam", "adamw")


def can_compile(config: NetConfig) -> bool:
    """Whether loops.py has it, and can be compiled here."""
    if not is_plain(config):
        return False
    try:
        import_module("titanic_nn.engine.backends.numba_loops")
    except (ImportError, RuntimeError):  # no numba, or nowhere to keep what it compiles
        return False
    return True


def worth_compiling(config: NetConfig, parameters: int, rows: int, steps: int) -> bool:
    """Whether it can be compiled, and an epoch has enough to do: `rows` of all nets, `steps`."""
    products = config.epochs * (rows * parameters + steps * STACKED_STEP)
    return products >= WORTH_COMPILING and can_compile(config)


def compiled_epoch(
    own: Hyperparameters,
    keys: Tensor,
    batches: Batches,
    flat: Tensor,
    state: State,
    rates: Tensor,
    is_weight: Tensor,
) -> Callable[[], None]:
    """What trains these nets for the next epoch, on memory that it shares with the tensors.

    keys: of the nets' random numbers (nets, 2); flat: parameters (nets, parameters); state: Adam's;
    rates: (all steps, nets, 1); is_weight: (parameters,), 1 where decay and penalties apply.
    """
    from titanic_nn.engine.backends.numba_loops import train_epoch

    hidden = own.members.shared.layer_widths
    widths = np.array([batches.table.shape[1], *hidden, 1])
    dropout = np.zeros(len(flat), np.float32)
    if isinstance(own.members.shared, DeepConfig):
        dropout = own.value("dropout").squeeze(-1).numpy()
    streams = np.array(
        [rng.stream_of(f"dropout{i}") for i in range(1, len(hidden) + 1)], np.uint32
    )
    by_net = rates.squeeze(-1).T.contiguous().numpy()  # (nets, all steps)
    decay, l1, l2 = ((own.value(name) * is_weight).numpy() for name in ("weight_decay", "l1", "l2"))
    before = 0

    def run() -> None:
        nonlocal before
        steps = slice(before, before + batches.steps)
        train_epoch(
            batches.table.numpy(),
            batches.rows.numpy(),
            batches.counts,
            batches.epoch_targets.squeeze(-1).numpy(),
            widths,
            flat.numpy(),
            state["mean"].numpy(),
            state["square"].numpy(),
            by_net[:, steps],
            decay,
            l1,
            l2,
            dropout,
            keys.numpy().view(np.uint32),
            streams,
            before,
        )
        before += batches.steps

    return run
