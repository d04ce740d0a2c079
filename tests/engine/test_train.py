"""Nets trained at once equal those of a plain loop, and do not depend on each other."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from plain import (
    DEEP,
    LINEAR,
    RELU,
    RESNET,
    Table,
    backends_of,
    make_table,
    one_thread,
    train_alone,
)
from torch.nn import functional

from titanic_nn.engine.device import torch_threads
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, TrainedNets, train_nets
from titanic_nn.nets.config import NetConfig

TABLE = make_table()
CPU = torch.device("cpu")


@one_thread()
def train(
    trials: Sequence[NetConfig], *, n_seeds: int = 1, table: Table = TABLE, **options: Any
) -> TrainedNets:
    chosen: dict[str, Any] = {"seed": 0, "device": CPU} | options
    return train_nets(table.data, Members(trials, n_seeds), **chosen)


def with_splits(table: Table, chosen: list[int]) -> Table:
    return Table(table.x[chosen], table.y, [table.splits[i] for i in chosen])


# Settings that all trials share, and what each trial has for its own.
CASES: dict[str, tuple[NetConfig, list[dict[str, Any]]]] = {
    "linear": (LINEAR, [{}, {"learning_rate": 0.1}, {"l1": 0.1}, {"l2": 0.5}]),
    "linear, gradient descent": (
        replace(LINEAR, batch_size="all", optimizer="sgd", epochs=20),
        [{"learning_rate": 0.5}, {"learning_rate": 0.5, "momentum": 0.9}],
    ),
    "linear, squared error": (replace(LINEAR, loss="squared_error"), [{}]),
    "linear, absolute error": (replace(LINEAR, loss="absolute_error"), [{}]),
    "linear, cosine": (replace(LINEAR, schedule="cosine", initialization="he"), [{}]),
    "linear, one cycle": (replace(LINEAR, schedule="one_cycle", initialization="fastai"), [{}]),
    "relu": (RELU, [{}, {"learning_rate": 0.03}, {"l1": 0.01}, {"l2": 0.1}]),
    "relu, SGD": (
        replace(RELU, optimizer="sgd", initialization="xavier"),
        [{"learning_rate": 0.1}, {"learning_rate": 0.2, "momentum": 0.5}],
    ),
    "relu, AdamW": (
        replace(RELU, optimizer="adamw", schedule="one_cycle", initialization="fastai"),
        [{}, {"weight_decay": 3.0}, {"weight_decay": 1.0, "learning_rate": 0.02}],
    ),
    "relu, all rows": (replace(RELU, batch_size="all"), [{}, {"l2": 0.1}]),
    "deep": (DEEP, [{}, {"dropout": 0.3}, {"learning_rate": 0.03, "l1": 0.01, "dropout": 0.6}]),
    "deep, AdamW": (
        replace(DEEP, optimizer="adamw", schedule="cosine"),
        [{"weight_decay": 3.0, "dropout": 0.2}, {"l2": 0.1}],
    ),
    "deep, all rows": (replace(DEEP, batch_size="all", epochs=10), [{}, {"dropout": 0.5}]),
    "deep, batch norm": (
        replace(DEEP, normalization="batch", activation="tanh", optimizer="sgd"),
        [{"learning_rate": 0.1}, {"learning_rate": 0.3, "momentum": 0.5, "dropout": 0.3}],
    ),
    "deep, batch norm, Adam": (
        replace(DEEP, normalization="batch"),
        [{}, {"learning_rate": 0.03, "dropout": 0.3}],
    ),
    "deep, layer norm": (
        replace(DEEP, normalization="layer", activation="gelu", initialization="xavier"),
        [{}, {"dropout": 0.3, "l2": 0.1}],
    ),
    "deep, leaky ReLU": (replace(DEEP, activation="leaky_relu", loss="squared_error"), [{}]),
    "deep, sigmoid": (replace(DEEP, activation="sigmoid", loss="absolute_error"), [{}]),
    "resnet": (
        RESNET,
        [{}, {"hidden_dropout": 0.3}, {"residual_dropout": 0.4, "learning_rate": 0.03, "l1": 0.01}],
    ),
    "resnet, layer norm, AdamW": (
        replace(RESNET, normalization="layer", optimizer="adamw", schedule="cosine", n_blocks=1),
        [{"weight_decay": 1.0}, {"hidden_dropout": 0.2, "residual_dropout": 0.2, "l2": 0.1}],
    ),
    "resnet, SGD": (
        replace(RESNET, optimizer="sgd", initialization="xavier", batch_size="all"),
        [{"learning_rate": 0.1}, {"learning_rate": 0.2, "momentum": 0.5}],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_member_equals_the_same_net_trained_alone(case: str) -> None:
    # The four splits take 4, 5, 4 and 6 steps of 16 rows: three programs, put back in order.
    shared, own = CASES[case]
    trials = [replace(shared, **values) for values in own]
    together = train(trials, n_seeds=2).probability.numpy()  # (splits, members, rows)

    assert together.shape == (4, 2 * len(trials), 100)
    for split in range(4):
        for trial, config in enumerate(trials):
            for number in range(2):
                alone = train_alone(TABLE, split, config, number=number)
                assert_allclose(together[split, 2 * trial + number], alone, atol=3e-6)


@pytest.mark.parametrize("columns", [[1, 3], [0, 1, 2, 3]], ids=["some", "all"])
@pytest.mark.parametrize(
    "config",
    [
        LINEAR,
        RELU,
        replace(RELU, hidden_size=64),
        replace(DEEP, hidden_sizes=(65, 3), dropout=0.3),
    ],
    ids=["linear", "narrow", "wide", "deep"],
)
def test_columns_of_zeros_enter_as_in_a_plain_loop(config: NetConfig, columns: list[int]) -> None:
    # Wide compiled nets skip the zeros of sparse columns. These are chosen by the first matrix, and
    # may have few zeros in another one, as the third here.
    x = TABLE.x.copy()
    x[:2, 10:, columns], x[3, 20:, columns] = 0, 0
    table = replace(TABLE, x=x)
    assert "numba" in backends_of(config)
    together = train([config], n_seeds=2, table=table, backend="numba").probability.numpy()
    for split in range(4):
        for number in range(2):
            alone = train_alone(table, split, config, number=number)
            assert_allclose(together[split, number], alone, atol=3e-6)


@pytest.mark.parametrize("backend", ["eager", "numba"])
@pytest.mark.parametrize("config", [LINEAR, RELU], ids=["linear", "relu"])
def test_weights_that_decay_become_zero_before_they_are_subnormal(
    config: NetConfig, backend: str
) -> None:
    # A column of zeros has no gradient: AdamW halves its weights in each of 34 epochs of 4 steps,
    # and 2**-136 would be subnormal. Computing with such numbers is slow on many processors.
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush subnormal numbers to 0")
    torch.set_flush_denormal(False)
    table = with_splits(TABLE, [0])
    table.x[:, :, 0] = 0
    halving: dict[str, Any] = {
        "optimizer": "adamw",
        "learning_rate": 0.05,
        "weight_decay": 10.0,
        "epochs": 34,
    }
    nets = train([replace(config, **halving)], table=table, backend=backend)
    assert (nets.params["w" if config is LINEAR else "w1"][:, :, 0] == 0).all()
    for p in nets.params.values():
        assert not ((p != 0) & (p.abs() < torch.finfo(torch.float32).tiny)).any()


# Three classes; and rows that count up to 20 times as much as others.
KINDS = np.digitize(TABLE.x[0, : len(TABLE.y), 0], [-0.5, 0.5])
CLASSES = replace(TABLE, y=np.eye(3, dtype=np.int64)[KINDS])
WEIGHTS = np.random.default_rng(1).uniform(0.1, 2, len(TABLE.y)).astype(np.float32)
TABLES = {
    "classes": CLASSES,
    "weights": replace(TABLE, weights=WEIGHTS),
    "classes and weights": replace(CLASSES, weights=WEIGHTS),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
@pytest.mark.parametrize("batch_size", [16, "all"])
@pytest.mark.parametrize(
    "config",
    [LINEAR, RELU, replace(DEEP, dropout=0.3), replace(DEEP, normalization="batch"), RESNET],
    ids=["linear", "relu", "dropout", "batch norm", "resnet"],
)
def test_classes_and_weights_enter_as_in_a_plain_loop(
    config: NetConfig, batch_size: Any, table: Table
) -> None:
    config = replace(config, batch_size=batch_size)
    together = train([config], n_seeds=2, table=table).probability.numpy()
    assert together.shape == (4, 2, 100, *table.y.shape[1:])
    for split in range(4):
        alone = train_alone(table, split, config, number=1)
        assert_allclose(together[split, 1], alone, atol=3e-6)


def test_learning_curves_of_classes_are_the_losses_of_the_rows() -> None:
    nets = train([RELU], table=CLASSES)
    p = nets.probability[0, 0]  # (rows, 3)
    assert_allclose(p.sum(-1), np.ones(100))
    for side, rows in enumerate((TABLE.splits[0].train, TABLE.splits[0].held_out)):
        loss = functional.nll_loss(p[rows].log(), torch.from_numpy(KINDS[rows]))
        right = (p[rows].argmax(-1).numpy() == KINDS[rows]).mean()
        assert_allclose(nets.loss[0, 0, -1, side], loss, atol=1e-6)
        assert_allclose(nets.accuracy[0, 0, -1, side], right, atol=1e-6)


def test_only_the_ratios_of_weights_matter() -> None:
    table = TABLES["weights"]
    fivefold = replace(table, weights=5 * WEIGHTS)
    assert_allclose(
        train([RELU], table=fivefold).probability,
        train([RELU], table=table).probability,
        atol=1e-6,
    )


NUMBA_CASES = [case for case in CASES if "numba" in backends_of(CASES[case][0])]


@pytest.mark.parametrize("case", NUMBA_CASES)
def test_a_member_trained_by_numba_equals_the_same_net_trained_alone(case: str) -> None:
    shared, own = CASES[case]
    trials = [replace(shared, **values) for values in own]
    together = train(trials, n_seeds=2, backend="numba").probability.numpy()
    for split in range(4):
        for trial, config in enumerate(trials):
            alone = train_alone(TABLE, split, config, number=1)
            assert_allclose(together[split, 2 * trial + 1], alone, atol=3e-6)


@pytest.mark.parametrize("backend", ["eager", "numba"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("floats", [1, 2**12])
def test_blocks_of_any_size_give_the_same_nets(
    monkeypatch: pytest.MonkeyPatch, floats: int, threads: int, backend: str
) -> None:
    with torch_threads(1):
        whole = train([RELU], n_seeds=4, backend=backend).probability
    monkeypatch.setattr("titanic_nn.engine.train.CPU_BLOCK", floats)
    with torch_threads(threads):
        some = train([RELU], n_seeds=4, backend=backend).probability
    assert_allclose(some, whole, atol=1e-6)


class EncodedOnDemand:
    """The table's matrices on demand, and how many were asked for at a time."""

    shape = (4, *TABLE.x.shape[1:])

    def __init__(self) -> None:
        self.asked: list[int] = []

    def encode(self, splits: Sequence[int]) -> NDArray[np.float32]:
        self.asked.append(len(splits))
        return TABLE.x[splits]


