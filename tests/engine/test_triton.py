"""The kernels train the nets that the other roads train: in Triton's interpreter, without a GPU."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from plain import Table, make_table, one_thread

from titanic_nn.engine.members import Members
from titanic_nn.engine.backends.triton_backend import fits_on_chip
from titanic_nn.engine.train import BackendName, TrainedNets, train_nets
from titanic_nn.config import DeepConfig, LinearConfig, ReLUConfig

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None,
    reason="Triton is not installed here; on Linux the dev extra has it",
)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TABLE = make_table()
LINEAR = LinearConfig(epochs=2, batch_size=16)
RELU = ReLUConfig(epochs=2, batch_size=16, hidden=8)


@one_thread()
def train(
    trials: list[LinearConfig], backend: BackendName, *, table: Table = TABLE, history_points: int = 0
) -> TrainedNets:
    return train_nets(
        table.x,
        table.y,
        table.splits,
        Members(trials, n_seeds=1),
        seed=0,
        device=DEVICE,
        history_points=history_points,
        backend=backend,
    )


# Settings that all trials share, and what each trial has for its own.
CASES: dict[str, tuple[LinearConfig, list[dict[str, Any]]]] = {
    "linear": (LINEAR, [{}, {"learning_rate": 0.1}, {"l1": 0.1}, {"l2": 0.5}]),
    "linear, AdamW, all rows": (
        replace(LINEAR, batch_size="all", optimizer="adamw", epochs=4),
        [{"weight_decay": 3.0}, {"weight_decay": 1.0, "learning_rate": 0.02}],
    ),
    "relu": (RELU, [{}, {"learning_rate": 0.03}, {"l1": 0.01}, {"l2": 0.1}]),
    "relu, AdamW, one cycle": (
        replace(RELU, optimizer="adamw", schedule="one_cycle"),
        [{}, {"weight_decay": 3.0}, {"weight_decay": 1.0, "learning_rate": 0.02}],
    ),
    "relu, 20 units": (replace(RELU, hidden=20, schedule="cosine"), [{}]),
}


@needs_triton
@pytest.mark.parametrize("case", CASES)
def test_the_kernels_train_the_same_nets(case: str) -> None:
    # Splits of 60, 70, 55 and 90 rows, in three blocks: 4, 5 and 6 steps an epoch.
    shared, own = CASES[case]
    trials = [replace(shared, **values) for values in own]
    stacked, on_chip = train(trials, "stacked"), train(trials, "on chip")
    for name, p in stacked.params.items():
        assert_allclose(on_chip.params[name].cpu(), p.cpu(), atol=2e-5, err_msg=name)
    assert_allclose(on_chip.probability.cpu(), stacked.probability.cpu(), atol=1e-5)


@needs_triton
def test_training_goes_on_after_a_learning_curve_was_read_off() -> None:
    stacked = train([RELU], "stacked", history_points=2)
    on_chip = train([RELU], "on chip", history_points=2)
    assert on_chip.epochs.tolist() == [1, 2]
    assert_allclose(on_chip.loss.cpu(), stacked.loss.cpu(), atol=1e-5)


@needs_triton
def test_a_matrix_of_its_own_for_each_split_wherever_it_lies() -> None:
    # Splits of one step count do not lie side by side in the table: 0 and 2 have four.
    table = Table(TABLE.x[::-1].copy(), TABLE.y, TABLE.splits[::-1])
    on_chip = train([RELU], "on chip", table=table).probability
    assert_allclose(on_chip.cpu().flip(0), train([RELU], "on chip").probability.cpu(), atol=1e-5)


COMPILE_FOR_HOPPER = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from titanic_nn.engine import kernels, on_chip
types = dict.fromkeys(("orders", "sizes"), "*i32") | {"which": "*i64"}
for kernel, hidden in ((kernels.train_relu, on_chip.HIDDEN), (kernels.train_linear, 0)):
    tiles = {"PLACES": on_chip.PLACES, "FEATURES": on_chip.FEATURES, "HIDDEN": max(hidden, 16)}
    constants = {"features": on_chip.FEATURES - 1, "hidden": hidden} | tiles
    pointers = kernel.arg_names[: kernel.arg_names.index("first")]
    signature = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(pointers, "*fp32")
    signature |= types | dict.fromkeys(constants, "constexpr")
    compiled = compile(
        ASTSource(kernel, signature, constants),
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": on_chip.WARPS},
    )
    print(compiled.metadata.shared)
"""


@needs_triton
def test_the_largest_tiles_fit_a_hopper_card(tmp_path: Path) -> None:
    # The interpreter knows no limits; the compiler, which needs no GPU either, tells them.
    env = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE_FOR_HOPPER],
        capture_output=True,
        text=True,
        env=env | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert not done.returncode, done.stderr
    shared = [int(size) for size in done.stdout.split()]
    assert len(shared) == 2
    assert max(shared) <= 227 * 1024  # bytes a block may take on an H100 or H200


def test_kernels_are_for_a_gpu() -> None:
    assert not fits_on_chip(Members([RELU], 1), 33, 128, torch.device("cpu"))


@pytest.mark.parametrize(
    ("settings", "features", "places", "fits"),
    [
        (RELU, 33, 128, True),
        (replace(RELU, hidden=64), 63, 100, True),
        (LINEAR, 33, 128, True),
        (replace(LINEAR, optimizer="adamw"), 33, 128, True),
        (replace(RELU, hidden=65), 33, 128, False),
        (RELU, 64, 128, False),  # the bias takes a column too
        (RELU, 33, 129, False),
        (replace(RELU, loss="squared_error"), 33, 128, False),
        (replace(RELU, optimizer="sgd"), 33, 128, False),
        (DeepConfig(), 33, 128, False),
    ],
)
@pytest.mark.parametrize("generation", [8, 9])
@needs_triton
def test_what_fits_on_chip(
    monkeypatch: pytest.MonkeyPatch,
    config: LinearConfig,
    features: int,
    places: int,
    fits: bool,
    generation: int,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (generation, 0))
    monkeypatch.setenv("CC", sys.executable)  # any program will do for a compiler here
    found = fits_on_chip(Members([config], 1), features, places, torch.device("cuda"))
    assert found == (fits and generation == 9)


def test_nothing_fits_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    assert not fits_on_chip(Members([RELU], 1), 33, 128, torch.device("cuda"))
