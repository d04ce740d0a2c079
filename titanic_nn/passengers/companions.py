"""How a passenger's travelling companions fared: families and parties lived or died together.

Who travelled together is read from the features; how they fared, from the labels of the training
rows. A passenger never sees their own label: it is taken out of the party before anything is made
of it, so a training row is told exactly what it would be told if it were held out.

A companion's death says little if men of the third class mostly died. So what counts is the
difference between how companions fared and what their peers (sex, class, child or not) lead one to
expect, shrunk towards 0 where few are known. What to expect is learnt from one half of the training
rows for passengers of the other half. (Leaving out just the own label would betray it: who died is
expected to live a little more often than who lived, and a sharp eye reads it off.)
"""

from collections.abc import Mapping
from math import prod
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from titanic_nn.passengers.columns import Columns
from titanic_nn.passengers.features import PEERS

PLACE_OF_PEERS = {peers: place for place, peers in enumerate(PEERS)}
IS_MAN = np.array([peers.startswith("male") and peers.endswith("adult") for peers in PEERS])
MEN, WOMEN_CHILDREN = np.flatnonzero(IS_MAN), np.flatnonzero(~IS_MAN)

# What two passengers of one party share; either will do.
PARTY_KEYS = ("same_ticket", "same_family")

# A companion more that fared as expected: what is said of few is drawn towards "as expected".
SHRINKAGE = 1.0

# How far off a neighbouring ticket's number may be. Chosen, like SHRINKAGE, by cross-validation.
TICKET_REACH = 8

# Rows that are counted for at a time: each takes some kilobytes meanwhile.
ROWS_AT_ONCE = 2**15