@one_thread()
@pytest.mark.parametrize("backend", ["eager", "numba"])
def test_matrices_can_be_made_when_a_block_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    members = Members([RELU], n_seeds=3)
    train = partial(train_nets, seed=0, device=CPU, backend=backend)
    whole = train(TABLE.data, members)
    monkeypatch.setattr("titanic_nn.engine.train.CPU_BLOCK", 1)  # a net a block
    x = EncodedOnDemand()
    parts = train(SplitData(x, TABLE.y, TABLE.splits), members)
    assert x.asked == [1] * 12
    assert_allclose(parts.probability, whole.probability, atol=1e-6)
    assert_allclose(parts.loss, whole.loss, atol=1e-6)


COMPANY = {
    "another trial": lambda trial: train([trial, replace(trial, learning_rate=0.05)]),
    "more seeds": lambda trial: train([trial], n_seeds=5),
}
ONE_OF_EACH: list[NetConfig] = [
    LINEAR,
    RELU,
    replace(DEEP, dropout=0.3),
    replace(DEEP, normalization="batch"),
    replace(DEEP, normalization="layer"),
    replace(RESNET, hidden_dropout=0.3, residual_dropout=0.2),
]
EACH = pytest.mark.parametrize(
    "trial", ONE_OF_EACH, ids=["linear", "relu", "dropout", "batch norm", "layer norm", "resnet"]
)


