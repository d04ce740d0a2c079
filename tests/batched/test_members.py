"""Members hold what is their own; keys and orders hang on who a net is, not on where it stands."""

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose

from titanic_nn.batched.members import PER_MEMBER, Members, net_keys, row_order
from titanic_nn.settings import DeepSettings, LinearSettings, ReLUSettings

CPU = torch.device("cpu")
DEEP = DeepSettings()


def test_members_stand_trial_by_trial() -> None:
    members = Members([replace(DEEP, l1=0.1), replace(DEEP, l1=0.2)], seeds=3)
    assert len(members) == 6
    values = members.value("l1", CPU)  # (members, 1)
    assert_allclose(values, [[0.1], [0.1], [0.1], [0.2], [0.2], [0.2]])


@pytest.mark.parametrize("name", PER_MEMBER)
def test_trials_may_differ_in_what_is_a_member_s_own(name: str) -> None:
    other = {"momentum": {"optimizer": "sgd"}, "weight_decay": {"optimizer": "adamw"}}
    base = replace(DEEP, **other.get(name, {}))  # type: ignore[arg-type]
    trials = [replace(base, **{name: value}) for value in (0.125, 0.25)]  # type: ignore[arg-type]
    assert_allclose(Members(trials, seeds=1).value(name, CPU), [[0.125], [0.25]])


@pytest.mark.parametrize(
    "other",
    [
        replace(DEEP, epochs=7),
        replace(DEEP, hidden=(64, 33)),
        replace(DEEP, loss="squared_error"),
        replace(DEEP, optimizer="sgd"),
        ReLUSettings(),
        LinearSettings(),
    ],
    ids=["epochs", "hidden", "loss", "optimizer", "relu", "linear"],
)
def test_trials_of_different_programs_are_refused(other: LinearSettings) -> None:
    with pytest.raises(ValueError, match="may differ in learning_rate, momentum"):
        Members([DEEP, other], seeds=1)


def test_no_trial_is_refused() -> None:
    with pytest.raises(ValueError, match="members"):
        Members([], seeds=1)


def test_each_split_and_seed_has_a_key_of_its_own_and_trials_share_it() -> None:
    splits = [(repeat, fold) for repeat in range(3) for fold in range(10)] + [(-1, -1)]
    keys = net_keys(splits, Members([DEEP, DEEP], seeds=5), seed=0)  # (splits, members, 2)
    assert torch.equal(keys[:, :5], keys[:, 5:])
    assert len(set(map(tuple, keys[:, :5].reshape(-1, 2).tolist()))) == 31 * 5


def test_keys_hang_on_the_split_not_on_its_place() -> None:
    members = Members([DEEP], seeds=2)
    few = net_keys([(0, 3)], Members([DEEP], seeds=1), seed=0)
    many = net_keys([(-1, -1), (0, 3), (1, 0)], members, seed=0)
    assert torch.equal(many[1, :1], few[0])
    assert not torch.equal(many, net_keys([(-1, -1), (0, 3), (1, 0)], members, seed=1))


def test_each_split_deals_in_an_order_of_its_own() -> None:
    names = [
        (repeat, fold, seed) for repeat in range(-1, 3) for fold in range(-1, 4) for seed in (0, 1)
    ]
    orders = {tuple(row_order((repeat, fold), seed)(20).tolist()) for repeat, fold, seed in names}
    assert len(orders) == len(names)
    assert all(sorted(order) == list(range(20)) for order in orders)
    again = row_order((0, 0), seed=0)
    assert tuple(again(20).tolist()) in orders
    assert tuple(again(20).tolist()) not in orders  # the next order is another one
