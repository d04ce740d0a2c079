"""What a trial is judged by: the mean log loss over folds of labelled rows."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from titanic_nn.engine.backends.numba_backend import can_compile
from titanic_nn.engine.device import choose_device, torch_threads
from titanic_nn.engine.members import PER_MEMBER, Members
from titanic_nn.engine.train import BackendName, train_nets
from titanic_nn.evaluation.metrics import EPS, log_loss
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.splits import Split
from titanic_nn.config import FeatureConfig, NetConfig

# What a net that diverged is given: the loss of being sure, and wrong, about everyone.
WORST = -float(np.log(EPS))


class Objective:
    """Held-out losses of any settings of a net, on splits that are encoded once.

    Args:
        features: `passenger_features` of the whole table, labelled rows first.
        y: labels of those rows, (labelled rows,).
        splits: positions of rows.
        seeds: nets a split whose probabilities are averaged.
        seed: the number that all randomness grows from.
        device: "auto", "cpu" or "cuda".
    """

    def __init__(
        self,
        features: pd.DataFrame,
        y: NDArray[np.int64],
        splits: Sequence[Split],
        *,
        n_seeds: int,
        seed: int,
        device: str = "auto",
    ) -> None:
        self.y, self.splits = y, splits
        self.n_seeds, self.seed = n_seeds, seed
        self.device = choose_device(device)
        encoders = SplitEncoders(features, y, splits, FeatureConfig())
        self.feature_names = encoders.feature_names
        self.x = encoders.encode(range(len(splits)))  # (splits, rows, features)

    def losses(
        self, trials: Sequence[NetConfig], first: int = 0, last: int | None = None
    ) -> NDArray[np.float64]:
        """The log loss of each trial on the held-out rows of splits first to last.

        Trials that differ in nothing but what members of a program may differ in train together.
        Returns (trials, splits asked for).
        """
        groups = sorted(_same_structure(trials), key=lambda group: -trials[group[0]].epochs)
        losses = np.empty((len(trials), len(self.splits[first:last])))
        with self._workers(len(groups)) as pool:
            done = pool.map(
                lambda group: self._group_losses([trials[i] for i in group], first, last), groups
            )
            for group, of_group in zip(groups, done, strict=True):
                losses[group] = of_group
        return np.nan_to_num(losses, nan=WORST)

    @contextmanager
    def _workers(self, groups: int) -> Iterator[ThreadPoolExecutor]:
        """Many small programs fill the cores better side by side, each in one thread, than each of
        them cut into parts; one that is alone is left to the engine to cut.
        """
        cores = torch.get_num_threads()
        side_by_side = self.device.type == "cpu" and groups >= cores
        pool = ThreadPoolExecutor(cores if side_by_side else 1)
        with torch_threads(1 if side_by_side else cores):
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)

    def _group_losses(
        self, trials: Sequence[NetConfig], first: int, last: int | None
    ) -> NDArray[np.float64]:
        """The same, of trials that one program can train."""
        splits = self.splits[first:last]
        nets = train_nets(
            self.x[first:last],
            self.y,
            splits,
            Members(trials, self.n_seeds),
            seed=self.seed,
            device=self.device,
            history_points=0,
            backend=self._road(trials[0]),
        )
        # (splits, members, rows), a trial's seeds side by side -> (splits, trials, rows)
        by_seed = nets.probability.cpu().numpy()
        probability = by_seed.reshape(len(splits), len(trials), self.n_seeds, -1).mean(2)
        losses = np.empty((len(trials), len(splits)))
        for i, split in enumerate(splits):
            held_out = split.held_out
            losses[:, i] = log_loss(self.y[held_out], probability[i][:, held_out])
        return losses

    def _road(self, config: NetConfig) -> BackendName | None:
        """A study is long enough to be worth compiling, though each of its programs is not."""
        return "compiled" if self.device.type == "cpu" and can_compile(config) else None


def _same_structure(trials: Sequence[NetConfig]) -> Iterator[list[int]]:
    """Positions of trials that one program can train, group by group."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, trial in enumerate(trials):
        shape = [getattr(trial, f.name) for f in fields(trial) if f.name not in PER_MEMBER]
        groups.setdefault(tuple(shape), []).append(i)
    yield from groups.values()