@EACH
@pytest.mark.parametrize("company", COMPANY)
def test_other_members_do_not_change_a_net(trial: NetConfig, company: str) -> None:
    alone = train([trial]).probability[:, 0]
    among = COMPANY[company](trial).probability[:, 0]
    assert_allclose(among, alone, atol=1e-6)


@EACH
def test_other_splits_do_not_change_a_net(trial: NetConfig) -> None:
    together = train([trial]).probability
    for split in range(4):
        alone = train([trial], table=with_splits(TABLE, [split])).probability[0]
        assert_allclose(alone, together[split], atol=1e-6)


def test_seeds_have_different_weights_and_trials_the_same() -> None:
    # Trials of one seed share their weights and batches, so that only their settings differ.
    twins = train([RELU, RELU], n_seeds=2).probability  # (splits, 4 members, rows)
    assert_allclose(twins[:, :2], twins[:, 2:], atol=1e-6)
    assert (twins[:, 0] - twins[:, 1]).abs().max() > 0.01


def test_another_random_seed_gives_other_nets() -> None:
    assert (train([RELU]).probability - train([RELU], seed=1).probability).abs().max() > 0.01


PRINT_TWO_HASHES = """
import hashlib
import torch
from dataclasses import replace
from plain import DEEP, RELU, RESNET, make_table
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
for _ in range(2):
    bits = hashlib.sha256()
    for trial in (RELU, replace(DEEP, dropout=0.3, normalization="batch"), RESNET):
        members = Members([trial], n_seeds=3)
        nets = train_nets(make_table().data, members, seed=0, device=torch.device("cpu"))
        bits.update(nets.probability.numpy().tobytes())
    print(bits.hexdigest())
"""


