"""From tables to a recommended model, top to bottom."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from titanic_nn.config import ENSEMBLE, ENSEMBLE_RIVALS, Config
from titanic_nn.engine.train import TrainedNets
from titanic_nn.estimators.assemble import assemble_pipeline
from titanic_nn.estimators.calibration import Ensemble, predict_each, weighted_average
from titanic_nn.evaluation.baselines import baseline_probabilities, baselines
from titanic_nn.evaluation.comparison import comparison_table, summarize_folds
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
from titanic_nn.evaluation.metrics import expected_calibration_error, fold_metrics
from titanic_nn.evaluation.predictions import as_columns, kept, scored_rows
from titanic_nn.evaluation.rivals import check_rivals, fit_rival, rival_table
from titanic_nn.nets.batch import Params
from titanic_nn.tables.encode import EncodedSplits, SplitEncoders
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import FINAL, Split, final_split


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
        oof: out-of-fold probabilities: the id, `label` (the class code), repeat, fold, and each
            model's columns (see evaluation/predictions.py).
        test_predictions: the id and each model's columns, in the test table's order.
        models: each net, fitted on all labelled rows and calibrated, a Pipeline from raw rows to
            probabilities; and the ensemble.
        history: learning curves, a row per net, repeat, fold and recorded epoch.
        recommended: the net, or the ensemble, with the lowest mean held-out log loss.
        rivals: each rival, and the ensemble with them, against the recommended (see `rival_table`).
        rival_weights: the weights in that ensemble, if there is one, of the fit on all rows.
        seconds: the duration of each stage. The baselines are fitted while nets train, so their
            stages overlap the nets'.
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
    rivals: pd.DataFrame
    rival_weights: dict[str, float]
    seconds: dict[str, float]


def compare_models(
    data: Path | Tables | None = None,
    *,
    config: Config | None = None,
    on_progress: Progress = no_progress,
    **overrides: Any,
) -> ModelComparison:
    """Compare nets, baselines and rivals on the same folds, and predict the test table.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip, or tables already loaded; by
            default the usual places are searched.
        config: the run's settings; by default those of the competition.
        on_progress: is called as work is done, with the stage and the fraction of it.
        overrides: single settings, such as `folds=5` or `models=["relu"]`, instead of `config`.

    Raises:
        DataError, ConfigError, DeviceError: a mistake that one line explains.
        DivergenceError: a net diverged: which, on what, by which epoch, and what to change.
    """
    clock = _Clock()
    run = Experiment.start(data, config, overrides, on_progress)
    check_rivals(run.config)
    tables = run.tables
    clock.lap("read")

    # The fit behind a submission is one more split, treated as every fold.
    final = final_split(len(tables.train), len(tables.test))
    # Nets trained on inner folds predict the rest of a split's training rows: with those rows the
    # split's own nets are calibrated and weighted.
    inner = {s: inner_splits(s, tables.y, run.config, run.groups) for s in [*run.folds, final]}
    encoders = run.encoders([*inner, *chain(*inner.values())], test_rows=True)
    # Before the nets, whose work would be lost where a library fails.
    rivals, inner_rivals = _fit_rivals(run, encoders, inner, clock)
    with _one_blas_thread():
        with _Beside() as beside:
            outer_fits = _fit(run, encoders, list(inner), clock, beside, outer=True)
            splits = list(chain(*inner.values()))
            inner_fits = _fit(run, encoders, splits, clock, beside, outer=False)
        clock.skip()
        ensembles = {
            s: CalibratedEnsemble.fit(inner_fits.nets, inner[s], tables.targets) for s in inner
        }
    held_out = outer_fits.baselines | rivals | calibrated(outer_fits.nets, ensembles)
    models = _fitted_models(run, encoders, final, outer_fits.final_params, ensembles[final])
    for name, p in _predict(models, tables.test).items():
        # The test table is predicted by the model that is saved, to the last bit.
        held_out[name][final] = kept(p)
    clock.lap(ENSEMBLE)
    rival_weights: dict[str, float] = {}
    if run.config.ensemble_rivals:
        all_inner = inner_fits.nets | inner_rivals
        mixed = {s: CalibratedEnsemble.fit(all_inner, inner[s], tables.targets) for s in inner}
        held_out[ENSEMBLE_RIVALS] = calibrated(outer_fits.nets | rivals, mixed)[ENSEMBLE]
        rival_weights = mixed[final].weights
        clock.lap(ENSEMBLE_RIVALS)

    oof = _out_of_fold(tables, run.folds, held_out)
    metrics = _metrics(oof, list(held_out))
    comparison = comparison_table(metrics)
    recommended = str(comparison["mean"][list(run.config.predictors)].idxmin())
    unsaved = [*run.config.rivals, *run.config.unsaved]
    clock.lap("evaluate")
    return ModelComparison(
        config=run.config,
        tables=tables,
        device=str(run.device),
        metrics=metrics,
        summary=_summary(metrics, oof, run.config.folds, clock.seconds),
        comparison=comparison,
        calibration=calibration_table(
            tables.targets, run.folds, ensembles, outer_fits.nets, held_out
        ),
        oof=oof,
        test_predictions=_test_predictions(tables, held_out, final),
        models=models,
        history=pd.concat(outer_fits.histories, ignore_index=True),
        recommended=recommended,
        rivals=rival_table(metrics, unsaved, recommended),
        rival_weights=rival_weights,
        seconds=clock.seconds,
    )


class _Clock:
    """Wall-clock seconds of named stages, each from the end of the one before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = Lock()
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.add(stage, now - self._last)
        self._last = now

    def skip(self) -> None:
        """Leave out the time since the last stage: it is counted by `add`."""
        self._last = time.perf_counter()

    def add(self, stage: str, seconds: float) -> None:
        with self._lock:  # baselines are fitted by two threads
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Products of small matrices in one thread: further ones mostly wait for each other."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


