"""What is fitted on top of trained nets: a calibration of each, and the weights of their ensemble.

Both need probabilities that a net gave to rows it did not train on, with those rows' labels. A
fold's held-out rows are not to be touched, so each split's training rows are cut once more: nets
trained on some inner folds predict the others, and what is learnt there is applied to the split's
own nets. A held-out label takes no part in it, as in everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from titanic_nn.estimators.calibration import Calibration, weighted_average
from titanic_nn.evaluation.metrics import expected_calibration_error, log_loss
from titanic_nn.tables.splits import Split
from titanic_nn.config import ENSEMBLE

# Inner splits are numbered from here, so that none has the random numbers of another split.
INNER = 10**6
# Steps of the ensemble's weights; after a hundred they hardly move.
STEPS = 200


def inner_splits(
    split: Split, y: NDArray[np.int64], folds: int, all_folds: int, seed: int
) -> list[Split]:
    """A split's training rows, cut into stratified folds of their own; none if `folds` is 0.

    `y` (labelled rows,) are the table's labels, and `all_folds` is how many folds a repeat has.
    There are fewer inner folds where the rarer class is too rare, and none of a single row.
    """
    rarer = int(np.unique(y[split.train], return_counts=True)[1].min())
    folds = min(folds, rarer)
    if folds < 2:
        return []
    number = (split.repeat + 1) * (all_folds + 1) + split.fold + 1  # from 0, the final split's
    shuffle_seed = int(np.random.SeedSequence([seed, INNER, number]).generate_state(1)[0])
    cut = StratifiedKFold(folds, shuffle=True, random_state=shuffle_seed)
    return [
        Split(INNER + number, fold, train=split.train[train], held_out=split.train[held_out])
        for fold, (train, held_out) in enumerate(cut.split(split.train, y[split.train]))
    ]


def ensemble_weights(
    probabilities: Sequence[NDArray[np.float64]], y: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Each model's share (models,) of the average probability that has the least log loss.

    The average is a mixture of models, so the weights are found as a mixture's are, by expectation
    and maximisation (Dempster, Laird and Rubin 1977): a model's new weight is the mean share that
    it has in what the mixture gives to the truth. They stay positive and sum to 1 by themselves.

    Args:
        probabilities: for each model, those of rows that did not train it, (rows,).
        y: these rows' labels.
    """
    of_truth = np.stack([np.where(y == 1, p, 1 - p) for p in probabilities])  # (models, rows)
    weights = np.full(len(of_truth), 1 / len(of_truth))
    for _ in range(STEPS):
        shares = weights[:, None] * of_truth  # (models, rows)
        weights = (shares / shares.sum(0)).mean(1)
    return weights


@dataclass(frozen=True)
class Stack:
    """A calibration of each net, and the nets' shares of the ensemble; as made, they do nothing."""

    calibrations: dict[str, Calibration]
    weights: dict[str, float]

    @classmethod
    def fit(cls, probabilities: Mapping[str, NDArray[np.float64]], y: NDArray[np.int64]) -> "Stack":
        """From each net's probabilities (rows,) of rows that did not train it, and their labels.

        Without rows the nets are left as they are, with equal shares.
        """
        if not len(y):
            even = 1 / len(probabilities)
            return cls(
                dict.fromkeys(probabilities, Calibration()), dict.fromkeys(probabilities, even)
            )
        calibrations = {name: Calibration.fit(p, y) for name, p in probabilities.items()}
        calibrated = [calibrations[name](p) for name, p in probabilities.items()]
        weights = ensemble_weights(calibrated, y).tolist()
        return cls(calibrations, dict(zip(probabilities, weights, strict=True)))

    def __call__(
        self, probabilities: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Each net's probabilities, calibrated, and the ensemble's if there are several nets."""
        calibrated = {name: self.calibrations[name](p) for name, p in probabilities.items()}
        if len(calibrated) == 1:
            return calibrated
        return {**calibrated, ENSEMBLE: weighted_average(calibrated, self.weights)}


def fit_stacks(
    inner: Sequence[Sequence[Split]],
    y: NDArray[np.int64],
    said: Mapping[str, Sequence[NDArray[np.float64]]],
) -> list[Stack]:
    """A stack for each outer split, fitted on what its inner nets say of the rows held out there.

    Args:
        inner: each outer split's inner splits.
        y: labels of the table's first rows, (labelled rows,).
        said: for each net, its probabilities of each inner split's held-out rows, split by split.
    """
    stacks = []
    ends = np.cumsum([0, *map(len, inner)]).tolist()
    for splits, (first, end) in zip(inner, pairwise(ends), strict=True):
        labels = [y[split.held_out] for split in splits]
        held_out = {model: np.concatenate([[], *p[first:end]]) for model, p in said.items()}
        stacks.append(Stack.fit(held_out, np.concatenate([y[:0], *labels])))
    return stacks


def calibration_table(
    y: NDArray[np.int64],
    folds: list[Split],
    stacks: list[Stack],
    before: Mapping[str, list[NDArray[np.float64]]],
    after: Mapping[str, list[NDArray[np.float64]]],
) -> pd.DataFrame:
    """A row per net: what its calibration changed, and its weight; means over the folds.

    Columns: held-out log_loss_before and log_loss_after, the expected calibration error of all
    held-out rows error_before and error_after, slope, intercept, weight.
    """
    labels = [y[split.held_out] for split in folds]
    rows = {}
    for model in before:
        row = {}
        for when, said in (("before", before[model]), ("after", after[model])):
            losses = [float(log_loss(t, p)) for t, p in zip(labels, said, strict=False)]
            everyone = np.concatenate(labels), np.concatenate(said[: len(folds)])
            row[f"log_loss_{when}"] = float(np.mean(losses))
            row[f"error_{when}"] = float(expected_calibration_error(*everyone))
        fitted = [stack.calibrations[model] for stack in stacks[: len(folds)]]
        row["slope"] = float(np.mean([calibration.slope for calibration in fitted]))
        row["intercept"] = float(np.mean([calibration.intercept for calibration in fitted]))
        row["weight"] = float(np.mean([stack.weights[model] for stack in stacks[: len(folds)]]))
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
