"""Does each feature improve the nets? They are trained without it, or with it alone of its group.

Permutation importance measures how much a trained net uses a feature; an ablation measures what
nets lose that never had it. On the same folds and rows there are two questions:

- drop: all features but one. Where two carry the same information, dropping either costs nothing.
- add: the features outside a group, plus one of the group, so that no other feature of the group
  can take its place. A competition names its group in the feature table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.config import Config
from titanic_nn.evaluation.comparison import compare_losses
from titanic_nn.evaluation.experiment import (
    Experiment,
    Progress,
    held_out_probabilities,
    no_progress,
)
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.encode import EncodedSplits
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import Split

Kind = Literal["all", "plain", "drop", "add"]
# The kind with which a variant is compared; `plain` is all features without the group.
REFERENCE = {"all": "all", "plain": "all", "drop": "all", "add": "plain"}


@dataclass(frozen=True)
class Variant:
    """One choice of features: its kind, the feature in question, and the features that are kept."""

    kind: Kind
    feature: str  # empty for the references, `all` and `plain`
    kept: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ablation:
    """The result of an ablation.

    Attributes:
        device: where the nets were trained.
        group: the name of the feature group; None if the competition has none.
        scores: a row per model, variant, repeat and fold, with the columns of ablation.csv:
            `model`, `kind`, `feature`, `repeat`, `fold`, `log_loss` (held out).
        summary: a row per model and variant: mean `log_loss`; its `change` against the reference
            (`all`; for `add` it is `plain`) with the corrected 95 % interval `low` to `high`; and
            `p_helps`, the probability that the dropped or added feature lowers the log loss by
            more than ROPES["log_loss"]. The references first, then by size of the effect.
    """

    device: str
    group: str | None
    scores: pd.DataFrame
    summary: pd.DataFrame

    def variants(self, model: str, kind: Kind) -> pd.DataFrame:
        """The rows of `summary` for one net and kind."""
        summary = self.summary
        return summary[(summary["model"] == model) & (summary["kind"] == kind)]


def ablation(
    data: Path | Tables | None = None,
    *,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> Ablation:
    """Train the nets on every fold with each choice of features.

    Arguments and errors are those of `compare_models`.
    """
    run = Experiment.start(data, config, overrides, on_progress)
    encoders = run.encoders(run.folds)
    group_of = {feature.name: feature.group for feature in run.competition.features.features}
    columns = encoders.columns_of_features
    in_group = [name for name in columns if group_of[name]]
    variants = choices_of_features(list(columns), in_group)

    rows = []
    for encoded in encoders.batches():
        part = len(encoded.splits) / len(run.folds) / len(variants)
        for model in run.config.models:
            for variant in variants:
                p = variant_probabilities(run, model, encoded, variant, columns, part)
                for split in encoded.splits:
                    loss = float(log_loss(run.tables.targets[split.held_out], p[split]))
                    key = (model, variant.kind, variant.feature, split.repeat, split.fold)
                    rows.append((*key, loss))
    names = ["model", "kind", "feature", "repeat", "fold", "log_loss"]
    scores, group = pd.DataFrame(rows, columns=names), group_of[in_group[0]] if in_group else None
    return Ablation(str(run.device), group, scores, summarized(scores, run.config.folds))


def choices_of_features(features: Sequence[str], in_group: Sequence[str]) -> list[Variant]:
    """The references, then each feature dropped, then each of the group added."""
    plain = tuple(feature for feature in features if feature not in in_group)
    return [
        Variant("all", "", tuple(features)),
        *([Variant("plain", "", plain)] if in_group else []),
        *(Variant("drop", one, tuple(f for f in features if f != one)) for one in features),
        *(Variant("add", one, (*plain, one)) for one in in_group),
    ]


def variant_probabilities(
    run: Experiment,
    model: str,
    encoded: EncodedSplits,
    variant: Variant,
    columns: Mapping[str, Sequence[int]],
    part: float,
) -> dict[Split, NDArray[np.float64]]:
    """Held-out probabilities of nets that never had the columns of the features left out.

    `columns`: feature -> the positions of its columns; `part`: the fraction of the model's work.
    """
    kept = sorted(column for feature in variant.kept for column in columns[feature])
    x = np.ascontiguousarray(encoded.x[..., kept])  # (splits, rows, columns kept)
    nets = run.train(model, EncodedSplits(encoded.splits, x), part=part)
    return held_out_probabilities(encoded.splits, nets)


def summarized(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Each variant against its reference on the same folds (see `Ablation.summary`).

    scores: the columns of ablation.csv, each variant's folds in the same order.
    """
    losses = {
        key: part["log_loss"].to_numpy()
        for key, part in scores.groupby(["model", "kind", "feature"], sort=False)
    }
    models, kinds = scores["model"].unique().tolist(), list(REFERENCE)
    rows = []
    for (model, kind, feature), loss in losses.items():
        found = compare_losses(loss, losses[model, REFERENCE[str(kind)], ""], folds)
        # To add what helps is better than to go without; to drop it is worse.
        sign, p_helps = (1, found.p_better) if kind == "add" else (-1, found.p_worse)
        row = (model, kind, feature, loss.mean(), found.mean, found.low, found.high, p_helps)
        order = (models.index(model), kinds.index(str(kind)), sign * found.mean)
        rows.append((order, row))
    rows.sort(key=lambda pair: pair[0])
    columns = ["model", "kind", "feature", "log_loss", "change", "low", "high", "p_helps"]
    return pd.DataFrame([row for _, row in rows], columns=columns)
