"""A run's folder as one HTML page that loads nothing else."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, UndefinedError

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import Config
from titanic_nn.errors import DataError
from titanic_nn.escape import printable_lines
from titanic_nn.evaluation.predictions import column_names
from titanic_nn.files import write_text
from titanic_nn.report.answers import QUESTIONS, answers
from titanic_nn.report.pictures import answer_figures, as_svg, figures
from titanic_nn.report.sentences import board_forecast, findings, headline
from titanic_nn.report.tables import run_tables
from titanic_nn.runs.find import PLAY_PAGE, read_json, read_run
from titanic_nn.runs.folder import read_table

REQUIRED = ("metrics.csv", "oof.csv", "history.csv")
LOSSES = ["training_loss", "held_out_loss"]


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder, from the files that are there.

    Raises DataError or ConfigError where one of them is missing or malformed.
    """
    path = folder / "report.html"
    write_text(path, render(folder))
    return path


def render(folder: Path) -> str:
    """The page as text. What the files hold is escaped."""
    run = read_run(folder)
    summary, environment = (read_json(folder / f"{n}.json") for n in ("summary", "environment"))
    settings = folder / "settings.toml"
    config = Config.from_toml(settings)
    competition = get_competition(config.competition)
    models, labels = list(run.models), competition.schema.labels
    probabilities = [column for model in models for column in column_names(model, labels)]
    explained = [competition.schema.id.name, "model", "class", "feature", "value"]
    # Columns of text, of numbers, and of intervals' bounds; the optional files are those of other
    # commands.
    columns: dict[str, tuple[list[str], ...]] = {
        "metrics.csv": (["model"], ["repeat", "fold", "accuracy", "log_loss"]),
        "oof.csv": ([], ["label", "repeat", "fold", *probabilities]),
        "history.csv": (["model"], ["epoch", *LOSSES]),
        "learning_curve.csv": (["model"], ["train_fraction", "rows", *LOSSES]),
        "importance.csv": (["model", "feature"], ["log_loss_increase"]),
        "coefficients.csv": (["feature"], ["mean"], ["low", "high"]),
        "hidden_units.csv": (["side", "name"], ["unit", "weight"]),
        "misclassified.csv": (list(competition.display_columns[:1]), ["label", *models]),
        "explanations.csv": ([], ["base", "log_odds"]),
        "explanation.csv": (explained, ["contribution", "base"]),
        "misclassified_reasons.csv": (explained, ["contribution", "base"]),
    }
    found = {
        name: read_table(folder, name, *wanted)
        for name, wanted in columns.items()
        if name in REQUIRED or (folder / name).is_file()
    }
    codes = found["oof.csv"]["label"]
    unknown = ~codes.isin(range(len(labels))).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())  # line 1 is the header
        raise DataError(
            f"{folder / 'oof.csv'}, line {row + 2}, column label: {codes[row]} is the number of no "
            "class; train again"
        )
    try:
        comparison = pd.DataFrame.from_dict(summary["comparison"]["models"], orient="index")
        answered = answers(folder, found, config, run.recommended, competition)
        asked = answer_figures(folder, found, answered, competition)
        drawn = figures(found, comparison, run.recommended, competition)
        conclusion, *others = findings(summary, found["oof.csv"], found["history.csv"], competition)
        forecast = _forecast(summary, environment["data"], competition)
        return _template().render(
            run=run,
            quoted=shlex.quote(run.name),
            summary=summary,
            competition=competition,
            headline=headline(summary, competition),
            paragraphs=[conclusion, *forecast, *others],
            tables=run_tables(summary, wide=True),
            answers=[as_svg(figure, answer) for figure, answer in asked],
            not_asked={name: text for name, text in QUESTIONS.items() if name not in answered},
            pictures=[as_svg(figure) for figure in drawn],
            rare=config.features.min_category_rows,
            environment=environment,
            play=PLAY_PAGE if (folder / PLAY_PAGE).is_file() else None,
            settings=settings.read_text(encoding="utf-8"),
        )
    except (OSError, KeyError, TypeError, ValueError, ArithmeticError, UndefinedError) as error:
        raise DataError(
            f"{folder}: is no run's folder, or one of an older version ({error}); train again"
        ) from None


def _forecast(
    summary: Mapping[str, Any], data: Mapping[str, Any], competition: Competition
) -> list[str]:
    """What to expect on the public board, if the tables are, or may be, the competition's own."""
    if data["source"] == "bundled":
        return []
    accuracy = summary["models"][summary["recommended"]]["accuracy"]["mean"]
    forecast = board_forecast(accuracy, data["test_rows"], competition)
    if forecast and data["source"] == "given":
        return [f"If the given tables are Kaggle's own: {forecast[0].lower()}{forecast[1:]}"]
    return [forecast] if forecast else []


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    return environment.get_template("page.html")


def _printable(value: Any) -> Any:
    """What the page shows of a value: text without characters that a terminal would obey."""
    return type(value)(printable_lines(value)) if isinstance(value, str) else value


def _words(text: str) -> str:
    """Names as words, and no line break between a number and its sign."""
    text = text.replace("_", " ").replace(" %", "\N{NO-BREAK SPACE}%")
    return text.replace("± ", "±\N{NO-BREAK SPACE}")
