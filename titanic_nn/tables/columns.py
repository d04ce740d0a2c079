"""Features as plain arrays, from which the rows of any split are taken quickly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class CategoryNumbers(Mapping[str, int]):
    """Category -> number, by an array: `Columns.look_up` needs no dict for its own categories.

    Args:
        categories: the names; `numbers` has one for each, (categories,), or -1.
    """

    def __init__(self, categories: list[str], numbers: NDArray[np.integer]) -> None:
        self.categories, self.numbers = categories, numbers

    @cached_property
    def _as_dict(self) -> dict[str, int]:
        pairs = zip(self.categories, self.numbers.tolist(), strict=True)
        return {category: number for category, number in pairs if number >= 0}

    def __getitem__(self, category: str) -> int:
        return self._as_dict[category]

    def __iter__(self) -> Iterator[str]:
        return iter(self._as_dict)

    def __len__(self) -> int:
        return int((self.numbers >= 0).sum())


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
    def of(
        cls, features: pd.DataFrame, text_columns: Sequence[str], unsorted: Sequence[str] = ()
    ) -> Self:
        """From a table of row features, indexed by id.

        unsorted: text columns whose categories need no order. There may be millions of them.
        """
        texts = {n: pd.factorize(features[n], sort=n not in unsorted) for n in text_columns}
        others = [name for name in features.columns if name not in text_columns]
        return cls(
            ids=features.index.to_numpy(),
            numbers={name: features[name].to_numpy() for name in others},
            codes={name: codes.astype(np.int32) for name, (codes, _) in texts.items()},
            categories={name: categories.tolist() for name, (_, categories) in texts.items()},
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

    def count(self, name: str) -> CategoryNumbers:
        """How many rows have each category that any has."""
        codes, categories = self.codes[name], self.categories[name]
        counts = np.bincount(codes[codes >= 0], minlength=len(categories))
        return CategoryNumbers(categories, np.where(counts, counts, -1))

    def look_up(
        self, name: str, numbers: Mapping[str, int], otherwise: int = -1
    ) -> NDArray[np.int64]:
        """The number of each row's category (rows,); `otherwise` if it has none or is missing."""
        categories = self.categories[name]
        if isinstance(numbers, CategoryNumbers) and numbers.categories is categories:
            found = np.where(numbers.numbers < 0, otherwise, numbers.numbers)
        else:
            found = np.array([numbers.get(c, otherwise) for c in categories], np.int64)
        # The code of a missing category is -1, the last.
        looked_up: NDArray[np.int64] = np.append(found, otherwise)[self.codes[name]]
        return looked_up
