"""Does each feature earn its place? Nets trained anew without it, or with it alone.

Permutation importance asks what a trained net leans on; an ablation asks what nets lose that never
had the feature. Two questions, both on the same folds and with the same rows:

- drop: all features but one. Where two tell the same news, either can go and nothing is lost.
- add: the features of a passenger's own row and ticket, plus one that tells of the companions. So a
  stand-in among the others hides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import scaled, train_nets
from titanic_nn.evaluation.comparison import ROPES, compare
from titanic_nn.evaluation.compare_models import Progress
from titanic_nn.analysis.importance import columns_of_features
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.competitions.titanic.features import FEATURES, passenger_features
from titanic_nn.tables.splits import Split, repeated_stratified_splits
from titanic_nn.tables.sources import Passengers, labelled_passengers
from titanic_nn.config import Model, Config

# What companions.py makes: all that reads labels, and the number that tells how much it is worth.
OF_COMPANIONS = tuple(f.name for f in FEATURES if f.reads_labels or f.name == "men_known")

Kind = Literal["all", "plain", "drop", "add"]
# With what a variant's log loss is compared; all of the companions' features go from all to plain.
REFERENCE = {"all": "all", "plain": "all", "drop": "all", "add": "plain"}

# A smaller difference in log loss is no difference to anyone.
MATTERS = ROPES["log_loss"]
# From this probability on we speak of it as sure.
SURE = 0.95


@dataclass(frozen=True)
class Variant:
    """One choice of features: what it is, the feature that it is about, and those that are kept."""

    kind: Kind
    feature: str  # empty for the references, `all` and `plain`
    kept: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ablation:
    """What was found.

    Attributes:
        settings: what the nets were made of.
        passengers: the tables, and where they came from.
        device: what the nets were trained on.
        scores: a row per model, variant, repeat and fold, with the columns of ablation.csv:
            `model`, `kind`, `feature`, `repeat`, `fold`, `log_loss` (held out).
        summary: a row per model and variant: mean `log_loss`; its `change` against the reference
            (`all`; for `add` it is `plain`) with the corrected 95 % interval `low` to `high`; and
            `p_helps`, the probability that what is dropped or added lowers the log loss by more
            than 0.005. The references first, then what costs most to drop, then what helps most
            when added.
    """

    config: Config
    passengers: Passengers
    device: str
    scores: pd.DataFrame
    summary: pd.DataFrame

    def variants(self, model: Model, kind: Kind) -> pd.DataFrame:
        """The rows of `summary` for one net and kind."""
        summary = self.summary
        return summary[(summary["model"] == model) & (summary["kind"] == kind)]

    def answer(self, model: Model) -> str:
        """Which features earn their place, as far as the intervals allow to say."""
        together = self.variants(model, "plain").iloc[0]
        return (
            f"Which features earn their place in {model}, by more than {MATTERS} of log loss? "
            f"Dropped: {_sorted_out(self.variants(model, 'drop'))}. "
            f"Added: {_sorted_out(self.variants(model, 'add'))}. "
            f"All that tell of companions give {together['change']:.3f} together (95 % interval "
            f"{together['low']:.3f} to {together['high']:.3f}). What can be dropped may have a "
            "stand-in among the others."
        )


def ablation(
    data: Path | Passengers | None = None,
    *,
    config: Config | None = None,
    on_progress: Progress = lambda stage, share: None,
    **overrides: Any,
) -> Ablation:
    """Train the nets on every fold with each choice of features.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        settings: what the nets are made of; the shipped settings by default.
        on_progress: is called as work is done.
        overrides: single settings, such as `models=["relu"]`, instead of `settings`.

    Raises:
        DataError, SettingsError, DeviceError: a mistake that one line explains.
    """
    config = config or Config.from_toml(**overrides)
    device = choose_device(config.device)
    passengers, y = labelled_passengers(data, config.folds)

    splits = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
    features = passenger_features(passengers.train)
    encoders = SplitEncoders(features, y, splits, config.features)
    columns = columns_of_features(encoders.feature_names)
    variants = choices_of_features(list(columns))

    losses = {model: np.empty((len(variants), len(splits))) for model in config.models}
    for which in encoders.in_turn():
        part = splits[which.start : which.stop]
        x = encoders.encode(which)  # (splits, rows, features)
        for model in config.models:
            losses[model][:, which.start : which.stop] = ablated_losses(
                x,
                y,
                part,
                columns,
                variants,
                Members([config.net(model)], config.n_seeds),
                seed=config.seed,
                device=device,
                on_progress=scaled(partial(on_progress, model), len(part) / len(splits)),
            )

    scores = pd.DataFrame(
        {
            "model": model,
            "kind": variant.kind,
            "feature": variant.feature,
            "repeat": split.repeat,
            "fold": split.fold,
            "log_loss": losses[model][i, j],
        }
        for model in config.models
        for i, variant in enumerate(variants)
        for j, split in enumerate(splits)
    )
    return Ablation(
        config=config,
        passengers=passengers,
        device=str(device),
        scores=scores,
        summary=summarized(scores, config.folds),
    )


def choices_of_features(
    features: Sequence[str], of_companions: Sequence[str] = OF_COMPANIONS
) -> list[Variant]:
    """The references, then each feature dropped, then each of the companions' added."""
    plain = tuple(feature for feature in features if feature not in of_companions)
    return [
        Variant("all", "", tuple(features)),
        Variant("plain", "", plain),
        *(Variant("drop", one, tuple(f for f in features if f != one)) for one in features),
        *(Variant("add", one, (*plain, one)) for one in features if one in of_companions),
    ]


