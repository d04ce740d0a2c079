"""Features as plain arrays, from which the rows of any split are quickly taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.passengers.features import WORDS


@dataclass(frozen=True, eq=False)
class Columns:
    """`passenger_features` column by column, words as their places in a list of words.

    Attributes:
        ids: the passengers' ids, (rows,).
        numbers: numbers and flags by name, (rows,); NaN where one is missing.
        places: for each column of words, each row's place among them (rows,); -1: missing.
        words: for each column of words, those of the table that these rows were taken from.
    """

    ids: NDArray[np.int64]
    numbers: dict[str, NDArray[Any]]
    places: dict[str, NDArray[np.integer]]
    words: dict[str, list[str]]

    @classmethod
    def of(cls, features: "pd.DataFrame | Columns") -> "Columns":
        """The columns of `passenger_features`."""
        if isinstance(features, Columns):
            return features
        categories = {name: pd.Categorical(features[name]) for name in WORDS}
        others = [name for name in features.columns if name not in WORDS]
        return cls(
            ids=features.index.to_numpy(),
            numbers={name: features[name].to_numpy() for name in others},
            places={name: words.codes.astype(np.int32) for name, words in categories.items()},
            words={name: words.categories.tolist() for name, words in categories.items()},
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The rows at these positions."""
        return type(self)(
            ids=self.ids[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            places={name: places[rows] for name, places in self.places.items()},
            words=self.words,
        )

    def count(self, name: str) -> dict[str, int]:
        """How many rows have each word that any has."""
        places, words = self.places[name], self.words[name]
        counts = np.bincount(places[places >= 0], minlength=len(words)).tolist()
        return {word: count for word, count in zip(words, counts, strict=True) if count}

    def look_up(
        self, name: str, numbers: Mapping[str, int], otherwise: int = -1
    ) -> NDArray[np.int64]:
        """The number of each row's word (rows,); `otherwise` if it has none or is missing."""
        found = [numbers.get(word, otherwise) for word in self.words[name]]
        # A missing word's place is -1, the last.
        looked_up: NDArray[np.int64] = np.array([*found, otherwise])[self.places[name]]
        return looked_up
