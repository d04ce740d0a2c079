"""The app of a run's model."""

from pathlib import Path
from typing import Any

from titanic_nn.app.form import fields_of
from titanic_nn.app.model import AppModel
from titanic_nn.estimators.persistence import load_with_competition
from titanic_nn.report.tables import DASH
from titanic_nn.runs.find import find_run, read_run, saved_model
from titanic_nn.runs.folder import read_tables


def app_model(named: str | None, chosen: str | None, data: Path | None) -> AppModel:
    """The app of a run's model, by default the recommended one.

    The run's tables are read, from `data` if that is given: they show what is typical, and what an
    explanation compares with. Raises ConfigError, DataError or ModelError, in one line.
    """
    run = read_run(find_run(named))
    name = run.choose(chosen)
    model, competition = load_with_competition(saved_model(named, name))
    tables = read_tables(run.folder, data)
    return AppModel(
        model=model,
        competition=competition,
        fields=fields_of(competition.schema, tables.train),
        background=None,  # STUB
        name=name,
        facts=(
            f"The model {name}, trained on {len(tables.train)} {competition.schema.row_names}. "
            f"{scored(run.models[name])}",
        ),
    )


def scored(scores: dict[str, Any]) -> str:
    """A model's cross-validated scores in a sentence, with their intervals where they are known."""
    found = []
    for name in ("accuracy", "log_loss"):
        of, interval = scores[name], ""
        if of["low"] is not None:
            interval = f" (95 % interval {of['low']:.3f}{DASH}{of['high']:.3f})"
        found.append(f"{name.replace('_', ' ')} {of['mean']:.3f}{interval}")
    return f"On held-out rows: {', '.join(found)}."
