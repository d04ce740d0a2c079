"""From tables to a recommended model, top to bottom."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from sklearn.pipeline import Pipeline

from titanic_nn.config import ENSEMBLE, Config
from titanic_nn.engine.train import TrainedNets
from titanic_nn.estimators.assemble import assemble_pipeline
from titanic_nn.estimators.calibration import Ensemble
from titanic_nn.evaluation.baselines import baseline_probabilities, baselines
from titanic_nn.evaluation.comparison import comparison_table, interval
from titanic_nn.evaluation.ensembling import (
    CalibratedEnsemble,
    Probabilities,
    calibrated,
    calibration_table,
    inner_splits,
)
from titanic_nn.evaluation.experiment import (
    Experiment,
    Progress,
    held_out_probabilities,
    no_progress,
)
from titanic_nn.evaluation.metrics import METRICS, expected_calibration_error, fold_metrics
from titanic_nn.nets.batch import Params
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import FINAL, Split, final_split

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """The result of a run; its folder holds the tables as CSV files.

    Attributes:
        config: the run's settings.
        tables: the competition's tables, and where they came from.
        device: where the nets were trained.
        metrics: a row per model, repeat and fold; a column per metric.
        summary: a row per model: each metric's mean, standard deviation over folds and corrected
            95 % interval, the calibration error of all out-of-fold predictions, and seconds.
        comparison: every model against the best by log loss (see `comparison_table`).
        calibration: a row per net (see `calibration_table`).
        oof: out-of-fold probabilities: the id, `label` (0 or 1), repeat, fold, a column per model.
        test_predictions: the id and a column of probabilities per model, in the test table's order.
        models: each net, fitted on all labelled rows and calibrated, a Pipeline from raw rows to
            probabilities; and the ensemble.
        history: learning curves, a row per net, repeat, fold and recorded epoch.
        recommended: the net, or the ensemble, with the lowest mean held-out log loss.
        seconds: the duration of each stage.
    """

    config: Config
    tables: Tables
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
    data: Path | Tables | None = None,
    *,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> ModelComparison:
    """Compare nets and baselines on the same folds, and predict the test table.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        config: the run's settings; by default those of the competition.
        on_progress: is called as work is done, with the stage and the fraction of it.
        overrides: single settings, such as `folds=5` or `models=["relu"]`, instead of `config`.

    Raises:
        DataError, ConfigError, DeviceError: a mistake that one line explains.
    """
    clock = _Clock()
    with clock("read"):
        run = Experiment.start(data, config, overrides, on_progress)
        tables = run.tables
    with clock("encode"):
        # The fit behind a submission is one more split, treated as every fold.
        final = final_split(len(tables.train), len(tables.test))
        outer = [*run.folds, final]
        # Nets trained on inner folds predict the rest of a split's training rows: with those rows
        # the split's own nets are calibrated and weighted.
        inner = {split: inner_splits(split, tables.y, run.config) for split in outer}
        inner_all = list(chain(*inner.values()))
        encoders = run.encoders([*outer, *inner_all], test_rows=True)

    outer_fits = _fit(run, encoders, outer, clock, outer=True)
    inner_fits = _fit(run, encoders, inner_all, clock, outer=False)

    with clock(ENSEMBLE):
        ensembles = {
            split: CalibratedEnsemble.fit(inner_fits.nets, inner[split], tables.y)
            for split in outer
        }
        held_out = outer_fits.baselines | calibrated(outer_fits.nets, ensembles)
        models = _fitted_models(run, encoders, final, outer_fits, ensembles[final])
        for name, model in models.items():
            # The test table is predicted by the model that is saved, to the last bit.
            held_out[name][final] = model.predict_proba(tables.test)[:, 1]

    with clock("evaluate"):
        oof = _out_of_fold(tables, run.folds, held_out)
        metrics = _metrics(oof, list(held_out))
        comparison = comparison_table(metrics)
    return ModelComparison(
        config=run.config,
        tables=tables,
        device=str(run.device),
        metrics=metrics,
        summary=_summary(metrics, oof, run.config.folds, clock.seconds),
        comparison=comparison,
        calibration=calibration_table(tables.y, run.folds, ensembles, outer_fits.nets, held_out),
        oof=oof,
        test_predictions=_test_predictions(tables, held_out, final),
        models=models,
        history=outer_fits.history,
        recommended=min(run.config.predictors, key=comparison["mean"].to_dict().__getitem__),
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

    def each(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items; the time that it takes to make them counts for the stage."""
        iterator = iter(items)
        while True:
            with self(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item


@dataclass(frozen=True)
class _Fits:
    """Models fitted on some splits.

    Attributes:
        baselines, nets: held-out probabilities, model -> split -> (held-out rows,).
        history: the nets' learning curves, a row per net, fold and recorded epoch.
        final_params: model -> the parameters of its nets on the final split, if that is included.
    """

    baselines: Probabilities
    nets: Probabilities
    history: pd.DataFrame
    final_params: dict[str, Params]


def _fit(
    run: Experiment, encoders: SplitEncoders, splits: Sequence[Split], clock: _Clock, *, outer: bool
) -> _Fits:
    """Fit the nets on each split's training rows; on outer splits the baselines too."""
    makers = baselines(run.competition) if outer else {}
    # The learning curves of inner splits are not recorded.
    points = run.config.history_points if outer else 0
    of_baselines: Probabilities = {name: {} for name in makers}
    of_nets: Probabilities = {model: {} for model in run.config.models}
    histories, final_params = [], {}
    for encoded in clock.each("encode", encoders.batches(splits)):
        for name, make in makers.items():
            with clock(name):
                model_of = partial(make, encoders.feature_names, run.config.seed)
                of_baselines[name] |= baseline_probabilities(model_of, encoded, run.tables.y)
            run.on_progress("baselines", len(encoded.splits) / len(splits) / len(makers))
        for model in run.config.models:
            with clock(model):
                part = len(encoded.splits) / len(encoders.splits)
                nets = run.train(model, encoded, part=part, history_points=points)
                of_nets[model] |= held_out_probabilities(encoded.splits, nets)
            if outer:
                histories.append(_history(model, encoded.splits, nets))
            for i, split in enumerate(encoded.splits):
                if split.fold == FINAL:
                    final_params[model] = {name: p[i] for name, p in nets.params.items()}
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame()
    return _Fits(of_baselines, of_nets, history, final_params)


def _fitted_models(
    run: Experiment,
    encoders: SplitEncoders,
    final: Split,
    fits: _Fits,
    ensemble: CalibratedEnsemble,
) -> dict[str, Pipeline | Ensemble]:
    """Each net of the final split as a Pipeline from raw rows to probabilities; the ensemble."""
    encoder, columns = encoders.encoder(final)
    models: dict[str, Pipeline | Ensemble] = {
        model: assemble_pipeline(
            run.competition,
            encoder,
            columns,
            run.config.nets[model],
            params,
            seed=run.config.seed,
            calibration=ensemble.calibrations[model],
        )
        for model, params in fits.final_params.items()
    }
    if ENSEMBLE in run.config.predictors:
        models[ENSEMBLE] = Ensemble(models.copy(), ensemble.weights)
    return models


def _out_of_fold(
    tables: Tables, folds: Sequence[Split], probabilities: Probabilities
) -> pd.DataFrame:
    """Each model's probability for every labelled row when it was held out, once per repeat."""
    id = tables.schema.id.name
    parts = [
        pd.DataFrame(
            {
                id: tables.train[id].to_numpy()[split.held_out],
                "label": tables.y[split.held_out],
                "repeat": split.repeat,
                "fold": split.fold,
                **{model: of_split[split] for model, of_split in probabilities.items()},
            }
        )
        for split in folds
    ]
    return pd.concat(parts).sort_values(["repeat", id], ignore_index=True)


def _test_predictions(tables: Tables, probabilities: Probabilities, final: Split) -> pd.DataFrame:
    """Each model's probabilities for the test table, fitted on all labelled rows."""
    id = tables.schema.id.name
    predictions = {model: of_split[final] for model, of_split in probabilities.items()}
    return pd.DataFrame({id: tables.test[id].to_numpy(), **predictions})


def _metrics(oof: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """A row per model, repeat and fold."""
    rows = []
    for (repeat, fold), held_out in oof.groupby(["repeat", "fold"]):
        y = held_out["label"].to_numpy()
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
            around = interval(scores[metric], test_fraction=1 / folds)
            row[metric] = around.mean
            row[f"{metric}_sd"] = float(scores[metric].std())
            row[f"{metric}_low"], row[f"{metric}_high"] = around.low, around.high
        row["calibration_error"] = float(
            expected_calibration_error(oof["label"].to_numpy(), oof[str(model)].to_numpy())
        )
        row["seconds"] = seconds[str(model)]
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _history(model: str, splits: Sequence[Split], nets: TrainedNets) -> pd.DataFrame:
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
