"""The story from passengers to a recommended model, top to bottom."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import TrainedNets, scaled, train_nets
from titanic_nn.estimators.assemble import passengers_to_probabilities
from titanic_nn.estimators.calibration import Ensemble
from titanic_nn.evaluation.baselines import BASELINES, baseline_probabilities
from titanic_nn.evaluation.comparison import comparison_table, interval
from titanic_nn.evaluation.metrics import METRICS, expected_calibration_error, fold_metrics
from titanic_nn.evaluation.ensembling import calibration_table, fit_stacks, inner_splits
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import FINAL, Split, final_split, repeated_stratified_splits
from titanic_nn.tables.sources import Passengers, labelled_passengers
from titanic_nn.config import ENSEMBLE, Model, Config

# Told the stage, and the share of that stage's work that was just done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """What a run found; the frames are those that its folder holds as CSV files.

    Attributes:
        settings: what the run was made of.
        passengers: the tables, and where they came from.
        device: what the nets were trained on.
        metrics: a row per model, repeat and fold; a column per metric.
        summary: a row per model: each metric's mean, standard deviation over folds and corrected
            95 % interval, the calibration error of all out-of-fold predictions, and seconds.
        comparison: every model against the best by log loss (see `comparison_table`).
        calibration: a row per net: held-out log loss and calibration error before and after its
            calibration, its mean slope and intercept, its mean weight in the ensemble.
        oof: the held-out probabilities: PassengerId, Survived, repeat, fold, a column per model.
        test_predictions: PassengerId and a column of probabilities per model, in the test table's
            order.
        models: each net, fitted on all labelled rows and calibrated, a Pipeline from raw passengers
            to probabilities; and the ensemble.
        history: learning curves, a row per net, repeat, fold and epoch read off.
        recommended: the net, or the ensemble, with the best mean held-out log loss.
        seconds: how long each stage took.
    """

    config: Config
    passengers: Passengers
    device: str
    metrics: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame
    calibration: pd.DataFrame
    oof: pd.DataFrame
    test_predictions: pd.DataFrame
    models: dict[str, Pipeline | Ensemble]
    history: pd.DataFrame
    recommended: str
    seconds: dict[str, float]


def compare_models(
    data: Path | Passengers | None = None,
    *,
    config: Config | None = None,
    on_progress: Progress = lambda stage, share: None,
    **overrides: Any,
) -> ModelComparison:
    """Compare the nets and the baselines on the same folds, and predict the test table.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        settings: what the run is made of; the shipped settings by default.
        on_progress: is called as work is done.
        overrides: single settings, such as `folds=5` or `models=["relu"]`, instead of `settings`.

    Raises:
        DataError, SettingsError, DeviceError: a mistake that one line explains.
    """
    config = config or Config.from_toml(**overrides)
    clock = _Clock()
    with clock("read"):
        device = choose_device(config.device)
        passengers, y = labelled_passengers(data, config.folds)

    with clock("encode"):
        folds = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
        # The fit behind a submission is one more split: it takes the same road as every fold.
        outer = [*folds, final_split(len(passengers.train), len(passengers.test))]
        # So do the nets that only tell how to calibrate and weigh each split's own nets.
        cut = partial(
            inner_splits,
            y=y,
            folds=config.inner_folds,
            all_folds=config.folds,
            seed=config.seed,
        )
        inner = [cut(split) for split in outer]
        splits = [*outer, *chain(*inner)]
        encoders = SplitEncoders(
            passenger_features(pd.concat([passengers.train, passengers.test])),
            y,
            splits,
            config.features,
        )

    # What each model says of the splits' held-out rows: baselines of the outer ones only.
    said: dict[str, list[NDArray[np.float64]]] = {m: [] for m in (*BASELINES, *config.models)}
    histories, final_params = [], {}
    outer_first = range(len(outer)), range(len(outer), len(splits))
    for which in chain(*map(encoders.in_turn, outer_first)):
        is_outer = which.start < len(outer)
        part = splits[which.start : which.stop]
        with clock("encode"):
            x = encoders.encode(which)  # (splits, rows, features)
        for name in BASELINES if is_outer else ():
            with clock(name):
                probability = baseline_probabilities(
                    name, x, y, part, encoders.feature_names, config.seed
                )
                said[name] += _held_out(part, probability)
            on_progress("baselines", len(part) / len(outer) / len(BASELINES))
        for model in config.models:
            with clock(model):
                nets = train_nets(
                    x,
                    y,
                    part,
                    Members([config.net(model)], config.n_seeds),
                    seed=config.seed,
                    device=device,
                    # Nobody looks at the learning curves of inner splits.
                    history_points=config.history_points if is_outer else 0,
                    on_progress=scaled(partial(on_progress, model), len(part) / len(splits)),
                )
                said[model] += _held_out(part, nets.probability.mean(1).cpu().numpy())
            if is_outer:
                histories.append(_history(model, part, nets))
            if outer[-1] in part:
                i = part.index(outer[-1])
                final_params[model] = {name: p[i] for name, p in nets.params.items()}

    with clock(ENSEMBLE):
        nets_said = {str(model): said.pop(model) for model in config.models}
        raw = {model: p[: len(outer)] for model, p in nets_said.items()}
        stacks = fit_stacks(inner, y, {model: p[len(outer) :] for model, p in nets_said.items()})
        for i, stack in enumerate(stacks):
            for name, p in stack({model: raw[model][i] for model in raw}).items():
                said.setdefault(name, []).append(p)
        models: dict[str, Pipeline | Ensemble] = {
            model: passengers_to_probabilities(
                *encoders.encoder(len(outer) - 1),
                config.net(model),
                final_params[model],
                config.seed,
                stacks[-1].calibrations[model],
            )
            for model in config.models
        }
        if ENSEMBLE in config.predictors:
            models[ENSEMBLE] = Ensemble(models.copy(), stacks[-1].weights)
        for name, fitted in models.items():
            # The test table is predicted by the model that is saved, to the last bit.
            said[name][-1] = fitted.predict_proba(passengers.test)[:, 1]

    with clock("evaluate"):
        oof = _out_of_fold(passengers.train, folds, said)
        metrics = _metrics(oof, list(said))
        comparison = comparison_table(metrics)
        recommended = min(config.predictors, key=comparison["mean"].to_dict().__getitem__)
    return ModelComparison(
        config=config,
        passengers=passengers,
        device=str(device),
        metrics=metrics,
        summary=_summary(metrics, oof, config.folds, clock.seconds),
        comparison=comparison,
        calibration=calibration_table(y, folds, stacks, raw, said),
        oof=oof,
        test_predictions=_test_predictions(passengers.test, said),
        models=models,
        history=pd.concat(histories, ignore_index=True),
        recommended=recommended,
        seconds=clock.seconds,
    )


class _Clock:
    """Wall-clock seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def _held_out(
    splits: Sequence[Split], probability: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Each split's held-out part of the probabilities (splits, rows)."""
    return [p[split.held_out] for p, split in zip(probability, splits, strict=True)]


def _out_of_fold(
    train: pd.DataFrame, folds: list[Split], said: dict[str, list[NDArray[np.float64]]]
) -> pd.DataFrame:
    """What each model said of every labelled passenger when they were held out, once a repeat."""
    parts = []
    for i, split in enumerate(folds):
        part = train.iloc[split.held_out][["PassengerId", "Survived"]]
        part = part.assign(repeat=split.repeat, fold=split.fold)
        parts.append(part.assign(**{model: parts_said[i] for model, parts_said in said.items()}))
    return pd.concat(parts).sort_values(["repeat", "PassengerId"], ignore_index=True)


def _test_predictions(
    test: pd.DataFrame, said: dict[str, list[NDArray[np.float64]]]
) -> pd.DataFrame:
    """What each model, fitted on all labelled rows by the last split, says of the test table."""
    last = {model: parts_said[-1] for model, parts_said in said.items()}
    return pd.DataFrame({"PassengerId": test["PassengerId"].to_numpy(), **last})


def _metrics(oof: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """A row per model, repeat and fold."""
    rows = []
    for (repeat, fold), held_out in oof.groupby(["repeat", "fold"]):
        y = held_out["Survived"].to_numpy()
        rows += [
            {"model": m, "repeat": repeat, "fold": fold, **fold_metrics(y, held_out[m].to_numpy())}
            for m in models
        ]
    table = pd.DataFrame(rows)
    by_model = table["model"].map(models.index)
    return table.loc[by_model.sort_values(kind="stable").index].reset_index(drop=True)


def _summary(
    metrics: pd.DataFrame, oof: pd.DataFrame, folds: int, seconds: dict[str, float]
) -> pd.DataFrame:
    """A row per model: mean, sd and interval of each metric, calibration error, seconds."""
    rows = {}
    for model, scores in metrics.groupby("model", sort=False):
        row: dict[str, float] = {}
        for metric in METRICS:
            around = interval(scores[metric], held_out_share=1 / folds)
            row[metric] = around.mean
            row[f"{metric}_sd"] = float(scores[metric].std())
            row[f"{metric}_low"], row[f"{metric}_high"] = around.low, around.high
        row["calibration_error"] = float(
            expected_calibration_error(oof["Survived"].to_numpy(), oof[str(model)].to_numpy())
        )
        row["seconds"] = seconds[str(model)]
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _history(model: Model, splits: Sequence[Split], nets: TrainedNets) -> pd.DataFrame:
    """The folds' learning curves: those of single nets, averaged over seeds."""
    loss = nets.loss.mean(1).cpu().numpy()  # (splits, points, 2 sides)
    accuracy = nets.accuracy.mean(1).cpu().numpy()
    tables = [
        pd.DataFrame(
            {
                "model": model,
                "repeat": split.repeat,
                "fold": split.fold,
                "epoch": nets.epochs,
                "training_loss": loss[i, :, 0],
                "held_out_loss": loss[i, :, 1],
                "training_accuracy": accuracy[i, :, 0],
                "held_out_accuracy": accuracy[i, :, 1],
            }
        )
        for i, split in enumerate(splits)
        if split.fold != FINAL  # the final fit holds no labels out
    ]
    return pd.concat(tables) if tables else pd.DataFrame()
