"""Am I over- or underfitting? What a run's learning curves say of each net.

The rules, in this order, on the mean curves over all folds; "matters" is 1 % of the held-out loss:

1. The held-out loss has risen since its lowest epoch by what matters: overfitting.
2. It still fell by what matters in the last quarter of the epochs: underfitting, stopped too early.
3. Even the training loss is higher, by what matters, than what another model of the run reaches on
   rows that it has not seen: underfitting, too simple or held back.
4. The held-out loss is above the training loss by more than a fifth of itself: overfitting, though
   it costs no score yet. A well-fitted net has a gap too: for p parameters and n rows about p / n.
5. Otherwise neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from titanic_nn.errors import DataError
from titanic_nn.config import Config

MATTERS = 0.01  # of the held-out loss
WIDE_GAP = 0.2  # of the held-out loss
FEWEST_POINTS = 4  # a last quarter, and something before it

# What makes a net fit less closely, and what makes it able to fit more.
RESTRAIN: Mapping[str, str] = {
    "linear": "a larger weight_decay or l2",
    "relu": "a larger weight_decay or l2, or fewer hidden units",
    "deep": "a larger weight_decay or dropout, or fewer hidden units",
}
RELEASE: Mapping[str, str] = {
    "linear": "a smaller weight_decay, or a net with hidden units",
    "relu": "a smaller weight_decay, or more hidden units",
    "deep": "a smaller weight_decay or dropout, or more hidden units",
}


@dataclass(frozen=True)
class Diagnosis:
    """One net's case; losses are means over folds, of single nets.

    Attributes:
        model: the net.
        training_loss, held_out_loss: after the last epoch.
        lowest, lowest_epoch: the lowest held-out loss of the mean curve, and where.
        fell: by how much the held-out loss fell in the last quarter of the epochs.
        verdict: in a word.
        why: what in the curves says so, and what to try next.
    """

    model: str
    training_loss: float
    held_out_loss: float
    lowest: float
    lowest_epoch: int
    fell: float
    verdict: Literal["overfitting", "underfitting", "neither"]
    why: str

    @property
    def gap(self) -> float:
        """How much better the net is on the rows that it was trained on."""
        return self.held_out_loss - self.training_loss

    @property
    def rose(self) -> float:
        """By how much the held-out loss rose since it was lowest."""
        return self.held_out_loss - self.lowest


def diagnose(history: pd.DataFrame, metrics: pd.DataFrame, config: Config) -> list[Diagnosis]:
    """Say of each net in a run whether it over- or underfits.

    Args:
        history: a run's history.csv.
        metrics: its metrics.csv, for what the other models reach.
        settings: what it was made of.

    Raises:
        DataError: there are too few epochs to see a trend.
    """
    means = metrics.groupby("model")["log_loss"].mean()
    reached = {str(model): float(loss) for model, loss in means.items()}
    found = []
    for model, of_model in history.groupby("model", sort=False):
        curve = of_model.groupby("epoch")[["training_loss", "held_out_loss"]].mean()
        if len(curve) < FEWEST_POINTS:
            raise DataError(
                f"history.csv: has {len(curve)} epochs of {model}, too few to see a trend; train "
                f"with epochs and history_points of {FEWEST_POINTS} or more"
            )
        net = str(model)
        # Only log losses can be compared with other models'.
        in_log_loss = net in config.models and getattr(config, net).loss == "cross_entropy"
        others = {m: loss for m, loss in reached.items() if m != net} if in_log_loss else {}
        found.append(_diagnose(net, curve, others))
    return found


def _diagnose(model: str, curve: pd.DataFrame, others: Mapping[str, float]) -> Diagnosis:
    """One net's case. curve: training and held-out loss by epoch; others: their held-out losses."""
    held_out = curve["held_out_loss"]
    training, end = (float(loss) for loss in curve.iloc[-1])
    lowest, lowest_epoch = float(held_out.min()), held_out.index.tolist()[held_out.argmin()]
    before = held_out[held_out.index <= 0.75 * held_out.index[-1]]
    fell = float(before.iloc[-1]) - end if len(before) else 0.0
    matters, gap = MATTERS * end, end - training
    best_other = min(others, key=others.__getitem__, default=None)

    verdict: Literal["overfitting", "underfitting", "neither"]
    if end - lowest > matters:
        verdict = "overfitting"
        why = (
            f"its held-out loss was lowest at epoch {lowest_epoch} and has risen by "
            f"{end - lowest:.3f} since. Try {_of(RESTRAIN, model)}, or fewer epochs; judge them "
            "on folds cut anew (another --seed), since these have shown you their best epoch."
        )
    elif fell > matters:
        verdict = "underfitting"
        why = (
            f"its held-out loss still fell by {fell:.3f} in the last quarter of its epochs. "
            "Try more epochs, or a larger learning_rate."
        )
    elif best_other is not None and training > others[best_other] + matters:
        verdict = "underfitting"
        why = (
            f"even on its training rows its loss is {training:.3f}, where {best_other} reaches "
            f"{others[best_other]:.3f} on rows that it has not seen. Try {_of(RELEASE, model)}."
        )
    elif gap > WIDE_GAP * end:
        verdict = "overfitting"
        why = (
            f"it knows its training rows by heart: the gap is {gap / end:.0%} of the held-out "
            f"loss, which does not rise yet. Try {_of(RESTRAIN, model)}, or more rows "
            "(python -m titanic_nn.cli.learning_curve says what they would give)."
        )
    else:
        verdict = "neither"
        why = (
            "its held-out loss is level at the end and not far above the training loss. What is "
            "left to gain lies in better features and more rows rather than in its settings."
        )
    return Diagnosis(model, training, end, lowest, lowest_epoch, fell, verdict, why)


def _of(advice: Mapping[str, str], model: str) -> str:
    return advice.get(model, advice["deep"])