def test_the_same_seed_gives_the_same_bits() -> None:
    # Twice in one process, in each of two fresh ones, in two threads.
    hashes = []
    for _ in range(2):
        fresh = subprocess.run(
            [sys.executable, "-c", PRINT_TWO_HASHES],
            capture_output=True,
            check=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "2"},
        )
        hashes += fresh.stdout.split()
    assert len(hashes) == 4
    assert len(set(hashes)) == 1


@EACH
def test_training_reads_no_held_out_row(trial: NetConfig) -> None:
    split = TABLE.splits[0]
    x, y = TABLE.x[:1].copy(), TABLE.y.copy()
    y[split.held_out] = 1 - y[split.held_out]
    x[0, split.held_out] += 10
    x[0, len(y) :] -= 10
    before = train([trial], table=with_splits(TABLE, [0]))
    after = train([trial], table=Table(x, y, [split]))

    for name, p in before.params.items():
        assert_array_equal(after.params[name], p, err_msg=name)
    assert_array_equal(after.probability[..., split.train], before.probability[..., split.train])


def test_learning_curves_are_the_losses_of_the_rows() -> None:
    nets = train([RELU], n_seeds=2, history_points=2)

    assert nets.epochs.tolist() == [2, 4]
    assert nets.loss.shape == nets.accuracy.shape == (4, 2, 2, 2)
    y = torch.from_numpy(TABLE.y).double()
    for i, split in enumerate(TABLE.splits[:3]):
        for member in range(2):
            p = nets.probability[i, member]
            for side, rows in enumerate((split.train, split.held_out)):
                loss = functional.binary_cross_entropy(p[rows], y[rows])
                right = ((p[rows] >= 0.5) == (y[rows] == 1)).double().mean()
                assert_allclose(nets.loss[i, member, -1, side], loss, atol=1e-6)
                assert_allclose(nets.accuracy[i, member, -1, side], right, atol=1e-6)


def test_learning_curves_follow_the_epochs() -> None:
    # After two of four epochs a net is where one of two epochs ends.
    early = train([replace(RELU, epochs=2)])
    assert_allclose(train([RELU], history_points=2).loss[:, :, 0], early.loss[:, :, 0], rtol=1e-5)


def test_the_final_fit_holds_out_no_label() -> None:
    nets = train([RELU])
    assert nets.loss[3, ..., 1].isnan().all()
    assert nets.accuracy[3, ..., 1].isnan().all()
    assert nets.loss[3, ..., 0].isfinite().all()


@pytest.mark.parametrize("points", [1, 3, 7, 20])
def test_curves_are_read_off_at_the_end_and_evenly_before(points: int) -> None:
    epochs = train([replace(LINEAR, epochs=7)], history_points=points).epochs
    assert len(epochs) == min(points, 7)
    assert epochs[-1] == 7
    assert set(np.diff(epochs)) <= {7 // points, 7 // points + 1}


def test_progress_adds_up_to_the_whole_work() -> None:
    shares: list[float] = []
    train([LINEAR], on_progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) < 0.2


def test_probabilities_are_those_of_the_parameters() -> None:
    nets = train([DEEP], n_seeds=3)
    logits = nets.net.logits(nets.params, torch.from_numpy(TABLE.x).unsqueeze(1)).squeeze(-1)
    assert nets.probability.dtype == torch.float64  # in which a confident prediction stays below 1
    assert_allclose(nets.probability, logits.double().sigmoid(), rtol=1e-6)


def test_long_tables_are_predicted_row_by_row_all_the_same() -> None:
    table = make_table(unlabelled=2**18, features=1)  # more than are predicted at a time
    nets = train([LINEAR], table=with_splits(table, [0, 2]))
    logits = torch.from_numpy(table.x[[0, 2]]) @ nets.params["w"][:, 0] + nets.params["b"][:, 0]
    assert_allclose(nets.probability[:, 0], logits.squeeze(-1).sigmoid(), atol=1e-6)


@pytest.mark.parametrize("trial", [LINEAR, RELU], ids=["linear", "relu"])
def test_nets_by_hand_train_without_autograd(trial: NetConfig) -> None:
    # In inference mode torch records nothing: a gradient by autograd would raise.
    with torch.inference_mode():
        nets = train([trial])
    assert_allclose(nets.probability, train([trial]).probability, atol=1e-6)


@pytest.mark.gpu
@EACH
def test_a_gpu_trains_the_same_nets(trial: NetConfig) -> None:
    on_gpu = train([trial], n_seeds=2, device=torch.device("cuda")).probability.cpu()
    assert_allclose(on_gpu, train([trial], n_seeds=2).probability, atol=1e-4)
