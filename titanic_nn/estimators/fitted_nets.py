"""Fitted nets: from numbers to calibrated probabilities.

This module does not load scikit-learn, which takes most of a second: a prediction can do without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from titanic_nn.engine.members import Hyperparameters, Members
from titanic_nn.engine.predict import mean_probabilities
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.nets.batch import Net
from titanic_nn.nets.config import NetConfig


@dataclass(frozen=True, eq=False)
class FittedNets:
    """Nets of one structure, whose probabilities are averaged and then calibrated.

    Attributes:
        net: the structure that they share.
        params: their parameters by name, each (n_seeds, ...).
        mean, scale: of each column over the training rows, (features,); both None where columns
            are not standardized.
        calibration: of the mean probabilities.
    """

    net: Net
    params: Mapping[str, NDArray[np.float32]]
    mean: NDArray[np.float64] | None
    scale: NDArray[np.float64] | None
    calibration: Calibration

    def checked_params(
        self, *, n_seeds: int, n_features: int, n_classes: int
    ) -> dict[str, NDArray[np.float32]]:
        """The parameters in the order in which the nets make them.

        Raises ValueError where an array does not have the shape and type that so many such nets
        have.
        """
        if any(a is not None and a.shape != (n_features,) for a in (self.mean, self.scale)):
            raise ValueError("means and scales are not of the shape of a row")
        left = sum(p.size for p in self.params.values())

        def blank(name: str, shape: tuple[int, ...]) -> torch.Tensor:
            nonlocal left
            left -= n_seeds * prod(shape)
            if left < 0:
                raise ValueError("the tensors are not those of the net: there are too few numbers")
            # Not on torch's "meta" device, whose import takes a second.
            return torch.zeros(n_seeds, *shape)

        outputs = n_classes if n_classes > 2 else 1
        blanks = self.net.init(n_features, outputs, blank)
        expected = {name: (tuple(p.shape), "<f4") for name, p in blanks.items()}
        found = {name: (p.shape, p.dtype.str) for name, p in self.params.items()}
        for name in sorted(found.keys() | expected.keys()):
            if found.get(name) != expected.get(name):
                raise ValueError(f"the tensors are not those of the net: {name[:40]!r} differs")
        return {name: self.params[name] for name in expected}

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.float32]:  # noqa: N803
        """The probability of each class, (rows, classes), for finite numbers X (rows, features).

        A row's probabilities are bitwise the same, whatever other rows X has. Raises ValueError
        where a row is too large for the nets.
        """
        params = {name: torch.from_numpy(p) for name, p in self.params.items()}
        rows = scaled(X, self.mean, self.scale)  # (rows, features)
        p = mean_probabilities(self.net, params, rows)  # (rows, classes)
        if self.calibration != Calibration():
            if p.shape[1] == 2:
                second = self.calibration(p[:, 1])
                p = np.stack([1 - second, second], axis=1)
            else:
                p = self.calibration(p)
        if not np.isfinite(p).all():
            row = int(np.isfinite(p).all(axis=1).argmin())
            raise ValueError(f"Row {row} of X holds numbers so large that the nets overflow.")
        return p.astype(np.float32)


def net_of(config: NetConfig, n_seeds: int) -> Net:
    """The structure that `n_seeds` nets with these settings share."""
    which = np.zeros(n_seeds, dtype=np.int64)
    return Hyperparameters(Members([config], 1), which, torch.device("cpu")).net()


def scaled(
    X: NDArray[np.floating],  # noqa: N803
    mean: NDArray[np.float64] | None,
    scale: NDArray[np.float64] | None,
) -> NDArray[np.float32]:
    """Numbers (rows, features) as nets read them, in standard deviations from the mean if given.

    Raises ValueError where a number is too large.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        if mean is not None and scale is not None:
            X = (X - mean) / scale  # noqa: N806
        rows = np.asarray(X, dtype=np.float32)
    refuse_overflow(rows)
    return rows


def refuse_overflow(numbers: NDArray[np.floating]) -> None:
    """Raise ValueError, in scikit-learn's words, where numbers made from X are not finite."""
    if not np.isfinite(numbers).all():
        raise ValueError("Input X contains a value too large for dtype('float32').")
