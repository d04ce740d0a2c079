"""Features as plain arrays, from which the rows of any split are taken quickly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Columns:
    """A table of row features, column by column; text as codes of categories."""

    ids: NDArray[Any]  # (rows,)
    numbers: dict[str, NDArray[Any]]  # numbers and flags by name, (rows,); NaN: missing
    codes: dict[
        str, NDArray[np.integer]
    ]  # of text columns, each row's category (rows,); -1: missing
    # For each text column, those of the table that these rows were taken from.
    categories: dict[str, list[str]]

    @classmethod
    def of(cls, features: pd.DataFrame, text_columns: Sequence[str]) -> Self:
        """From a table of row features, indexed by id."""
        texts = {name: pd.Categorical(features[name]) for name in text_columns}
        others = [name for name in features.columns if name not in text_columns]
        return cls(
            ids=features.index.to_numpy(),
            numbers={name: features[name].to_numpy() for name in others},
            codes={name: text.codes.astype(np.int32) for name, text in texts.items()},
            categories={name: text.categories.tolist() for name, text in texts.items()},
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The rows at these positions."""
        return type(self)(
            ids=self.ids[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            codes={name: codes[rows] for name, codes in self.codes.items()},
            categories=self.categories,
        )

    def count(self, name: str) -> dict[str, int]:
        """How many rows have each category that any has."""
        codes, categories = self.codes[name], self.categories[name]
        counts = np.bincount(codes[codes >= 0], minlength=len(categories)).tolist()
        return {c: count for c, count in zip(categories, counts, strict=True) if count}

    def look_up(
        self, name: str, numbers: Mapping[str, int], otherwise: int = -1
    ) -> NDArray[np.int64]:
        """The number of each row's category (rows,); `otherwise` if it has none or is missing."""
        found = [numbers.get(category, otherwise) for category in self.categories[name]]
        # The code of a missing category is -1, the last.
        looked_up: NDArray[np.int64] = np.array([*found, otherwise])[self.codes[name]]
        return looked_up
