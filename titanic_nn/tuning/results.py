"""What a study found: its best settings on folds that the search did not use, tables, plots."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from titanic_nn.config import Reference
from titanic_nn.errors import StudyError
from titanic_nn.evaluation.comparison import Difference, compare_losses
from titanic_nn.evaluation.experiment import Experiment, no_progress
from titanic_nn.files import write_bytes, write_text
from titanic_nn.nets.config import NetConfig
from titanic_nn.plots import study_history, study_slices
from titanic_nn.plots.style import as_png
from titanic_nn.runs.folder import to_csv, to_json
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.storage import storage_faults
from titanic_nn.tuning.study import FINISHED, SharedStudy

FRESH_REPEATS = 10  # of the fresh folds
ENOUGH_FOR_IMPORTANCES = 10  # with fewer different losses they would be noise


@dataclass(frozen=True)
class Rescored:
    """Mean losses of a study's best settings and of others, on the search's folds and fresh ones.

    Each mapping has the keys "best" (the study's best trial), "shipped" (what `train` uses without
    a file: the competition's tuned values over the defaults) and "default" (those of the class).

    Attributes:
        competition: what settings name it by.
        best: the study's best trial.
        configs: the settings.
        search_folds, fresh_folds: their mean log loss.
        differences: by how much the loss on fresh folds is higher than that of "best", which this
            mapping lacks.
    """

    competition: Reference
    best: FrozenTrial
    configs: dict[str, NetConfig]
    search_folds: dict[str, float]
    fresh_folds: dict[str, float]
    differences: dict[str, Difference]

    @property
    def optimism(self) -> float:
        """By how much the search's folds overestimate what the best settings gain.

        Fresh folds may be easier or harder for all settings, so the gain is measured against the
        shipped settings, which were selected on neither.
        """
        gain = self.search_folds["shipped"] - self.search_folds["best"]
        return gain - (self.fresh_folds["shipped"] - self.fresh_folds["best"])


def rescore(study: SharedStudy, objective: Objective) -> Rescored:
    """Score the best, shipped and default settings on the search's folds and on fresh ones.

    Fresh folds are drawn from the same rows with another random seed. Raises StudyError where no
    trial is complete.
    """
    model, best, searched = study.space.model, study.best(), objective.experiment
    if best is None:
        raise StudyError(f"study {study.name} has no complete trial")
    shipped = searched.config.nets[model]
    configs = {"best": study.space.config(best.params), "shipped": shipped}
    configs["default"] = type(shipped)()
    seed = (searched.config.seed + 1) % 2**32
    config = replace(searched.config, seed=seed, repeats=FRESH_REPEATS)
    fresh = Experiment.start(searched.tables, config, {}, no_progress)
    trials = list(configs.values())
    on_search_folds = objective.losses(trials).mean(axis=1).tolist()
    on_fresh_folds = Objective(fresh, fresh.folds).losses(trials)  # (settings, splits)
    differences = {
        name: compare_losses(losses, on_fresh_folds[0], config.folds)
        for name, losses in zip(configs, on_fresh_folds, strict=True)
        if name != "best"
    }
    return Rescored(
        config.competition,
        best,
        configs,
        dict(zip(configs, on_search_folds, strict=True)),
        dict(zip(configs, on_fresh_folds.mean(axis=1).tolist(), strict=True)),
        differences,
    )


def trials_table(study: SharedStudy) -> pd.DataFrame:
    """A row per finished trial, best first: number, state, log_loss, splits, its parameters.

    The state is "complete" or "pruned". A pruned trial's loss is the mean over the splits that it
    was scored on; pruned trials follow the complete ones.
    """
    rows = []
    for trial in study.trials(*FINISHED):
        splits = trial.last_step or len(trial.user_attrs["losses"])
        scored = {"state": trial.state.name.lower(), "log_loss": trial.value, "splits": splits}
        rows.append({"number": trial.number, **scored, **trial.params})
    return pd.DataFrame(rows).sort_values(["state", "log_loss", "number"], ignore_index=True)


def importances(study: SharedStudy) -> dict[str, float]:
    """Each parameter's fraction of the losses' variance (fANOVA; Hutter, Hoos and Leyton-Brown
    2014); empty where too few trials are complete.
    """
    losses = {trial.value for trial in study.trials(TrialState.COMPLETE)}
    if len(losses) < ENOUGH_FOR_IMPORTANCES:
        return {}
    with storage_faults(study.where):
        return get_param_importances(study.optuna, evaluator=FanovaImportanceEvaluator(seed=0))


def write_results(
    folder: Path, study: SharedStudy, rescored: Rescored, importances: Mapping[str, float]
) -> None:
    """Write the study's tables and plots; each file is replaced as a whole."""
    trials, best = trials_table(study), rescored.best
    write_text(folder / "best.toml", best_toml(study, rescored))
    write_text(folder / "trials.csv", to_csv(trials))
    found: dict[str, Any] = {
        "study": study.name,
        "finished": study.finished(),
        "best": {"number": best.number, "params": best.params},
        "log_loss": {"search_folds": rescored.search_folds, "fresh_folds": rescored.fresh_folds},
        "optimism": rescored.optimism,
        "higher_than_best": {name: asdict(d) for name, d in rescored.differences.items()},
        "importances": dict(importances),
    }
    write_text(folder / "summary.json", to_json(found))
    for name, figure in (("history", study_history(trials)), ("slices", study_slices(trials))):
        write_bytes(folder / f"{name}.png", as_png(figure))


def best_toml(study: SharedStudy, rescored: Rescored) -> str:
    """The best settings, as `train --config` reads them: those that were searched or fixed.

    `train` fills in the rest from the shipped settings. Where one of those differs from the
    default, which the study used, it is written too.
    """
    values, shipped, default = (asdict(config) for config in rescored.configs.values())
    chosen = {*study.space.fixed, *study.space.searched}
    table = {n: v for n, v in values.items() if n in chosen or shipped[n] != default[n]}
    search, fresh = rescored.search_folds["best"], rescored.fresh_folds["best"]
    return (
        f"# Trial {rescored.best.number} of study {study.name}, {study.finished()} trials: "
        f"log loss {search:.4f} on the search's folds, {fresh:.4f} on fresh ones.\n"
        + tomli_w.dumps({"competition": rescored.competition, study.space.model: table})
    )
