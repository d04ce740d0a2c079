"""A run's folder as one HTML page that loads nothing else."""

from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, UndefinedError

from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import Config
from titanic_nn.errors import DataError
from titanic_nn.files import write_text
from titanic_nn.report import tables
from titanic_nn.report.pictures import pictures
from titanic_nn.report.sentences import findings
from titanic_nn.runs.find import read_json, read_run
from titanic_nn.runs.folder import read_table

REPORT = "report.html"
# Files of other commands: their columns of text, and of numbers.
ADDED: dict[str, tuple[list[str], list[str]]] = {
    "learning_curve.csv": (
        ["model"],
        ["train_fraction", "rows", "training_loss", "held_out_loss"],
    ),
    "importance.csv": (["model", "feature"], ["log_loss_increase"]),
    "coefficients.csv": (["feature"], ["mean", "low", "high"]),
}


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder, from the files that are there.

    Raises DataError or ConfigError where one of them is missing or malformed.
    """
    write_text(folder / REPORT, render(folder))
    return folder / REPORT


def render(folder: Path) -> str:
    """The page as text. What the files hold is escaped."""
    run = read_run(folder)
    summary, environment = (
        read_json(folder / name) for name in ("summary.json", "environment.json")
    )
    settings = folder / "settings.toml"
    competition = get_competition(Config.from_toml(settings).competition)
    models = list(run.models)
    columns: dict[str, tuple[list[str], list[str]]] = {
        "metrics.csv": (["model"], ["repeat", "fold", "accuracy", "log_loss"]),
        "oof.csv": ([], ["label", "repeat", "fold", *models]),
        "history.csv": (["model"], ["epoch", "training_loss", "held_out_loss"]),
        **ADDED,
        "misclassified.csv": (list(competition.display_columns), ["label", *models]),
    }
    optional = {*ADDED, "misclassified.csv"}
    found = {
        name: read_table(folder, name, *wanted)
        for name, wanted in columns.items()
        if name not in optional or (folder / name).is_file()
    }
    try:
        return _template().render(
            run=run,
            summary=summary,
            competition=competition,
            paragraphs=findings(summary, found["oof.csv"], found["history.csv"], competition),
            tables=[
                tables.scores(summary),
                tables.comparison(summary),
                tables.calibration(summary),
            ],
            pictures=list(
                pictures(
                    folder,
                    found,
                    pd.DataFrame.from_dict(summary["comparison"]["models"], orient="index"),
                    run.recommended,
                    competition,
                )
            ),
            environment=environment,
            settings=settings.read_text(encoding="utf-8"),
        )
    except (OSError, KeyError, TypeError, UndefinedError) as error:
        raise DataError(
            f"{folder}: is no run's folder, or one of an older version ({error}); train again"
        ) from None


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    return environment.get_template("page.html")


def _words(text: str) -> str:
    """Names as words, and no line break before a per cent sign."""
    return text.replace("_", " ").replace(" %", "\N{NO-BREAK SPACE}%")
