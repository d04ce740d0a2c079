"""Members hold their hyper-parameters; keys and orders depend on a net's identity alone."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from titanic_nn.engine.batches import row_orders
from titanic_nn.engine.members import Hyperparameters, Members
from titanic_nn.engine.task import Block, net_keys
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig
from titanic_nn.tables.splits import Split

CPU = torch.device("cpu")
DEEP = DeepConfig(optimizer="adam", learning_rate=0.01, epochs=60)
RESNET = ResNetConfig()


def test_members_are_ordered_trial_by_trial() -> None:
    members = Members([replace(DEEP, l1=0.1), replace(DEEP, l1=0.2)], n_seeds=3)
    assert len(members) == 6
    values = Hyperparameters(members, np.array([0, 2, 3, 5]), CPU).value("l1")  # (nets, 1)
    assert_allclose(values, [[0.1], [0.1], [0.2], [0.2]])


@pytest.mark.parametrize("name", sorted({*DEEP.per_member, *RESNET.per_member}))
def test_trials_may_differ_in_per_member_settings(name: str) -> None:
    other = {"momentum": {"optimizer": "sgd"}, "weight_decay": {"optimizer": "adamw"}}
    net = DEEP if name in DEEP.per_member else RESNET
    base = replace(net, **other.get(name, {}))  # type: ignore[arg-type]
    trials = [replace(base, **{name: value}) for value in (0.125, 0.25)]  # type: ignore[arg-type]
    own = Hyperparameters(Members(trials, n_seeds=1), np.array([0, 1]), CPU)
    assert_allclose(own.value(name), [[0.125], [0.25]])


@pytest.mark.parametrize(
    "other",
    [
        replace(DEEP, epochs=7),
        replace(DEEP, hidden_sizes=(64, 33)),
        replace(DEEP, loss="squared_error"),
        replace(DEEP, optimizer="sgd"),
        ReLUConfig(),
        LinearConfig(),
    ],
    ids=["epochs", "hidden", "loss", "optimizer", "relu", "linear"],
)
def test_trials_of_different_programs_are_refused(other: NetConfig) -> None:
    with pytest.raises(ValueError, match="may differ in learning_rate, momentum"):
        Members([DEEP, other], n_seeds=1)


def test_no_trial_is_refused() -> None:
    with pytest.raises(ValueError, match="members"):
        Members([], n_seeds=1)


def splits_named(*names: tuple[int, int]) -> list[Split]:
    return [Split(*name, train=np.arange(20), held_out=np.arange(20, 25)) for name in names]


def keys_of(splits: list[Split], members: Members, seed: int = 0) -> torch.Tensor:
    """The keys of every member on every split, (splits, members, 2)."""
    split, member = np.indices((len(splits), len(members))).reshape(2, -1)
    block = Block(split, member, steps=1, batch_rows=1)
    return net_keys(splits, members, block, seed).view(len(splits), len(members), 2)


def test_each_split_and_seed_has_a_key_of_its_own_and_trials_share_it() -> None:
    names = [(repeat, fold) for repeat in range(3) for fold in range(10)] + [(-1, -1)]
    keys = keys_of(splits_named(*names), Members([DEEP, DEEP], n_seeds=5))
    assert torch.equal(keys[:, :5], keys[:, 5:])
    assert len(set(map(tuple, keys[:, :5].reshape(-1, 2).tolist()))) == 31 * 5


def test_keys_depend_on_the_split_not_on_its_position() -> None:
    few = keys_of(splits_named((0, 3)), Members([DEEP], n_seeds=1))
    three = splits_named((-1, -1), (0, 3), (1, 0))
    many = keys_of(three, Members([DEEP], n_seeds=2))
    assert torch.equal(many[1, :1], few[0])
    assert not torch.equal(many, keys_of(three, Members([DEEP], n_seeds=2), seed=1))


def test_each_split_has_its_own_order_of_rows() -> None:
    names = [(repeat, fold) for repeat in range(-1, 3) for fold in range(-1, 4)]
    orders = {
        tuple(next(row_orders(split, 1, seed))[0].tolist())
        for split in splits_named(*names)
        for seed in (0, 1)
    }
    assert len(orders) == 2 * len(names)
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_epochs_have_the_same_orders_however_many_are_drawn_at_once() -> None:
    (split,) = splits_named((0, 0))
    one_by_one = np.concatenate(list(islice(row_orders(split, 1, 0), 300)))
    assert len(set(map(tuple, one_by_one.tolist()))) == 300
    assert_array_equal(np.concatenate(list(islice(row_orders(split, 100, 0), 3))), one_by_one)
