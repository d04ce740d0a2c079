"""Checks that an encoding of passengers leaks nothing: neither labels nor held-out features.

A leak check changes what must not matter, encodes again, and compares the bits. It runs on
synthetic passengers by default.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.synthetic import make_passengers
from titanic_nn.tables.splits import Split, repeated_stratified_splits

# Takes a table of passengers with Survived (NaN where unknown) and splits of it;
# returns every row encoded for every split: (splits, rows, features).
Encode: TypeAlias = Callable[[pd.DataFrame, list[Split]], NDArray[np.float32]]

OWN_LABELS_TRIED = 40


def assert_labels_do_not_leak(encode: Encode, passengers: pd.DataFrame | None = None) -> None:
    """Fail where a held-out row's label, or a training row's own label, reaches the encoding.

    1. The held-out rows' labels are flipped, shuffled and deleted: no row's encoding may change.
    2. One training row's label is flipped: the encoding of this row must not change. Other rows may
       change, so an encoder may use the labels of OTHER training rows: its inner folds must not
       depend on labels, and it scales what it makes from labels by constants, since a training mean
       would include the row's own label. In a large table a sample of the rows is tried.

    What 2 cannot detect: a leave-one-out mean passes, although within a group the rows' means
    reveal the labels. Inner folds are the remedy.
    """
    passengers = make_passengers(100, seed=0) if passengers is None else passengers
    rng = np.random.default_rng(0)
    labels = passengers["Survived"].to_numpy(float)

    def encoded(new_labels: NDArray[np.float64], split: Split) -> NDArray[np.float32]:
        x = encode(passengers.assign(Survived=new_labels), [split])  # (1, rows, features)
        return np.asarray(x[0])

    splits = repeated_stratified_splits(labels, folds=3, repeats=1, seed=0)
    for split in splits:
        before = encoded(labels, split)
        held_out = labels[split.held_out]
        for what, held_out_after in {
            "flipped": 1 - held_out,
            "shuffled": rng.permutation(held_out),
            "deleted": np.full_like(held_out, np.nan),
        }.items():
            changed = labels.copy()
            changed[split.held_out] = held_out_after
            after = encoded(changed, split)
            assert _same_bits(before, after), f"held-out labels, {what}, reached the encoding"

    split = splits[0]
    before = encoded(labels, split)
    for row in split.train[:: max(1, len(split.train) // OWN_LABELS_TRIED)]:
        changed = labels.copy()
        changed[row] = 1 - changed[row]
        after = encoded(changed, split)
        assert _same_bits(before[row], after[row]), f"row {row}'s own label reached its encoding"


def assert_held_out_features_do_not_leak(
    encode: Encode, passengers: pd.DataFrame | None = None
) -> None:
    """Fail where the held-out rows' features change how a training row is encoded."""
    passengers = make_passengers(100, seed=0) if passengers is None else passengers
    strangers = make_passengers(len(passengers), seed=1).assign(
        PassengerId=passengers["PassengerId"], Survived=passengers["Survived"]
    )
    for split in repeated_stratified_splits(passengers["Survived"], folds=3, repeats=1, seed=0):
        changed = passengers.copy()
        changed.iloc[split.held_out] = strangers.iloc[split.held_out]
        before = encode(passengers, [split])[0][split.train]  # (training rows, features)
        after = encode(changed, [split])[0][split.train]
        assert _same_bits(before, after), "held-out features reached the training rows"


def _same_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()
