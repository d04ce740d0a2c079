"""What a hidden layer buys: the linear model and nets with 1, 2, 4 and 8 hidden units.

They are small, and trained for the page to play with, all in the same way, on all training rows;
their held-out log loss is by cross-validation. Of a long table they train on some of the rows, and
are scored on the first fold.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from titanic_nn.config import Config
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.evaluation.experiment import Experiment, held_out_probabilities, no_progress
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.nets.config import LinearConfig, NetConfig, ReLUConfig
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import Split, final_split

UNITS = (0, 1, 2, 4, 8)  # 0: the linear model
FOLDS = 5
MOST_ROWS = 2000  # training rows; of more, so many are drawn


@dataclass(frozen=True, eq=False)
class SmallNet:
    """One small net.

    Attributes:
        units: hidden units; 0: it is linear.
        encoder: of the rows that it was trained on.
        params: by name, without the axis of nets: `w` (columns, outputs), ...
        log_loss: on held-out rows, the mean over folds of nets that are trained alike.
        rows: how many it was trained on.
    """

    units: int
    encoder: Encoder
    params: dict[str, NDArray[np.float32]]
    log_loss: float
    rows: int


def small_nets(tables: Tables, config: Config) -> list[SmallNet]:
    """The nets of a run's tables, folds and seed; the run's other settings are not used.

    Raises ConfigError where the table is too small for the folds, DivergenceError where a net
    diverges.
    """
    fewest = int(np.bincount(tables.y).min())
    folds = min(FOLDS, fewest)
    settings = replace(config, folds=folds, repeats=1, n_seeds=1, device="cpu")
    run = Experiment.start(tables, settings, {}, no_progress)
    whole = final_split(len(tables.train), 0)
    scored = run.folds if len(tables.train) <= MOST_ROWS else run.folds[:1]
    encoders = run.encoders([*scored, whole])
    splits = [_with_fewer_rows(split, config.seed) for split in encoders.splits]
    # Only these rows are encoded, and the splits have their positions.
    used = np.unique(np.concatenate([rows for s in splits for rows in (s.train, s.held_out)]))
    splits = [_at_positions(split, used) for split in splits]
    x = encoders.encode(range(len(splits)), used)  # (splits, used rows, columns)
    targets = tables.targets[used]
    encoder, columns = encoders.encoder(whole)
    found = []
    for units in UNITS:
        nets = train_nets(
            SplitData(x, targets, splits),
            Members([_config(units)], 1),
            seed=config.seed,
            device=run.device,
            history_points=0,
            part=0,  # the run has compiled these loops
        )
        held_out = held_out_probabilities(splits, nets)
        losses = [log_loss(targets[s.held_out], held_out[s]) for s in splits[:-1]]
        params = {name: p[-1, 0].cpu().numpy() for name, p in nets.params.items()}
        first = "w1" if units else "w"
        params[first] = params[first][columns]
        found.append(
            SmallNet(units, encoder, params, float(np.mean(losses)), len(splits[-1].train))
        )
    return found


def _config(units: int) -> NetConfig:
    """Few epochs at a high learning rate: each trains in a tenth of a second."""
    if units == 0:
        return LinearConfig(epochs=20, batch_size=256, learning_rate=0.1)
    return ReLUConfig(epochs=20, batch_size=256, learning_rate=0.1, hidden_size=units)


def _with_fewer_rows(split: Split, seed: int) -> Split:
    if len(split.train) <= MOST_ROWS:
        return split
    rng = np.random.default_rng(seed)
    return replace(split, train=np.sort(rng.choice(split.train, MOST_ROWS, replace=False)))


def _at_positions(split: Split, rows: NDArray[np.int64]) -> Split:
    """A split of some rows, which are in rising order, by their positions among them."""
    return replace(
        split, train=rows.searchsorted(split.train), held_out=rows.searchsorted(split.held_out)
    )