@dataclass(frozen=True)
class _Fits:
    """Models fitted on some splits.

    Attributes:
        baselines, nets: held-out probabilities, as Probabilities.
        histories: the nets' learning curves, a row per recorded epoch.
        final_params: model -> the parameters of its nets on the final split, if that is included.
    """

    baselines: Probabilities
    nets: Probabilities
    histories: list[pd.DataFrame]
    final_params: dict[str, Params]


def _fit(
    run: Experiment,
    encoders: SplitEncoders,
    splits: Sequence[Split],
    clock: _Clock,
    beside: "_Beside",
    *,
    outer: bool,
) -> _Fits:
    """Fit the nets on each split's training rows; on outer splits the baselines too, beside them.

    At most two batches of encoded splits are in memory.
    """
    makers = baselines(run.competition) if outer else {}
    points = run.config.history_points if outer else 0  # inner learning curves are not recorded
    fits = _Fits({name: {} for name in makers}, {model: {} for model in run.config.models}, [], {})

    def fit_baseline(name: str, encoded: EncodedSplits) -> None:
        start = time.perf_counter()
        make = partial(makers[name], encoders.feature_names, run.config.seed)
        fits.baselines[name] |= baseline_probabilities(make, encoded, run.tables.y)
        run.on_progress("baselines", len(encoded.splits) / len(splits) / len(makers))
        clock.add(name, time.perf_counter() - start)

    # On short tables baselines hold Python's lock most of the time. They delay inner nets least,
    # which have no learning curves, so they are fitted beside the next batch where there are any.
    beside_next = run.config.inner_folds > 0
    for encoded in encoders.batches(splits):
        clock.lap("encode")
        each = list(encoded.each())
        tasks = [partial(fit_baseline, name, one) for name in makers for one in each]
        if not beside_next:
            beside.put(tasks)
        beside.begin()
        clock.skip()
        for model in run.config.models:
            part = len(encoded.splits) / len(encoders.splits)
            nets = run.train(model, encoded, part=part, history_points=points)
            fits.nets[model] |= held_out_probabilities(encoded.splits, nets)
            if outer:
                fits.histories.extend(_histories(model, encoded.splits, nets))
            for i, split in enumerate(encoded.splits):
                if split.fold == FINAL:
                    fits.final_params[model] = {name: p[i] for name, p in nets.params.items()}
            clock.lap(model)
        if beside_next:
            beside.finish()
            beside.put(tasks)
            clock.skip()
    return fits


class _Beside:
    """Tasks for a second thread, in order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._put: Sequence[Callable[[], None]] = []
        self._begun: list[tuple[Future[None], Callable[[], None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for all tasks; after an error, those that wait are not begun."""
        try:
            if error[0] is None:
                self.begin()
                self.finish()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def put(self, tasks: Sequence[Callable[[], None]]) -> None:
        """The tasks that the next `begin` begins."""
        self._put = tasks

    def begin(self) -> None:
        """Begin what was put, when all earlier tasks are done."""
        self.finish()
        self._begun = [(self._pool.submit(task), task) for task in self._put]
        self._put = []

    def finish(self) -> None:
        """Wait for the tasks, and take part: do those that are not begun, the last one first."""
        for future, task in reversed(self._begun):
            if future.cancel():
                task()
        for future, _ in self._begun:
            if not future.cancelled():
                future.result()
        self._begun = []


