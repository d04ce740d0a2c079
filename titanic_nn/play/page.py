"""Write a run's page to play with: `play.html`, one file that loads nothing."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sklearn.pipeline import Pipeline

from titanic_nn.analysis.explanation import pipelines_with_labels
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import Config
from titanic_nn.escape import printable
from titanic_nn.estimators.persistence import Model, load
from titanic_nn.files import write_text
from titanic_nn.play.contents import as_json, contents
from titanic_nn.runs.find import MODELS_FOLDER, PLAY_PAGE, read_run
from titanic_nn.runs.folder import read_tables
from titanic_nn.tables.sources import Tables

LARGEST = 500_000  # bytes of the page
NOTES = 5_000  # bytes for the notes on models that are left out
HERE = Path(__file__).parent
# In the order in which they are run: arrays, the model, then what is shown.
SCRIPTS = ("graph.js", "model.js", "view.js", "net.js", "page.js")


def write_play(
    folder: Path, models: Mapping[str, Model] | None = None, tables: Tables | None = None
) -> Path:
    """Write `play.html` into a run's folder.

    Args:
        folder: the run's.
        models: its models by name, as they were fitted; by default they are loaded from the folder.
        tables: those that it was made from; by default they are read from where they were.

    Raises:
        DataError: the tables are gone or have changed, or the folder is not a run's.
        ModelError: a saved model cannot be read; an older version wrote it.
        ConfigError: what the page needs does not fit into it.
    """
    run = read_run(folder)
    config = Config.from_toml(folder / "settings.toml")
    competition = get_competition(config.competition)
    tables = tables or read_tables(folder)
    if models is None:
        loaded = {name: load(folder / MODELS_FOLDER / name) for name in run.predictors}
        nets = {name: model for name, model in loaded.items() if isinstance(model, Pipeline)}
        models = loaded | pipelines_with_labels(nets, tables)
    empty = render(run.name, {})
    data = contents(
        run,
        models,
        tables,
        config,
        competition,
        room=LARGEST - len(empty.encode()) - NOTES,
    )
    path = folder / PLAY_PAGE
    write_text(path, render(run.name, data))
    return path


def render(name: str, data: Mapping[str, Any]) -> str:
    """The page as text."""
    script = "".join((HERE / file).read_text(encoding="utf-8") for file in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    style = (HERE / "style.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        name=printable(name),
        data=as_json(data),
        script=script,
        style=style,
        # The browser runs this script and this style, and nothing else.
        script_sha256=_digest(script),
        style_sha256=_digest(style),
    )


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()
