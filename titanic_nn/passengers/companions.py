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

from titanic_nn.passengers.features import PEERS

MEN = np.array([peers.startswith("male") and peers.endswith("adult") for peers in PEERS])
WOMEN_CHILDREN = ~MEN

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
        labels: index of each training row -> its label; tells whose own label to take out.
        party_of: for each of PARTY_KEYS, key -> number of the party.
        party_counts: (parties, peers, 2): of each party's training rows, how many died, survived.
        ticket_numbers: for each class, the training rows' ticket numbers in order, each once.
        ticket_counts: for each class, (numbers + 1, peers, 2): of those who hold a number before
            that place, how many died, survived.
        expected: (2 halves, peers): how often peers survive, as the other half tells it.
    """

    labels: dict[int, int]
    expected: NDArray[np.float64]
    party_of: dict[str, dict[str, int]]
    party_counts: NDArray[np.int32]
    ticket_numbers: dict[str, NDArray[np.float64]]
    ticket_counts: dict[str, NDArray[np.int32]]

    def fit(self, rows: pd.DataFrame, y: NDArray[np.int64]) -> Self:
        """Learn from `passenger_features` of the training rows and their labels (rows,)."""
        self.labels = dict(zip(rows.index, y.tolist(), strict=True))
        died_or_survived = _one_hot(_peers(rows), y)  # (rows, peers, 2)
        halves = [died_or_survived[rows["half"] != half].sum(0) for half in (0, 1)]
        died, survived = np.moveaxis(np.array(halves), -1, 0)  # each (2, peers)
        self.expected = (survived + 1) / (died + survived + 2)  # Laplace's rule of succession

        party, self.party_of = _parties(rows)
        cell = (party * len(PEERS) + _peers(rows)) * 2 + y
        shape = (int(party.max()) + 1, len(PEERS), 2)
        self.party_counts = np.bincount(cell, minlength=prod(shape)).astype(np.int32).reshape(shape)

        self.ticket_numbers, self.ticket_counts = {}, {}
        for pclass in rows["class"].unique():
            here = ((rows["class"] == pclass) & rows["ticket_number"].notna()).to_numpy()
            numbers, place = np.unique(rows["ticket_number"][here], return_inverse=True)
            counts = np.zeros((len(numbers) + 1, *died_or_survived.shape[1:]), dtype=np.int32)
            np.add.at(counts, place + 1, died_or_survived[here])
            self.ticket_numbers[str(pclass)] = numbers
            self.ticket_counts[str(pclass)] = counts.cumsum(0, dtype=np.int32)
        return self

    def transform(
        self, rows: pd.DataFrame, recognised: NDArray[np.bool_] | bool = True
    ) -> pd.DataFrame:
        """What the training rows' labels tell of each passenger's companions and neighbours.

        recognised: of which rows to believe that they are the training rows whose index they have.

        Columns, all 0 for a passenger of whom nothing is known:
            women_children_fared, men_fared: the party's labelled women and children, and its men:
                sum of (survived - expected) / (number + SHRINKAGE), from -1 to 1.
            men_known: log(1 + number of those men).
            women_children_lost, women_children_saved: for a woman or child, whether all of those
                women and children died, or lived.
            men_lost: whether all of those men died.
            ticket_neighbours_fared: as `fared`, for all ticket neighbours.
        """
        # NaN where a row is not a training row.
        label = rows.index.map(self.labels).to_numpy(np.float64, copy=True)
        label[~np.broadcast_to(recognised, label.shape)] = np.nan
        looked_up = rows[["class", "ticket_number", "half"]].assign(
            peers=_peers(rows),
            label=label,
            **{key: rows[key].map(self.party_of[key]).fillna(-1) for key in PARTY_KEYS},
        )
        starts = range(0, max(len(rows), 1), ROWS_AT_ONCE)
        return pd.concat([self._told(looked_up[start : start + ROWS_AT_ONCE]) for start in starts])

    def _told(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What `transform` returns, of rows whose label, peers and parties have been looked up."""
        peers, label = rows["peers"].to_numpy(), rows["label"].to_numpy()
        trained = ~np.isnan(label)
        own = np.zeros((len(rows), len(PEERS), 2), dtype=np.int32)
        own[trained] = _one_hot(peers[trained], label[trained].astype(np.int64))

        expected = self.expected[rows["half"]]  # (rows, peers)
        party, neighbours = self._of_party(rows, own), self._of_neighbours(rows, own)
        men, women_children = party[:, MEN], party[:, WOMEN_CHILDREN]  # (rows, some peers, 2)
        is_woman_or_child = WOMEN_CHILDREN[peers]
        died, survived = women_children.sum(1).T  # each (rows,)
        men_died, men_survived = men.sum(1).T
        return pd.DataFrame(
            {
                "women_children_fared": _fared(women_children, expected[:, WOMEN_CHILDREN]),
                "men_fared": _fared(men, expected[:, MEN]),
                "men_known": np.log1p(men_died + men_survived),
                "women_children_lost": is_woman_or_child & (died > 0) & (survived == 0),
                "women_children_saved": is_woman_or_child & (died == 0) & (survived > 0),
                "men_lost": (men_died > 0) & (men_survived == 0),
                "ticket_neighbours_fared": _fared(neighbours, expected),
            },
            index=rows.index,
        )

    def state(self) -> dict[str, Any]:
        """What was fitted, as plain JSON values, from which `from_state` makes it again.

        It has parties and tickets, no passengers: `labels` is left out, and with it the knowledge
        of who was a training row, so every passenger is taken for a new one.
        """
        return {
            "expected": self.expected.tolist(),
            "party_of": self.party_of,
            "party_counts": self.party_counts.tolist(),
            "ticket_numbers": {c: numbers.tolist() for c, numbers in self.ticket_numbers.items()},
            "ticket_counts": {c: counts.tolist() for c, counts in self.ticket_counts.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted companions that `state` tells of."""
        companions = cls()
        companions.labels = {}
        companions.expected = np.array(state["expected"], np.float64)
        companions.party_of = {key: dict(of) for key, of in state["party_of"].items()}
        companions.party_counts = np.array(state["party_counts"], np.int32)
        companions.ticket_numbers = {
            pclass: np.array(numbers, np.float64)
            for pclass, numbers in state["ticket_numbers"].items()
        }
        companions.ticket_counts = {
            pclass: np.array(counts, np.int32) for pclass, counts in state["ticket_counts"].items()
        }
        return companions

    def _of_party(self, rows: pd.DataFrame, own: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many others of each row's party died and survived, (rows, peers, 2)."""
        counts = np.zeros_like(own)
        by_ticket, by_family = (rows[key].to_numpy(np.int64) for key in PARTY_KEYS)
        on_ticket, in_family = by_ticket >= 0, by_family >= 0
        counts[on_ticket] = self.party_counts[by_ticket[on_ticket]]
        # A new passenger may link two parties of the training rows; one party counts once.
        further = in_family & (by_family != by_ticket)
        counts[further] += self.party_counts[by_family[further]]
        counts[on_ticket | in_family] -= own[on_ticket | in_family]
        return counts

    def _of_neighbours(self, rows: pd.DataFrame, own: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many of each row's ticket neighbours died and survived, (rows, peers, 2)."""
        counts = np.zeros_like(own)
        for pclass, numbers in self.ticket_numbers.items():
            here = np.flatnonzero((rows["class"] == pclass) & rows["ticket_number"].notna())
            number = rows["ticket_number"].to_numpy()[here]
            first = np.searchsorted(numbers, number - TICKET_REACH, side="left")
            last = np.searchsorted(numbers, number + TICKET_REACH, side="right")
            before = self.ticket_counts[pclass]
            counts[here] = before[last] - before[first] - own[here]
        return counts


def _peers(rows: pd.DataFrame) -> NDArray[np.int64]:
    """The place of each row's peers in PEERS, (rows,)."""
    places = {peers: place for place, peers in enumerate(PEERS)}
    return np.asarray(rows["peers"].map(places), np.int64)


def _one_hot(peers: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int32]:
    """1 at each row's peers and label, else 0: (rows, peers, 2)."""
    one_hot = np.zeros((len(y), len(PEERS), 2), dtype=np.int32)
    one_hot[np.arange(len(y)), peers, y] = 1
    return one_hot


def _parties(rows: pd.DataFrame) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
    """Each row's party, and the party that each key leads to.

    Rows and keys are the nodes of a graph, and a party is what hangs together in it.
    """
    codes: dict[str, dict[str, int]] = {}
    edges: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    nodes = len(rows)
    for key in PARTY_KEYS:
        code, found = pd.factorize(rows[key])  # -1 where a row has no such key
        has = np.flatnonzero(code >= 0)
        edges.append((has, nodes + code[has]))
        codes[key] = dict(zip(found, range(nodes, nodes + len(found)), strict=True))
        nodes += len(found)
    from_row, to_key = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = coo_matrix((np.ones(len(from_row)), (from_row, to_key)), shape=(nodes, nodes))
    party = connected_components(graph, directed=False)[1].astype(np.int64)  # (rows + keys,)
    party_of = {key: {k: int(party[node]) for k, node in of.items()} for key, of in codes.items()}
    return party[: len(rows)], party_of


def _fared(counts: NDArray[np.int32], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much better than expected, per head and shrunk: counts (rows, peers, 2) -> (rows,)."""
    died, survived = np.moveaxis(counts, -1, 0)  # each (rows, peers)
    surplus = (survived - (died + survived) * expected).sum(1)
    shrunk: NDArray[np.float64] = surplus / (counts.sum((1, 2)) + SHRINKAGE)
    return shrunk
