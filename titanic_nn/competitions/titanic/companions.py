"""Titanic's features that need other passengers' rows: who shares a ticket, and who survived.

Families and parties survived or died together. Who travelled together is read from the features;
who survived, from the labels of the training rows. This is cross-fitted target encoding: a
passenger's own label is taken out of the party before anything is computed, so a training row gets
exactly what it would get if it were held out.

The *survival surplus* is the number of companions who survived, minus the number expected from
their peer groups (sex, class, child or adult), divided by the number of companions plus one. The
expected rates are fitted on one half of the training rows and used for the other half. (Leaving out
only the own label would reveal it: the rate is a little higher for a passenger who died.) In a
party of thousands the rest would reveal it too, so parties must be small; Titanic's have at most
seven training rows.
"""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from titanic_nn.competitions.titanic.features import KEYS, PEERS, passenger_features
from titanic_nn.config import FeatureConfig
from titanic_nn.errors import ConfigError
from titanic_nn.tables.columns import CategoryNumbers, Columns
from titanic_nn.tables.state import STRICT, Count, Finite, Position, check_state

# What is looked up for each row, (rows,) by name.
LookedUp: TypeAlias = Mapping[str, NDArray[Any]]

CODE_OF_PEERS = {peers: code for code, peers in enumerate(PEERS)}
IS_MAN = np.array([peers.startswith("male") and peers.endswith("adult") for peers in PEERS])
MEN, WOMEN_CHILDREN = np.flatnonzero(IS_MAN), np.flatnonzero(~IS_MAN)

# Two passengers who share one of these belong to one party.
PARTY_KEYS = ("same_ticket", "same_family")

# Both chosen by cross-validation: companions who survived as expected that are added to each party,
# and the largest difference between neighbouring ticket numbers.
SHRINKAGE = 1.0
TICKET_REACH = 8
# Rows that are processed at a time: each takes some kilobytes.
ROWS_AT_ONCE = 2**15


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _GroupsState:
    """The state of PassengerGroups."""

    ticket_holders: dict[str, Count]
    counted: list[Position]
    companions: dict[str, Any]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _SparseCounts:
    """Counts (groups, peers, 2), nearly all of them 0: the others, and their positions."""

    shape: tuple[Position, Position, Position]
    at: list[Position]
    count: list[Count]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shape[1:] != (len(PEERS), 2):
            raise ValueError(f"the shape must end in {len(PEERS)}, 2")
        if self.shape[0] > len(self.at):  # so the dense array is not much larger than the file
            raise ValueError("there are more groups than counts; every group has a member")
        if len(self.at) != len(self.count) or sum(self.count) >= 2**31:
            raise ValueError("the counts do not belong to the positions, or are too large")
        at = np.array(self.at, np.int64)
        if (np.diff(at) <= 0).any() or (at >= prod(self.shape)).any():
            raise ValueError("the positions do not rise, or lie outside the shape")
        return self


_PClass = Literal["1", "2", "3"]
_Rates = Annotated[
    list[Annotated[float, Field(strict=True, gt=0, lt=1)]],
    Field(min_length=len(PEERS), max_length=len(PEERS)),
]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _CompanionsState:
    """The state of Companions."""

    expected: tuple[_Rates, _Rates]
    party_of: dict[str, dict[str, Position]]
    party_counts: _SparseCounts
    ticket_numbers: dict[_PClass, list[Finite]]
    ticket_counts: dict[_PClass, _SparseCounts]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        parties, numbers = self.party_counts.shape[0], self.ticket_numbers
        if self.party_of.keys() != set(PARTY_KEYS):
            raise ValueError(f"party_of must have {' and '.join(PARTY_KEYS)}")
        if any(party >= parties for of in self.party_of.values() for party in of.values()):
            raise ValueError(f"party_of names a party that is none of the {parties}")
        if numbers.keys() != self.ticket_counts.keys():
            raise ValueError("ticket_numbers and ticket_counts are of different classes")
        for name, counts in self.ticket_counts.items():
            if counts.shape[0] != len(numbers[name]) or (np.diff(numbers[name]) <= 0).any():
                raise ValueError(f"ticket_numbers of class {name} do not rise, or lack counts")
        return self


