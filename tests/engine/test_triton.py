"""The kernels train the nets of the other backends: in Triton's interpreter, without a GPU."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from plain import LINEAR as PLAIN_LINEAR
from plain import RELU as PLAIN_RELU
from plain import Table, make_table, one_thread

from titanic_nn.engine.backends.triton_backend import Triton
from titanic_nn.engine.members import Members
from titanic_nn.engine.task import Task
from titanic_nn.engine.train import TrainedNets, make_task, train_nets
from titanic_nn.nets.config import DeepConfig, NetConfig

pytestmark = pytest.mark.triton  # on a GPU, if there is one
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None,
    reason="Triton is not installed here; on Linux the dev extra has it",
)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TABLE = make_table()
LINEAR, RELU = replace(PLAIN_LINEAR, epochs=2), replace(PLAIN_RELU, epochs=2)


@one_thread()
def train(
    trials: Sequence[NetConfig], backend: str, *, table: Table = TABLE, history_points: int = 0
) -> TrainedNets:
    return train_nets(
        table.data,
        Members(trials, n_seeds=1),
        seed=0,
        device=DEVICE,
        history_points=history_points,
        backend=backend,
    )


# Settings that all trials share, and what each trial has for its own.
CASES: dict[str, tuple[NetConfig, list[dict[str, Any]]]] = {
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
    "relu, 20 units": (replace(RELU, hidden_size=20, schedule="cosine"), [{}]),
}


@needs_triton
@pytest.mark.parametrize("case", CASES)
def test_the_kernels_train_the_same_nets(case: str) -> None:
    # Splits of 60, 70, 55 and 90 rows, in three blocks: 4, 5 and 6 steps an epoch.
    shared, own = CASES[case]
    trials = [replace(shared, **values) for values in own]
    eager, triton = train(trials, "eager"), train(trials, "triton")
    for name, p in eager.params.items():
        assert_allclose(triton.params[name].cpu(), p.cpu(), atol=2e-5, err_msg=name)
    assert_allclose(triton.probability.cpu(), eager.probability.cpu(), atol=1e-5)


@needs_triton
def test_training_goes_on_after_a_learning_curve_was_read_off() -> None:
    eager = train([RELU], "eager", history_points=2)
    triton = train([RELU], "triton", history_points=2)
    assert triton.epochs.tolist() == [1, 2]
    assert_allclose(triton.loss.cpu(), eager.loss.cpu(), atol=1e-5)


@needs_triton
def test_a_matrix_of_its_own_for_each_split_wherever_it_lies() -> None:
    # Splits of one step count do not lie side by side in the table: 0 and 2 have four.
    table = Table(TABLE.x[::-1].copy(), TABLE.y, TABLE.splits[::-1])
    triton = train([RELU], "triton", table=table).probability
    assert_allclose(triton.cpu().flip(0), train([RELU], "triton").probability.cpu(), atol=1e-5)


COMPILE_FOR_HOPPER = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from titanic_nn.engine.backends import triton_backend, triton_kernel
data = dict.fromkeys(triton_kernel.Rows._fields, "i32")
data |= dict.fromkeys(("table", "labels"), "*fp32") | dict.fromkeys(("orders", "sizes"), "*i32")
data["split_of_net"] = "*i64"
arrays = dict.fromkeys(triton_kernel.Arrays._fields, "*fp32")
most = {name: getattr(triton_backend, name) for name in ("BATCH_ROWS", "FEATURES", "HIDDEN")}
for kernel in (triton_kernel.train_relu, triton_kernel.train_linear):
    hidden = most["HIDDEN"] if kernel is triton_kernel.train_relu else 0
    tiles = most | {"HIDDEN": max(hidden, 16)}
    constants = {"features": most["FEATURES"] - 1, "hidden": hidden} | tiles
    signature = {
        "data": triton_kernel.Rows(**data),
        "nets": triton_kernel.Arrays(**arrays),
        **dict.fromkeys(("first", "last"), "i32"),
        **dict.fromkeys(constants, "constexpr"),
    }
    compiled = compile(
        ASTSource(kernel, signature, constants),
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": triton_backend.WARPS},
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


def task_with(config: NetConfig, features: int, device: torch.device) -> Task:
    """A task with these nets and so many features, on a device that need not exist."""
    table = make_table(labelled=300, features=features)
    task = make_task(table.data, Members([config], 1), 0, torch.device("cpu"))
    return replace(task, labels=FakeLabels(device))  # type: ignore[arg-type]


class FakeLabels:
    """Labels on a GPU that is not here."""

    shape = (300, 1)

    def __init__(self, device: torch.device) -> None:
        self.device = device


def test_kernels_are_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_with(RELU, 33, torch.device("cpu"))
    assert not Triton().worthwhile(task, part=0)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    assert not Triton().supports(task)


@pytest.mark.parametrize(
    ("config", "features", "fits"),
    [
        (replace(RELU, batch_size=128), 33, True),
        (replace(RELU, hidden_size=64, batch_size=100), 63, True),
        (replace(LINEAR, batch_size=128), 33, True),
        (replace(LINEAR, optimizer="adamw"), 33, True),
        (replace(RELU, hidden_size=65), 33, False),
        (RELU, 64, False),  # the bias takes a column too
        (replace(RELU, batch_size=129), 33, False),
        (replace(RELU, batch_size="all"), 33, False),
        (replace(RELU, loss="squared_error"), 33, False),
        (replace(RELU, optimizer="sgd"), 33, False),
        (DeepConfig(), 33, False),
    ],
)
@pytest.mark.parametrize("generation", [8, 9])
@needs_triton
def test_what_the_tiles_hold_is_supported_on_a_hopper_card(
    monkeypatch: pytest.MonkeyPatch, config: NetConfig, features: int, fits: bool, generation: int
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (generation, 0))
    monkeypatch.setenv("CC", sys.executable)  # any program will do for a compiler here
    task = task_with(config, features, torch.device("cuda"))
    assert Triton().supports(task) == (fits and generation == 9)


def test_nothing_is_supported_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    assert not Triton().supports(task_with(RELU, 33, torch.device("cuda")))