def ablated_losses(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    splits: Sequence[Split],
    columns: dict[str, list[int]],
    variants: Sequence[Variant],
    members: Members,
    *,
    seed: int,
    device: torch.device,
    on_progress: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float64]:
    """Held-out log loss of nets that never had the columns of the features left out.

    Args:
        x: (splits, rows, features).
        y: 0 or 1, (rows,).
        columns: feature -> the positions of its columns.

    Returns:
        (variants, splits), of the probabilities averaged over seeds.
    """
    losses = np.empty((len(variants), len(splits)))
    for i, variant in enumerate(variants):
        kept = sorted(column for feature in variant.kept for column in columns[feature])
        nets = train_nets(
            np.ascontiguousarray(x[..., kept]),  # (splits, rows, columns kept)
            y,
            splits,
            members,
            seed=seed,
            device=device,
            on_progress=scaled(on_progress, 1 / len(variants)),
        )
        probability = nets.probability.mean(1).cpu().numpy()  # (splits, rows)
        losses[i] = [
            log_loss(y[split.held_out], p[split.held_out])
            for split, p in zip(splits, probability, strict=True)
        ]
    return losses


def summarized(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Each variant against its reference on the same folds (see `Ablation.summary`).

    scores: the columns of ablation.csv, each variant's folds in the same order.
    """
    losses = {
        key: part["log_loss"].to_numpy()
        for key, part in scores.groupby(["model", "kind", "feature"], sort=False)
    }
    rows: list[dict[str, Any]] = []
    for (model, kind, feature), loss in losses.items():
        against = compare(
            loss,
            losses[model, REFERENCE[str(kind)], ""],
            held_out_share=1 / folds,
            rope=MATTERS,
            lower_is_better=True,
        )
        rows.append(
            {
                "model": model,
                "kind": kind,
                "feature": feature,
                "log_loss": loss.mean(),
                "change": against.mean,
                "low": against.low,
                "high": against.high,
                # To add what helps is better than to go without; to drop it is worse.
                "p_helps": against.p_better if kind == "add" else against.p_worse,
            }
        )
    models, kinds = scores["model"].unique().tolist(), list(REFERENCE)

    def place(row: dict[str, Any]) -> tuple[int, int, float]:
        worth = -row["change"] if row["kind"] == "add" else row["change"]
        return models.index(row["model"]), kinds.index(row["kind"]), -worth

    rows.sort(key=place)
    return pd.DataFrame(rows)


def _sorted_out(variants: pd.DataFrame) -> str:
    """Which features surely matter, how many surely do not, and of how many nothing is sure."""
    p = variants["p_helps"]
    surely = ", ".join(variants["feature"][p >= SURE]) or "none"
    surely_not = int((p <= 1 - SURE).sum())
    unsure = len(p) - surely_not - int((p >= SURE).sum())
    return (
        f"{surely} for sure; {surely_not} of {len(p)} surely not; for {unsure} these folds cannot "
        "tell"
    )