class PassengerGroups:
    """Titanic's `FittedFeatures`: ticket holders, and companions' survival."""

    ticket_holders: Mapping[str, int]  # ticket -> how many of the counted passengers hold it
    counted: NDArray[np.int64]  # the ids of the counted passengers
    companions: "Companions"  # the training rows' labels by party and ticket number

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config

    def fit(self, rows: Columns, y: NDArray[np.int64], known: Columns | None) -> Self:
        """Count the holders of each ticket, and the labels of each party.

        Raises ConfigError where known rows are to be counted and none are given.
        """
        counted = rows if self.config.count_groups_among == "training" else known
        if counted is None:
            raise ConfigError('count_groups_among = "known" needs the known rows')
        self.ticket_holders, self.counted = counted.count("ticket"), counted.ids
        self.companions = Companions().fit(rows, y)
        return self

    def transform(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """The features by name, each (rows,)."""
        holders = rows.look_up("ticket", self.ticket_holders, otherwise=0)
        # A passenger who was counted must not be counted again. An id that was counted with a
        # ticket that nobody holds belongs to somebody else.
        counted = np.isin(rows.ids, self.counted) & (holders > 0)
        shared_by = holders + ~counted
        fare = np.expm1(rows.numbers["log_fare"])
        return {
            "ticket_shared_by": shared_by,
            "fare_per_head": np.log1p(fare / shared_by),
            **self.companions.transform(rows, counted),
        }

    def forget_ids(self) -> None:
        """Take every passenger for a new one from now on."""
        self.counted = self.counted[:0]
        self.companions.labels = self.companions.labels[:0]

    def state(self) -> dict[str, Any]:
        """What was fitted, with the counted passengers' ids."""
        return {
            "ticket_holders": dict(self.ticket_holders),
            "counted": self.counted.tolist(),
            "companions": self.companions.state(),
        }

    @classmethod
    def from_state(cls, config: FeatureConfig, state: Mapping[str, Any]) -> Self:
        """The fitted object with this state. Raises ModelError where `state` gives no such."""
        checked = check_state(_GroupsState, state, "fitted")
        groups = cls(config)
        groups.ticket_holders = checked.ticket_holders
        groups.counted = np.array(checked.counted, dtype=np.int64)
        groups.companions = Companions.from_state(checked.companions)
        return groups


class Companions:
    """The training rows' labels by party and by ticket number: `fit`, then `transform`.

    Two passengers with one ticket number and class, or with one family name, class, port and fare,
    belong to one party, and so does whoever is linked to both. Ticket neighbours are passengers of
    one class whose ticket numbers differ by TICKET_REACH at most.
    """

    labels: "pd.Series[int]"  # the training rows', by id: a row's own is taken out
    expected: NDArray[np.float64]  # (2 halves, peers): survival rates in the other half
    party_of: Mapping[str, Mapping[str, int]]  # for each of PARTY_KEYS, key -> number of the party
    party_counts: NDArray[np.int32]  # (parties, peers, 2): how many training rows died, survived
    # For each class, the training rows' ticket numbers in order, each once; and of those with one
    # of the first numbers how many died, survived: (numbers + 1, peers, 2).
    ticket_numbers: dict[str, NDArray[np.float64]]
    ticket_counts: dict[str, NDArray[np.int32]]

    def fit(self, rows: Columns, y: NDArray[np.int64]) -> Self:
        """Fit on the training rows' features and labels (rows,)."""
        self.labels = pd.Series(y, index=rows.ids)
        peers = rows.look_up("peers", CODE_OF_PEERS)
        other_half = 1 - rows.numbers["half"]
        died, survived = np.moveaxis(_counts(other_half, 2, peers, y), -1, 0)  # each (2, peers)
        self.expected = (survived + 1) / (died + survived + 2)  # Laplace's rule of succession

        party, self.party_of = _parties(rows)
        self.party_counts = _counts(party, int(party.max()) + 1, peers, y)

        self.ticket_numbers, self.ticket_counts = {}, {}
        number = rows.numbers["ticket_number"]
        for name in rows.count("class"):
            of_class = rows.codes["class"] == rows.categories["class"].index(name)
            here = np.flatnonzero(of_class & ~np.isnan(number))
            numbers, position = np.unique(number[here], return_inverse=True)
            held = _counts(position + 1, len(numbers) + 1, peers[here], y[here])
            self.ticket_numbers[name] = numbers
            self.ticket_counts[name] = held.cumsum(0, dtype=np.int32)
        return self

    def transform(
        self, rows: Columns, recognised: NDArray[np.bool_] | bool = True
    ) -> dict[str, NDArray[Any]]:
        """The group "companions" of the feature table by name, each (rows,).

        All are 0 for a passenger of whom nothing is known; a surplus is between -1 and 1.
        recognised: which rows are the training rows whose ids they have.
        """
        class_codes = {pclass: i for i, pclass in enumerate(self.ticket_numbers)}
        looked_up = {
            # NaN where a row is not a training row.
            "label": np.where(recognised, self.labels.reindex(rows.ids), np.nan),
            "half": rows.numbers["half"],
            "peers": rows.look_up("peers", CODE_OF_PEERS),
            "class": rows.look_up("class", class_codes),
            "ticket_number": rows.numbers["ticket_number"],
            **{key: rows.look_up(key, self.party_of[key]) for key in PARTY_KEYS},
        }
        parts = [
            self._features({name: of[at : at + ROWS_AT_ONCE] for name, of in looked_up.items()})
            for at in range(0, max(len(rows), 1), ROWS_AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _features(self, rows: LookedUp) -> dict[str, NDArray[Any]]:
        """What `transform` returns, for some rows."""
        label, peers = rows["label"], rows["peers"]
        trained = np.flatnonzero(~np.isnan(label))
        own = np.zeros((len(label), len(PEERS), 2), dtype=np.int32)
        own[trained, peers[trained], label[trained].astype(np.int64)] = 1

        expected = self.expected[rows["half"]]  # (rows, peers)
        return self.surpluses(
            peers, expected, self._of_party(rows, own), self._of_neighbours(rows, own)
        )

    @staticmethod
    def surpluses(
        peers: NDArray[np.int64],
        expected: NDArray[np.float64],
        party: NDArray[np.int32],
        neighbours: NDArray[np.int32],
    ) -> dict[str, NDArray[Any]]:
        """What `transform` returns, for rows of peers (rows,) whose companions are known.

        Args:
            peers: each row's own.
            expected: survival rates of all peers, (rows, peers).
            party, neighbours: how many of each row's others died and survived, (rows, peers, 2).
        """
        men, women_children = (party.take(who, axis=1) for who in (MEN, WOMEN_CHILDREN))
        is_woman_or_child = ~IS_MAN[peers]
        died, survived = women_children.sum(1).T  # (rows, some peers, 2) -> each (rows,)
        men_died, men_survived = men.sum(1).T
        return {
            "women_children_survival_surplus": _survival_surplus(
                women_children, expected.take(WOMEN_CHILDREN, axis=1)
            ),
            "men_survival_surplus": _survival_surplus(men, expected.take(MEN, axis=1)),
            "men_known": np.log1p(men_died + men_survived),
            "women_children_lost": is_woman_or_child & (died > 0) & (survived == 0),
            "women_children_saved": is_woman_or_child & (died == 0) & (survived > 0),
            "men_lost": (men_died > 0) & (men_survived == 0),
            "ticket_neighbours_survival_surplus": _survival_surplus(neighbours, expected),
        }

    def state(self) -> dict[str, Any]:
        """What was fitted, as JSON values: counts by party and ticket number, no passenger.

        `labels` is left out, so the object that `from_state` makes takes every passenger for a new
        one.
        """
        return {
            "expected": self.expected.tolist(),
            "party_of": {key: dict(of) for key, of in self.party_of.items()},
            "party_counts": _sparse(self.party_counts),
            "ticket_numbers": {c: numbers.tolist() for c, numbers in self.ticket_numbers.items()},
            # Each number's own holders: the difference of the cumulative counts.
            "ticket_counts": {
                c: _sparse(np.diff(n, axis=0)) for c, n in self.ticket_counts.items()
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted object with this state. Raises ModelError where `state` gives no such."""
        checked = check_state(_CompanionsState, state, "companions")
        companions = cls()
        companions.labels = pd.Series(dtype="int64")
        companions.expected = np.array(checked.expected, np.float64)
        companions.party_of = {key: checked.party_of[key] for key in PARTY_KEYS}
        companions.party_counts = _dense(checked.party_counts)
        numbers, held = checked.ticket_numbers, checked.ticket_counts
        companions.ticket_numbers = {c: np.array(numbers[c], np.float64) for c in numbers}
        companions.ticket_counts = {
            c: np.pad(_dense(held[c]), ((1, 0), (0, 0), (0, 0))).cumsum(0, dtype=np.int32)
            for c in held
        }
        return companions

    def _of_party(self, rows: LookedUp, own: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many others of each row's party died and survived, (rows, peers, 2)."""
        counts = np.zeros_like(own)
        by_ticket, by_family = (rows[key] for key in PARTY_KEYS)
        on_ticket, in_family = by_ticket >= 0, by_family >= 0
        counts[on_ticket] = self.party_counts[by_ticket[on_ticket]]
        # A new passenger may link two parties of the training rows; the same party counts once.
        further = in_family & (by_family != by_ticket)
        counts[further] += self.party_counts[by_family[further]]
        counts[on_ticket | in_family] -= own[on_ticket | in_family]
        return counts

    def _of_neighbours(self, rows: LookedUp, own: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many of each row's ticket neighbours died and survived, (rows, peers, 2)."""
        counts, number = np.zeros_like(own), rows["ticket_number"]
        for i, (name, numbers) in enumerate(self.ticket_numbers.items()):
            here = np.flatnonzero((rows["class"] == i) & ~np.isnan(number))
            first = numbers.searchsorted(number[here] - TICKET_REACH, side="left")
            last = numbers.searchsorted(number[here] + TICKET_REACH, side="right")
            before = self.ticket_counts[name]
            counts[here] = before[last] - before[first] - own[here]
        return counts


def _counts(
    group: NDArray[np.int64], groups: int, peers: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int32]:
    """How many of each group died and survived, by their peers: (groups, peers, 2)."""
    shape = (groups, len(PEERS), 2)
    cell = np.ravel_multi_index((group, peers, y), shape)  # (rows,)
    return np.bincount(cell, minlength=prod(shape)).astype(np.int32).reshape(shape)


def _sparse(counts: NDArray[np.int32]) -> dict[str, list[int]]:
    """Counts, nearly all of them 0, as JSON: their shape, and the others with their positions."""
    at = np.flatnonzero(counts)
    return {"shape": list(counts.shape), "at": at.tolist(), "count": counts.ravel()[at].tolist()}


def _dense(sparse: _SparseCounts) -> NDArray[np.int32]:
    """The counts that `_sparse` stored."""
    counts = np.zeros(prod(sparse.shape), dtype=np.int32)
    counts[sparse.at] = sparse.count
    return counts.reshape(sparse.shape)


def _parties(rows: Columns) -> tuple[NDArray[np.int64], dict[str, CategoryNumbers]]:
    """Each row's party (rows,), and the party of each key.

    Each row is linked with the first that has its key; parties are the connected components.
    """
    every = np.arange(len(rows))
    links, first_row = [], {}
    for key in PARTY_KEYS:
        codes = rows.codes[key]
        # Of each category, and of -1 at the end: the last row that is set is the first that has it.
        first = np.full(len(rows.categories[key]) + 1, -1)
        first[codes[::-1]] = every[::-1]
        links.append(np.where(codes >= 0, first[codes], every))
        first_row[key] = first[:-1]  # (categories,); -1: no row has it
    ends = np.tile(every, len(links)), np.concatenate(links)
    graph = coo_matrix((np.ones(len(ends[0])), ends), shape=(len(rows), len(rows)))
    party = connected_components(graph, directed=False)[1].astype(np.int64)
    return party, {
        key: CategoryNumbers(rows.categories[key], np.where(first < 0, -1, party[first]))
        for key, first in first_row.items()
    }


def _survival_surplus(
    counts: NDArray[np.int32], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Survivors beyond those expected, per head and shrunk: (rows, peers, 2) -> (rows,)."""
    died, survived = counts[..., 0], counts[..., 1]  # each (rows, peers)
    known = died + survived
    surplus = (survived - known * expected).sum(1)
    shrunk: NDArray[np.float64] = surplus / (known.sum(1) + SHRINKAGE)
    return shrunk


def parties(passengers: pd.DataFrame) -> NDArray[np.int64]:
    """The number of each passenger's party (rows,), of a checked table."""
    return _parties(Columns.of(passenger_features(passengers), KEYS))[0]
