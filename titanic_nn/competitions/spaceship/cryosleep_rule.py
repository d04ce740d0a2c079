"""The rule that every model has to beat: who was in cryosleep was transported."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

ASLEEP = "cryosleep=True"


class CryosleepRule:
    """Those asleep and those awake are each given their rate among the training rows.

    Where the training rows do not tell them apart, everyone is given the rate of all.
    """

    def __init__(self, feature_names: Sequence[str]) -> None:
        self.column = list(feature_names).index(ASLEEP) if ASLEEP in feature_names else None

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Self:
        """Take the two rates from training rows x (rows, features) and y (rows,)."""
        asleep = self._asleep(x)
        self.rate_asleep = self.rate_awake = float(y.mean())
        if asleep.any() and not asleep.all():
            self.rate_asleep, self.rate_awake = float(y[asleep].mean()), float(y[~asleep].mean())
        return self

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (rows, 2) of having been left behind and transported."""
        p = np.where(self._asleep(x), self.rate_asleep, self.rate_awake)  # (rows,)
        return np.stack([1 - p, p], axis=1)

    def _asleep(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.zeros(len(x), bool) if self.column is None else x[:, self.column] == 1