class Companions:
    """Knows the training rows' labels by party and by ticket number: `fit`, then `transform`.

    A party is everyone who is linked by a shared ticket or by one name, class, port and fare, also
    through a third. Ticket neighbours are those of one class whose ticket's number is near.

    Attributes, after `fit`:
        labels: the training rows' labels by their ids; tells whose own label to take out.
        party_of: for each of PARTY_KEYS, key -> number of the party.
        party_counts: (parties, peers, 2): of each party's training rows, how many died, survived.
        ticket_numbers: for each class, the training rows' ticket numbers in order, each once.
        ticket_counts: for each class, (numbers + 1, peers, 2): of those who hold a number before
            that place, how many died, survived.
        expected: (2 halves, peers): how often peers survive, as the other half tells it.
    """

    labels: "pd.Series[int]"
    expected: NDArray[np.float64]
    party_of: dict[str, dict[str, int]]
    party_counts: NDArray[np.int32]
    ticket_numbers: dict[str, NDArray[np.float64]]
    ticket_counts: dict[str, NDArray[np.int32]]

    def fit(self, rows: Columns, y: NDArray[np.int64]) -> Self:
        """Learn from the training rows' features and labels (rows,)."""
        self.labels = pd.Series(y, index=rows.ids)
        peers = rows.look_up("peers", PLACE_OF_PEERS)
        other_half = 1 - rows.numbers["half"]
        died, survived = np.moveaxis(_counts(other_half, 2, peers, y), -1, 0)  # each (2, peers)
        self.expected = (survived + 1) / (died + survived + 2)  # Laplace's rule of succession

        party, self.party_of = _parties(rows)
        self.party_counts = _counts(party, int(party.max()) + 1, peers, y)

        self.ticket_numbers, self.ticket_counts = {}, {}
        number = rows.numbers["ticket_number"]
        for name in rows.count("class"):
            of_class = rows.places["class"] == rows.words["class"].index(name)
            here = np.flatnonzero(of_class & ~np.isnan(number))
            numbers, place = np.unique(number[here], return_inverse=True)
            held = _counts(place + 1, len(numbers) + 1, peers[here], y[here])
            self.ticket_numbers[name] = numbers
            self.ticket_counts[name] = held.cumsum(0, dtype=np.int32)
        return self

    def transform(
        self, rows: Columns, recognised: NDArray[np.bool_] | bool = True
    ) -> dict[str, NDArray[Any]]:
        """What the training rows' labels tell of each passenger's companions and neighbours.

        recognised: of which rows to believe that they are the training rows whose ids they have.

        Columns (rows,) by name, all 0 for a passenger of whom nothing is known:
            women_children_fared, men_fared: the party's labelled women and children, and its men:
                sum of (survived - expected) / (number + SHRINKAGE), from -1 to 1.
            men_known: log(1 + number of those men).
            women_children_lost, women_children_saved: for a woman or child, whether all of those
                women and children died, or lived.
            men_lost: whether all of those men died.
            ticket_neighbours_fared: as `fared`, for all ticket neighbours.
        """
        # NaN where a row is not a training row.
        label = self.labels.reindex(rows.ids).to_numpy(np.float64, copy=True)  # (rows,)
        label[~np.broadcast_to(recognised, label.shape)] = np.nan
        place_of_class = {pclass: i for i, pclass in enumerate(self.ticket_numbers)}
        looked_up = {
            "label": label,
            "half": rows.numbers["half"],
            "peers": rows.look_up("peers", PLACE_OF_PEERS),
            "pclass": rows.look_up("class", place_of_class),
            "ticket_number": rows.numbers["ticket_number"],
            **{key: rows.look_up(key, self.party_of[key]) for key in PARTY_KEYS},
        }
        starts = range(0, max(len(rows), 1), ROWS_AT_ONCE)
        parts = [
            self._told(**{name: of[start : start + ROWS_AT_ONCE] for name, of in looked_up.items()})
            for start in starts
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _told(
        self,
        label: NDArray[np.float64],
        half: NDArray[np.int64],
        peers: NDArray[np.int64],
        pclass: NDArray[np.int64],
        ticket_number: NDArray[np.float64],
        same_ticket: NDArray[np.int64],
        same_family: NDArray[np.int64],
    ) -> dict[str, NDArray[Any]]:
        """What `transform` returns, of rows whose words have been looked up; each (rows,)."""
        trained = np.flatnonzero(~np.isnan(label))
        own = np.zeros((len(label), len(PEERS), 2), dtype=np.int32)
        own[trained, peers[trained], label[trained].astype(np.int64)] = 1

        expected = self.expected[half]  # (rows, peers)
        party = self._of_party(same_ticket, same_family, own)
        neighbours = self._of_neighbours(pclass, ticket_number, own)
        men, women_children = (party.take(who, axis=1) for who in (MEN, WOMEN_CHILDREN))
        is_woman_or_child = ~IS_MAN[peers]
        died, survived = women_children.sum(1).T  # (rows, some peers, 2) -> each (rows,)
        men_died, men_survived = men.sum(1).T
        return {
            "women_children_fared": _fared(women_children, expected.take(WOMEN_CHILDREN, axis=1)),
            "men_fared": _fared(men, expected.take(MEN, axis=1)),
            "men_known": np.log1p(men_died + men_survived),
            "women_children_lost": is_woman_or_child & (died > 0) & (survived == 0),
            "women_children_saved": is_woman_or_child & (died == 0) & (survived > 0),
            "men_lost": (men_died > 0) & (men_survived == 0),
            "ticket_neighbours_fared": _fared(neighbours, expected),
        }

    def state(self) -> dict[str, Any]:
        """What was fitted, as plain JSON values, from which `from_state` makes it again.

        It has parties and tickets, no passengers: `labels` is left out, and with it the knowledge
        of who was a training row, so every passenger is taken for a new one.
        """
        return {
            "expected": self.expected.tolist(),
            "party_of": self.party_of,
            "party_counts": _sparse(self.party_counts),
            "ticket_numbers": {c: numbers.tolist() for c, numbers in self.ticket_numbers.items()},
            "ticket_counts": {
                # Each number's own holders: what is before it, less what is before the last.
                c: _sparse(np.diff(counts, axis=0))
                for c, counts in self.ticket_counts.items()
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted companions that `state` tells of."""
        companions = cls()
        companions.labels = pd.Series(dtype="int64")
        companions.expected = np.array(state["expected"], np.float64)
        companions.party_of = {key: dict(of) for key, of in state["party_of"].items()}
        companions.party_counts = _dense(state["party_counts"])
        companions.ticket_numbers = {
            pclass: np.array(numbers, np.float64)
            for pclass, numbers in state["ticket_numbers"].items()
        }
        companions.ticket_counts = {
            pclass: np.pad(_dense(held), ((1, 0), (0, 0), (0, 0))).cumsum(0, dtype=np.int32)
            for pclass, held in state["ticket_counts"].items()
        }
        return companions

    def _of_party(
        self, by_ticket: NDArray[np.int64], by_family: NDArray[np.int64], own: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """How many others of each row's party died and survived, (rows, peers, 2)."""
        counts = np.zeros_like(own)
        on_ticket, in_family = by_ticket >= 0, by_family >= 0
        counts[on_ticket] = self.party_counts[by_ticket[on_ticket]]
        # A new passenger may link two parties of the training rows; one party counts once.
        further = in_family & (by_family != by_ticket)
        counts[further] += self.party_counts[by_family[further]]
        counts[on_ticket | in_family] -= own[on_ticket | in_family]
        return counts

    def _of_neighbours(
        self, pclass: NDArray[np.int64], number: NDArray[np.float64], own: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """How many of each row's ticket neighbours died and survived, (rows, peers, 2)."""
        counts = np.zeros_like(own)
        for i, (name, numbers) in enumerate(self.ticket_numbers.items()):
            here = np.flatnonzero((pclass == i) & ~np.isnan(number))
            first = np.searchsorted(numbers, number[here] - TICKET_REACH, side="left")
            last = np.searchsorted(numbers, number[here] + TICKET_REACH, side="right")
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
    """Counts, which are nearly all 0, as JSON: their shape, where others stand, and those."""
    at = np.flatnonzero(counts)
    return {
        "shape": list(counts.shape),
        "at": at.tolist(),
        "count": counts.ravel()[at].tolist(),
    }


def _dense(sparse: Mapping[str, list[int]]) -> NDArray[np.int32]:
    """The counts that `_sparse` tells of."""
    counts = np.zeros(prod(sparse["shape"]), dtype=np.int32)
    counts[sparse["at"]] = sparse["count"]
    return counts.reshape(sparse["shape"])


def _parties(rows: Columns) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
    """Each row's party, and the party that each key leads to.

    Rows and keys are the nodes of a graph, and a party is what hangs together in it.
    """
    edges: list[tuple[NDArray[np.integer], NDArray[np.integer]]] = []
    keys: dict[str, tuple[list[str], NDArray[np.integer]]] = {}
    nodes = len(rows)
    for key in PARTY_KEYS:
        place, words = rows.places[key], rows.words[key]
        has = np.flatnonzero(place >= 0)
        edges.append((has, nodes + place[has]))
        used = np.unique(place[has])
        keys[key] = [words[i] for i in used], nodes + used
        nodes += len(words)
    from_row, to_key = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = coo_matrix((np.ones(len(from_row)), (from_row, to_key)), shape=(nodes, nodes))
    party = connected_components(graph, directed=False)[1].astype(np.int64)  # (rows + keys,)
    party_of = {
        key: dict(zip(of, party[node].tolist(), strict=True)) for key, (of, node) in keys.items()
    }
    return party[: len(rows)], party_of


def _fared(counts: NDArray[np.int32], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much better than expected, per head and shrunk: counts (rows, peers, 2) -> (rows,)."""
    died, survived = counts[..., 0], counts[..., 1]  # each (rows, peers)
    known = died + survived
    surplus = (survived - known * expected).sum(1)
    shrunk: NDArray[np.float64] = surplus / (known.sum(1) + SHRINKAGE)
    return shrunk
