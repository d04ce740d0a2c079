"""What a study found: its winner on folds that the search never saw, tables, and pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from titanic_nn.errors import StudyError
from titanic_nn.evaluation.comparison import ROPES, Difference, compare
from titanic_nn.files import write_bytes, write_text
from titanic_nn.plots import study_history, study_slices
from titanic_nn.runs.folder import to_csv, to_json
from titanic_nn.config import DEFAULTS_DIR, NetConfig, Model
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.study import FINISHED, SharedStudy

# Fewer different losses than this say nothing of which parameter matters.
ENOUGH_FOR_IMPORTANCES = 10


@dataclass(frozen=True)
class Rescored:
    """The winner beside others, on the folds that it was chosen by and on fresh ones.

    Attributes:
        searched, fresh: mean loss of the "tuned", "shipped" and "untuned" settings.
        differences: "shipped" and "untuned" -> how much higher their fresh loss is than the tuned.
    """

    searched: dict[str, float]
    fresh: dict[str, float]
    differences: dict[str, Difference]

    @property
    def optimism(self) -> float:
        """By how much the search's folds flatter its winner.

        Fresh folds may be kinder or harsher to all, so it is measured against the shipped settings,
        which neither set of folds chose.
        """
        of_search = self.searched["shipped"] - self.searched["tuned"]
        return of_search - (self.fresh["shipped"] - self.fresh["tuned"])


def rescore(
    rivals: Mapping[str, NetConfig], searched: Objective, fresh: Objective, folds: int
) -> Rescored:
    """Score "tuned", "shipped" and "untuned" settings on the search's folds and on fresh ones."""
    config = list(rivals.values())
    on_fresh = dict(zip(rivals, fresh.losses(config), strict=True))  # each (splits,)
    differences = {
        name: compare(
            losses,
            on_fresh["tuned"],
            held_out_share=1 / folds,
            rope=ROPES["log_loss"],
            lower_is_better=True,
        )
        for name, losses in on_fresh.items()
        if name != "tuned"
    }
    return Rescored(
        dict(zip(rivals, searched.losses(config).mean(axis=1).tolist(), strict=True)),
        {name: float(losses.mean()) for name, losses in on_fresh.items()},
        differences,
    )


def trials_table(study: SharedStudy) -> pd.DataFrame:
    """A row per finished trial, best first: number, state, log_loss, splits, its parameters.

    A weak trial's loss is that of the few splits which it was scored on; it stands below the rest.
    """
    rows = [
        {
            "number": trial.number,
            "state": "scored" if trial.state == TrialState.COMPLETE else "stopped",
            "log_loss": trial.value,
            "splits": trial.last_step or len(trial.user_attrs["losses"]),
            **trial.params,
        }
        for trial in study.trials(*FINISHED)
    ]
    return pd.DataFrame(rows).sort_values(["state", "log_loss", "number"], ignore_index=True)


def importances(study: SharedStudy) -> dict[str, float]:
    """Each parameter's share of the losses' variance (fANOVA; Hutter, Hoos and Leyton-Brown 2014).

    Empty where too few trials are complete.
    """
    losses = {trial.value for trial in study.trials(TrialState.COMPLETE)}
    if len(losses) < ENOUGH_FOR_IMPORTANCES:
        return {}
    return get_param_importances(study.optuna, evaluator=FanovaImportanceEvaluator(seed=0))


def write_results(
    folder: Path, study: SharedStudy, rescored: Rescored, shares: Mapping[str, float]
) -> None:
    """Write the study's tables and pictures, each whole or not at all, over those of before."""
    best = study.best()
    assert best is not None
    trials = trials_table(study)
    write_text(folder / "best.toml", best_toml(study, best, rescored))
    write_text(folder / "trials.csv", to_csv(trials))
    found: dict[str, Any] = {
        "study": study.name,
        "finished": study.finished(),
        "best": {"number": best.number, "params": best.params},
        "log_loss": {"searched": rescored.searched, "fresh": rescored.fresh},
        "optimism": rescored.optimism,
        "higher_than_tuned": {n: asdict(d) for n, d in rescored.differences.items()},
        "importances": dict(shares),
    }
    write_text(folder / "summary.json", to_json(found))
    for name, figure in (("history", study_history(trials)), ("slices", study_slices(trials))):
        picture = BytesIO()
        figure.savefig(picture, dpi=150)
        write_bytes(folder / f"{name}.png", picture.getvalue())


def best_toml(study: SharedStudy, best: FrozenTrial, rescored: Rescored) -> str:
    """The winner's settings, as `train --params` reads them."""
    import tomli_w

    of_search, fresh = rescored.searched["tuned"], rescored.fresh["tuned"]
    config = asdict(study.space.config(best.params))
    return (
        f"# Trial {best.number} of study {study.name}, {study.finished()} trials: "
        f"log loss {of_search:.4f} on its folds, {fresh:.4f} on fresh ones.\n"
        + tomli_w.dumps({study.space.model: config})
    )


def save_defaults(model: Model, text: str) -> Path:
    """Make these settings the ones that `train` uses when nobody says otherwise.

    Raises StudyError where the package may not be written to.
    """
    path = DEFAULTS_DIR / f"{model}.toml"
    try:
        write_text(path, text)
    except OSError as error:
        raise StudyError(
            f"--save-defaults: {path} cannot be written ({error.strerror}); work in a checkout"
        ) from None
    return path
