"""What every evaluation has in common: tables, folds, encoders, and nets trained on them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import get_competition, load_config
from titanic_nn.config import Config
from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, TrainedNets, scaled, train_nets
from titanic_nn.errors import ConfigError
from titanic_nn.tables.encode import EncodedSplits, SplitEncoders
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import Split, repeated_stratified_splits

# Called with a stage's name and the fraction of its work that was just done.
Progress = Callable[[str, float], None]


def no_progress(stage: str, fraction: float) -> None:
    """Report nothing."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """A competition's tables and folds, and the settings of the nets that are trained on them.

    Attributes:
        competition: the tables' competition.
        config: the settings.
        tables: both tables.
        device: where nets are trained.
        folds: the splits of cross-validation, repeat by repeat.
        groups: the group of each labelled row, (train rows,), where folds keep groups whole.
        on_progress: is called as work is done.
    """

    competition: Competition
    config: Config
    tables: Tables
    device: torch.device
    folds: list[Split]
    groups: NDArray[np.int64] | None
    on_progress: Progress

    @classmethod
    def start(
        cls,
        data: Path | Tables | None,
        config: Config | None,
        overrides: Mapping[str, Any],
        on_progress: Progress,
    ) -> Self:
        """Read the tables, draw the folds. Arguments and errors are those of `compare_models`."""
        if config is None:
            config = load_config(**overrides)
        elif overrides:
            raise ConfigError(f"give config, or {', '.join(overrides)}, not both")
        competition = get_competition(config.competition)
        device = choose_device(config.device)
        tables = data if isinstance(data, Tables) else competition.load(data)
        if tables.schema is not competition.schema:
            raise ConfigError(f"the tables are not those of competition {competition.slug}")
        tables.check_folds(config.folds)
        groups = None
        if config.group_folds:
            if competition.groups is None:
                raise ConfigError(f"group_folds = true: {competition.slug} has no groups of rows")
            groups = competition.groups(tables.train)
        folds = repeated_stratified_splits(
            tables.y, config.folds, config.repeats, config.seed, groups
        )
        return cls(competition, config, tables, device, folds, groups, on_progress)

    def encoders(self, splits: Sequence[Split], *, test_rows: bool = False) -> SplitEncoders:
        """An encoder for each split of the labelled rows; with `test_rows`, of both tables."""
        features = self.competition.features
        rows = self.tables.columns(features, test_rows=test_rows)
        return SplitEncoders(rows, self.tables.y, splits, features, self.config.features)

    def train(
        self, model: str, encoded: EncodedSplits, *, part: float, history_points: int = 0
    ) -> TrainedNets:
        """Train a net's seeds on some splits, which are a `part` of the model's work.

        Raises DivergenceError if a net diverges, before anything is made of its numbers.
        """
        return train_nets(
            SplitData(encoded.x, self.tables.targets, encoded.splits),
            Members([self.config.nets[model]], self.config.n_seeds),
            seed=self.config.seed,
            device=self.device,
            history_points=history_points,
            part=part,
            on_progress=scaled(partial(self.on_progress, model), part),
        )

    def trained(self, encoders: SplitEncoders) -> Iterator[tuple[str, EncodedSplits, TrainedNets]]:
        """Every net on all splits: the model, some splits and the nets trained on them."""
        for encoded in encoders.batches():
            for model in self.config.models:
                part = len(encoded.splits) / len(encoders.splits)
                yield model, encoded, self.train(model, encoded, part=part)


def mean_probabilities(nets: TrainedNets) -> NDArray[np.float64]:
    """The nets' probabilities averaged over seeds, (splits, rows), or (splits, rows, classes)."""
    return nets.probability.mean(1).cpu().numpy()


def held_out_probabilities(
    splits: Sequence[Split], nets: TrainedNets
) -> dict[Split, NDArray[np.float64]]:
    """Each split's probabilities of its held-out rows, averaged over seeds.

    Of class 1 of two (held-out rows,), of more classes (held-out rows, classes).
    """
    pairs = zip(splits, mean_probabilities(nets), strict=True)
    return {split: p[split.held_out] for split, p in pairs}