def _fit_rivals(
    run: Experiment,
    encoders: SplitEncoders,
    inner: Mapping[Split, Sequence[Split]],
    clock: _Clock,
) -> tuple[Probabilities, Probabilities]:
    """The rivals' probabilities of the held-out rows of every split, and of its inner splits."""
    held_out: Probabilities = {name: {} for name in run.config.rivals}
    of_inner: Probabilities = {name: {} for name in run.config.rivals}
    clock.lap("encode")
    for split, folds in inner.items():
        for name in run.config.rivals:
            fit = fit_rival(name, encoders, split, folds, run.tables.y, run.config.seed)
            held_out[name][split] = fit.held_out
            of_inner[name] |= fit.inner
            run.on_progress(name, 1 / len(inner))
            clock.lap(name)
    return held_out, of_inner


def _fitted_models(
    run: Experiment,
    encoders: SplitEncoders,
    final: Split,
    final_params: dict[str, Params],
    ensemble: CalibratedEnsemble,
) -> dict[str, Pipeline | Ensemble]:
    """Each net of the final split as a Pipeline from raw rows to probabilities; the ensemble."""
    models: dict[str, Pipeline | Ensemble] = {}
    encoder, _ = encoders.encoder(final)
    for model, params in final_params.items():
        net, calibration = run.config.nets[model], ensemble.calibrations[model]
        models[model] = assemble_pipeline(
            run.competition,
            encoder,
            encoders.feature_names,
            net,
            params,
            seed=run.config.seed,
            calibration=calibration,
        )
    if ENSEMBLE in run.config.predictors:
        models[ENSEMBLE] = Ensemble(models.copy(), ensemble.weights)
    return models


def _predict(
    models: Mapping[str, Pipeline | Ensemble], table: pd.DataFrame
) -> dict[str, NDArray[np.floating]]:
    """Each model's `predict_proba` of a table."""
    found = predict_each({n: m for n, m in models.items() if isinstance(m, Pipeline)}, table)
    for name, model in models.items():
        if isinstance(model, Ensemble):
            found[name] = weighted_average({net: found[net] for net in model.models}, model.weights)
    return found


def _out_of_fold(
    tables: Tables, folds: Sequence[Split], probabilities: Probabilities
) -> pd.DataFrame:
    """Each model's probability for every labelled row when it was held out, once per repeat."""
    id, parts = tables.schema.id.name, []
    for split in folds:
        ids, y = tables.train[id].to_numpy()[split.held_out], tables.y[split.held_out]
        keys = {id: ids, "label": y, "repeat": split.repeat, "fold": split.fold}
        parts.append(pd.DataFrame(keys | _columns(tables, probabilities, split)))
    return pd.concat(parts).sort_values(["repeat", id], ignore_index=True)


def _test_predictions(tables: Tables, probabilities: Probabilities, final: Split) -> pd.DataFrame:
    """Each model's probabilities for the test table, fitted on all labelled rows."""
    id = tables.schema.id.name
    predictions = _columns(tables, probabilities, final)
    return pd.DataFrame({id: tables.test[id].to_numpy(), **predictions})


def _columns(
    tables: Tables, probabilities: Probabilities, split: Split
) -> dict[str, NDArray[np.floating]]:
    """The columns of every model's probabilities of a split's held-out rows."""
    found: dict[str, NDArray[np.floating]] = {}
    for model, of_split in probabilities.items():
        found |= as_columns(model, of_split[split], tables.schema.labels)
    return found


def _metrics(oof: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """A row per model, repeat and fold."""
    rows = []
    for model in models:
        for (repeat, fold), held_out in oof.groupby(["repeat", "fold"]):
            scores = fold_metrics(*scored_rows(held_out, model))
            rows.append({"model": model, "repeat": repeat, "fold": fold, **scores})
    return pd.DataFrame(rows)


def _summary(
    metrics: pd.DataFrame, oof: pd.DataFrame, folds: int, seconds: dict[str, float]
) -> pd.DataFrame:
    """A row per model: mean, sd and interval of each metric, calibration error, seconds."""
    rows = {}
    for model, scores in metrics.groupby("model", sort=False):
        row = summarize_folds(scores, folds)
        error = expected_calibration_error(*scored_rows(oof, str(model)))
        rows[model] = {**row, "calibration_error": float(error), "seconds": seconds[str(model)]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _histories(model: str, splits: Sequence[Split], nets: TrainedNets) -> Iterator[pd.DataFrame]:
    """The folds' learning curves: those of single nets, averaged over seeds."""
    curves = [scores.mean(1).cpu().numpy() for scores in (nets.loss, nets.accuracy)]
    for split, *scores in zip(splits, *curves, strict=True):  # loss, accuracy: (points, 2 sides)
        if split.fold == FINAL:  # the final fit holds no labels out
            continue
        table = {"model": model, "repeat": split.repeat, "fold": split.fold, "epoch": nets.epochs}
        names = ("training_loss", "held_out_loss", "training_accuracy", "held_out_accuracy")
        yield pd.DataFrame(table | dict(zip(names, np.hstack(scores).T, strict=True)))
