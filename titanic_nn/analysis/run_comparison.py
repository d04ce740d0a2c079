"""Is one run better than another? A leaderboard of runs, what differs between them, and by luck.

Two models are compared fold by fold, so their runs must have the same folds: the same training
rows in each, of the same table. Where a single row of them differs, a fold's difficulty is in the
difference, and no test is made. Runs with the same folds are compared as the models of one run are
(see evaluation/comparison.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from titanic_nn.competitions.competition import name_of
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.comparison import comparison_table, summarize_folds

# What folds are drawn from, besides the table.
FOLD_SETTINGS = ("folds", "repeats", "seed")
# Columns of a run's oof.csv that state its folds, besides the id.
FOLD_COLUMNS = ("label", "repeat", "fold")


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """One model of a run, and what the run was made from.

    Attributes:
        name: of the run; no two that are compared have the same.
        model: of the run, which is compared.
        config: the run's settings.
        environment: its environment.json.
        metrics: its metrics.csv.
        held_out: of its oof.csv the id and FOLD_COLUMNS: each fold's rows.
    """

    name: str
    model: str
    config: Config
    environment: Mapping[str, Any]
    metrics: pd.DataFrame
    held_out: pd.DataFrame

    @property
    def scores(self) -> pd.DataFrame:
        """The model's rows of `metrics`."""
        return self.metrics[self.metrics["model"] == self.model]


@dataclass(frozen=True, eq=False)
class RunComparison:
    """The result of a comparison.

    Attributes:
        leaderboard: a row per run, the lowest mean log loss first: run, model, and each metric's
            mean, sd over folds and corrected 95 % interval, as in a run's summary.
        differences: a row per setting or fact that is not the same in all runs that have it,
            indexed by its name as in settings.toml or environment.json, a column per run.
        comparisons: for each set of runs with the same folds `comparison_table` of their log
            losses, indexed by run.
        unpaired: for each run but the first of the leaderboard whose folds are not the first's,
            what differs: "train.csv", "folds", "repeats", "seed", or else "rows of the folds".
    """

    leaderboard: pd.DataFrame
    differences: pd.DataFrame
    comparisons: list[pd.DataFrame]
    unpaired: dict[str, list[str]]


def compare_runs(runs: Sequence[ScoredRun]) -> RunComparison:
    """Compare runs of one competition.

    Raises:
        ConfigError: there are fewer than two, or of several competitions.
        DataError: a run lacks a fold's score.
    """
    if len(runs) < 2:
        raise ConfigError("give two runs or more to compare")
    for other in runs[1:]:
        if other.config.competition != runs[0].config.competition:
            first, another = (name_of(run.config.competition) for run in (runs[0], other))
            raise ConfigError(
                f"{runs[0].name} is a run of competition {first}, "
                f"{other.name} of {another}: compare runs of one competition"
            )
    ranked = sorted(runs, key=lambda run: run.scores["log_loss"].mean())
    by_folds: list[list[ScoredRun]] = []
    for run in ranked:
        for same in by_folds:
            if not different_folds(same[0], run):
                same.append(run)
                break
        else:
            by_folds.append([run])
    unpaired = {run.name: different_folds(ranked[0], run) for run in ranked[1:]}
    return RunComparison(
        leaderboard=pd.DataFrame([_summary(run) for run in ranked]),
        differences=_differences(ranked),
        comparisons=[
            comparison_table(pd.concat([run.scores.assign(model=run.name) for run in same]))
            for same in by_folds
            if len(same) > 1
        ],
        unpaired={name: why for name, why in unpaired.items() if why},
    )


def different_folds(a: ScoredRun, b: ScoredRun) -> list[str]:
    """Why two runs have not the same folds; empty where they have."""
    tables = [run.environment["data"]["train_sha256"] for run in (a, b)]
    found = ["train.csv"] if tables[0] != tables[1] else []
    found += [s for s in FOLD_SETTINGS if getattr(a.config, s) != getattr(b.config, s)]
    # Another version of a library may have drawn others with the same seed.
    return found or ([] if a.held_out.equals(b.held_out) else ["rows of the folds"])


def _summary(run: ScoredRun) -> dict[str, Any]:
    return {"run": run.name, "model": run.model, **summarize_folds(run.scores, run.config.folds)}


def _differences(runs: Sequence[ScoredRun]) -> pd.DataFrame:
    """A net's settings count where it is trained; None stands where a run has no value."""
    facts = {}
    for run in runs:
        settings = asdict(run.config)
        nets = settings.pop("nets")
        trained = {model: nets[model] for model in run.config.models}
        facts[run.name] = dict(_flat(settings | trained)) | dict(_flat(run.environment))
    names = dict.fromkeys(name for of_run in facts.values() for name in of_run)
    rows = {name: [of_run.get(name) for of_run in facts.values()] for name in names}
    differing = {name: row for name, row in rows.items() if len({*map(str, row)} - {"None"}) > 1}
    return pd.DataFrame.from_dict(differing, orient="index", columns=list(facts), dtype=object)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by their full names: "relu.epochs", "data.train_sha256"."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
