"""Does a net over- or underfit? Read from the learning curves of a run.

The rules, in this order, on the mean curves over all folds. A difference matters if it exceeds the
region of practical equivalence of the log loss.

1. The held-out loss rose since its minimum and exceeds the training loss, both by a difference
   that matters: overfitting.
2. It still fell in the last quarter of the epochs, by a difference that matters: underfitting.
3. The training loss exceeds, by a difference that matters, the held-out loss of another model of
   the run: underfitting.
4. The gap between held-out and training loss exceeds a fifth of the held-out loss: overfitting that
   does not raise the held-out loss yet. Every net has a gap: about p / n for p parameters and n
   rows.
5. Otherwise neither.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from titanic_nn.config import Config
from titanic_nn.errors import DataError
from titanic_nn.evaluation.comparison import ROPES

MATTERS = ROPES["log_loss"]
WIDE_GAP = 0.2  # of the held-out loss
FEWEST_POINTS = 4  # a last quarter, and something before it

Cause = Literal["rise", "fall", "high training loss", "wide gap", "none"]
OVERFITTING: tuple[Cause, ...] = ("rise", "wide gap")


@dataclass(frozen=True)
class Diagnosis:
    """One net's diagnosis; losses are means over folds, of single nets.

    Attributes:
        model: the net.
        training_loss, held_out_loss: after the last epoch.
        lowest, lowest_epoch: the minimum of the mean held-out loss, and its epoch.
        fell: by how much the held-out loss fell in the last quarter of the epochs.
        best_other, best_other_loss: the other model with the lowest held-out log loss; None where
            there is none, or where the net's own loss is no log loss.
    """

    model: str
    training_loss: float
    held_out_loss: float
    lowest: float
    lowest_epoch: int
    fell: float
    best_other: str | None
    best_other_loss: float | None

    @property
    def gap(self) -> float:
        """Held-out loss minus training loss."""
        return self.held_out_loss - self.training_loss

    @property
    def rose(self) -> float:
        """By how much the held-out loss rose since its minimum."""
        return self.held_out_loss - self.lowest

    @property
    def cause(self) -> Cause:
        """The first rule that holds."""
        if self.rose > MATTERS and self.gap > MATTERS:
            return "rise"
        if self.fell > MATTERS:
            return "fall"
        other = self.best_other_loss
        if other is not None and self.training_loss > other + MATTERS:
            return "high training loss"
        return "wide gap" if self.gap > WIDE_GAP * self.held_out_loss else "none"

    @property
    def verdict(self) -> Literal["overfitting", "underfitting", "neither"]:
        """What the cause is a sign of."""
        if self.cause == "none":
            return "neither"
        return "overfitting" if self.cause in OVERFITTING else "underfitting"


def diagnose(history: pd.DataFrame, metrics: pd.DataFrame, config: Config) -> list[Diagnosis]:
    """Diagnose each net of a run.

    Args:
        history: the run's history.csv.
        metrics: its metrics.csv, for the losses of the other models.
        config: its settings.

    Raises:
        DataError: there are too few epochs to see a trend, or a model is none of the settings'.
    """
    means = metrics.groupby("model")["log_loss"].mean()
    found = []
    for model, of_model in history.groupby("model", sort=False):
        curve = of_model.groupby("epoch")[["training_loss", "held_out_loss"]].mean()
        if len(curve) < FEWEST_POINTS:
            raise DataError(
                f"history.csv: has {len(curve)} epochs of {model}, too few to see a trend; train "
                f"with epochs and history_points of {FEWEST_POINTS} or more"
            )
        net = str(model)
        if net not in config.nets:
            raise DataError(f"history.csv: its model {net} is no net of the run's settings")
        # Only log losses can be compared with other models'.
        in_log_loss = net in config.models and config.nets[net].loss == "cross_entropy"
        others = means.drop(net, errors="ignore") if in_log_loss else means.head(0)
        held_out = curve["held_out_loss"]
        before = held_out[held_out.index <= 0.75 * held_out.index[-1]]
        found.append(
            Diagnosis(
                model=net,
                training_loss=float(curve["training_loss"].iloc[-1]),
                held_out_loss=float(held_out.iloc[-1]),
                lowest=float(held_out.min()),
                lowest_epoch=held_out.index.tolist()[held_out.argmin()],
                fell=float(before.iloc[-1] - held_out.iloc[-1]) if len(before) else 0.0,
                best_other=str(others.idxmin()) if len(others) else None,
                best_other_loss=float(others.min()) if len(others) else None,
            )
        )
    return found
