"""What is fitted on top of trained nets: a calibration of each, and the weights of their ensemble.

Both need a net's probabilities for rows that it did not train on, with those rows' labels. A fold's
held-out rows must not be used, so each split's training rows are split once more: nets trained on
some inner folds predict the others, and what is fitted on those predictions is applied to the
split's own nets. No held-out label takes part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.config import ENSEMBLE, Config
from titanic_nn.estimators.calibration import Calibration, weighted_average
from titanic_nn.evaluation.metrics import expected_calibration_error, log_loss, of_true_class
from titanic_nn.tables.splits import Split, most_folds, stratified_folds

# Model -> split -> probabilities of the split's held-out rows: of class 1 of two (held-out rows,),
# of more classes (held-out rows, classes).
Probabilities: TypeAlias = dict[str, dict[Split, NDArray[np.float64]]]

# Inner splits are numbered from here, so that none has the random numbers of another split.
INNER = 10**6
# Iterations for the ensemble's weights; after a hundred they hardly change.
ITERATIONS = 200


def inner_splits(
    split: Split,
    y: NDArray[np.int64],
    config: Config,
    groups: NDArray[np.int64] | None = None,
) -> list[Split]:
    """A split's training rows in stratified folds of their own; none if `inner_folds` is 0.

    `y` and `groups` (labelled rows,) are the table's. There are fewer folds where the rarer class,
    or groups with rows of it, are too few.
    """
    folds = min(config.inner_folds, most_folds(split.train, y, groups))
    if folds < 2:
        return []
    number = (split.repeat + 1) * (config.folds + 1) + split.fold + 1  # the final split's is 0
    entropy = [config.seed, INNER, number]
    return stratified_folds(split.train, y, folds, INNER + number, entropy, split, groups)


def ensemble_weights(
    probabilities: Sequence[NDArray[np.float64]], y: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The weights (models,) of the average probability with the lowest log loss.

    The average is a mixture of models, so its weights are found by expectation-maximization
    (Dempster, Laird and Rubin 1977): a model's new weight is the mean of its posterior probability
    of having generated a row's label. The weights stay positive and sum to 1.

    `probabilities` are, for each model, those of rows that did not train it; `y` are these rows'
    labels, one-hot for more than two classes.
    """
    of_label = np.stack([of_true_class(y, p) for p in probabilities])  # (models, rows)
    of_label = np.maximum(of_label, np.finfo(of_label.dtype).tiny)  # where all are 0, all are equal
    weights = np.full(len(of_label), 1 / len(of_label))
    for _ in range(ITERATIONS):
        posterior = weights[:, None] * of_label  # (models, rows)
        weights = (posterior / posterior.sum(0)).mean(1)
    return weights


@dataclass(frozen=True)
class CalibratedEnsemble:
    """A calibration of each net, and the nets' weights in their ensemble."""

    calibrations: dict[str, Calibration]
    weights: dict[str, float]

    @classmethod
    def fit(
        cls, held_out: Probabilities, splits: Sequence[Split], y: NDArray[np.int64]
    ) -> "CalibratedEnsemble":
        """Fit on each net's probabilities of the held-out rows of inner splits.

        Without splits the nets are left as they are, with equal weights. `y` are the table's
        labels, one-hot for more than two classes.
        """
        if not splits:
            even = 1 / len(held_out)
            return cls(dict.fromkeys(held_out, Calibration()), dict.fromkeys(held_out, even))
        labels = np.concatenate([y[split.held_out] for split in splits])  # (rows,)
        p = {net: np.concatenate([of[s] for s in splits]) for net, of in held_out.items()}
        calibrations = {net: Calibration.fit(p[net], labels) for net in p}
        weights = ensemble_weights([calibrations[net](p[net]) for net in p], labels).tolist()
        return cls(calibrations, dict(zip(p, weights, strict=True)))

    def predict(
        self, probabilities: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Each net's probabilities, calibrated, and the ensemble's if there are several nets."""
        calibrated = {name: self.calibrations[name](p) for name, p in probabilities.items()}
        if len(calibrated) == 1:
            return calibrated
        return {**calibrated, ENSEMBLE: weighted_average(calibrated, self.weights)}


def calibrated(
    held_out: Probabilities, ensembles: Mapping[Split, CalibratedEnsemble]
) -> Probabilities:
    """The nets' held-out probabilities, each split's calibrated by its own fit; the ensemble's."""
    found: Probabilities = {}
    for split, ensemble in ensembles.items():
        of_split = {net: of[split] for net, of in held_out.items()}
        for name, p in ensemble.predict(of_split).items():
            found.setdefault(name, {})[split] = p
    return found


def calibration_table(
    y: NDArray[np.int64],
    folds: Sequence[Split],
    ensembles: Mapping[Split, CalibratedEnsemble],
    before: Probabilities,
    after: Probabilities,
) -> pd.DataFrame:
    """A row per net: the effect of its calibration, and its weight; means over the folds.

    Columns: held-out log_loss_before and log_loss_after; ece_before and ece_after, the expected
    calibration error of all held-out rows; slope, intercept, weight.
    """
    labels = [y[split.held_out] for split in folds]
    rows = {}
    for model in before:
        row = {}
        for when, probabilities in (("before", before[model]), ("after", after[model])):
            p = [probabilities[split] for split in folds]
            row[f"log_loss_{when}"] = float(np.mean(list(map(log_loss, labels, p))))
            ece = expected_calibration_error(np.concatenate(labels), np.concatenate(p))
            row[f"ece_{when}"] = float(ece)
        fitted = [ensembles[split].calibrations[model] for split in folds]
        row["slope"] = float(np.mean([calibration.slope for calibration in fitted]))
        row["intercept"] = float(np.mean([calibration.intercept for calibration in fitted]))
        row["weight"] = float(np.mean([ensembles[split].weights[model] for split in folds]))
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
