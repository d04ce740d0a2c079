"""The app of a run's model."""

from pathlib import Path

from titanic_nn.analysis.explanation import with_training_labels
from titanic_nn.app.form import fields_of
from titanic_nn.app.model import AppModel
from titanic_nn.estimators.persistence import load_with_competition
from titanic_nn.report.tables import DASH
from titanic_nn.runs.find import Run, find_run, read_run, saved_model
from titanic_nn.runs.folder import read_tables
from titanic_nn.tables.sources import Tables


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
        fields=fields_of(competition.schema, tables.train, tables.test),
        background=(tables.train, with_training_labels(model, tables)),
        name=name,
        about=described(run, name, tables),
    )


def described(run: Run, name: str, tables: Tables) -> str:
    """A run's model, and its cross-validated scores with their intervals where they are known."""
    found = []
    for metric in ("accuracy", "log_loss"):
        of, interval = run.models[name][metric], ""
        if of["low"] is not None:
            interval = f" (95 % interval {of['low']:.3f}{DASH}{of['high']:.3f})"
        found.append(f"{metric.replace('_', ' ')} {of['mean']:.3f}{interval}")
    rows = f"{len(tables.train)} {tables.schema.row_names}"
    return f"The model {name}, trained on {rows}. On held-out rows: {', '.join(found)}."
