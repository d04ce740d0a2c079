"""The objective of a search: a trial's mean log loss over held-out folds."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from titanic_nn.engine.device import torch_threads
from titanic_nn.engine.members import Members, structure
from titanic_nn.engine.train import SplitData, scaled, train_nets
from titanic_nn.evaluation.experiment import Experiment
from titanic_nn.evaluation.metrics import EPS, log_loss
from titanic_nn.nets.config import NetConfig
from titanic_nn.tables.splits import Split

# The loss of a net that diverged: that of wrong predictions made with certainty, the largest there
# is. A trial with such a loss on any split is a bad one, and its mean is a number all the same.
WORST = -float(np.log(EPS))


class Objective:
    """Held-out log losses of any settings, on splits that are encoded once.

    Args:
        experiment: the tables, the device, and the settings that are no net's: `n_seeds` (nets per
            split, whose probabilities are averaged), `seed` and `features`.
        splits: what to train and score on.
    """

    def __init__(self, experiment: Experiment, splits: Sequence[Split]) -> None:
        self.experiment, self.splits = experiment, splits
        encoders = experiment.encoders(splits, test_rows=True)
        self.feature_names = encoders.feature_names
        self.x = encoders.encode(range(len(splits)))  # (splits, rows, features)
        self.y = experiment.tables.targets  # (labelled rows,), or (labelled rows, classes)

    def losses(
        self,
        trials: Sequence[NetConfig],
        first: int = 0,
        last: int | None = None,
        *,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> NDArray[np.float64]:
        """The log loss of each trial on the held-out rows of splits `first` to `last`.

        It is WORST where the net of any of its seeds diverged. Trials that differ only in what the
        members of a program may differ in are trained together. The shape is (trials, splits asked
        for). `on_progress` is called, by several threads, with the fraction that was just done.
        """
        of_structure: dict[tuple[object, ...], list[int]] = {}
        for i, trial in enumerate(trials):
            of_structure.setdefault(structure(trial), []).append(i)
        groups = sorted(of_structure.values(), key=lambda group: -trials[group[0]].epochs)
        losses = np.empty((len(trials), len(self.splits[first:last])))
        with self._workers(len(groups)) as pool:
            found = pool.map(
                lambda group: self._group_losses(
                    [trials[i] for i in group],
                    first,
                    last,
                    scaled(on_progress, len(group) / len(trials)),
                ),
                groups,
            )
            for group, of_group in zip(groups, found, strict=True):
                losses[group] = of_group
        return losses

    @contextmanager
    def _workers(self, groups: int) -> Iterator[ThreadPoolExecutor]:
        """Threads for the groups: one per core if there are enough groups, else a single one.

        Many small programs are faster side by side, with one thread each. A single program is left
        to the engine, which divides it among the cores.
        """
        cores = torch.get_num_threads()
        side_by_side = self.experiment.device.type == "cpu" and groups >= cores
        pool = ThreadPoolExecutor(cores if side_by_side else 1)
        with torch_threads(1 if side_by_side else cores):
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)

    def _group_losses(
        self,
        trials: Sequence[NetConfig],
        first: int,
        last: int | None,
        on_progress: Callable[[float], None],
    ) -> NDArray[np.float64]:
        """`losses` of trials that one program can train."""
        splits, n_seeds = self.splits[first:last], self.experiment.config.n_seeds
        nets = train_nets(
            SplitData(self.x[first:last], self.y, splits),
            Members(trials, n_seeds),
            seed=self.experiment.config.seed,
            device=self.experiment.device,
            history_points=0,
            keep_diverged=True,
            part=0,  # a study is worth compiling for, though each of its programs is not
            on_progress=on_progress,
        )
        # (splits, members, rows, ...), a trial's seeds side by side -> (splits, trials, rows, ...)
        by_seed = nets.probability.cpu().numpy()
        shape = (len(splits), len(trials), n_seeds, *by_seed.shape[2:])
        probability = by_seed.reshape(shape).mean(2)
        losses = np.empty((len(trials), len(splits)))
        for i, split in enumerate(splits):
            losses[:, i] = log_loss(self.y[split.held_out], probability[i][:, split.held_out])
        diverged = nets.diverged.cpu().numpy().reshape(len(splits), len(trials), n_seeds).any(2)
        return np.where(diverged.T, WORST, losses)
