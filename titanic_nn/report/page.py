"""A run's folder as one HTML page that needs nothing but itself."""

from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from titanic_nn.errors import DataError
from titanic_nn.evaluation.comparison import ROPES
from titanic_nn.files import write_text
from titanic_nn.runs.find import read_json, read_run
from titanic_nn.plots.style import spoken
from titanic_nn.report.pictures import pictures
from titanic_nn.report.sentences import in_words, percent
from titanic_nn.runs.folder import read_table

REPORT = "report.html"
# What later commands may have added: its columns of words, and of numbers.
ADDED: dict[str, tuple[list[str], list[str]]] = {
    "learning_curve.csv": (["model"], ["share", "rows", "training_loss", "held_out_loss"]),
    "importance.csv": (["model", "feature"], ["log_loss_increase"]),
    "coefficients.csv": (["feature"], ["mean", "low", "high"]),
    "hard.csv": (["Name", "Sex"], ["Survived", "Pclass"]),
}


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder, from the files that are there.

    Raises DataError where one of them is missing or broken.
    """
    write_text(folder / REPORT, render(folder))
    return folder / REPORT


def render(folder: Path) -> str:
    """The page as text. What stands in the files is escaped: a name cannot become markup."""
    run = read_run(folder)
    summary, environment = (
        read_json(folder / name) for name in ("summary.json", "environment.json")
    )
    models = list(run.models)
    columns: dict[str, tuple[list[str], list[str]]] = {
        "metrics.csv": (["model"], ["repeat", "fold", "accuracy", "log_loss"]),
        "oof.csv": ([], ["PassengerId", "Survived", "repeat", "fold", *models]),
        "history.csv": (["model"], ["epoch", "training_loss", "held_out_loss"]),
    }
    columns |= {name: ADDED[name] for name in ADDED if (folder / name).is_file()}
    tables = {name: read_table(folder, name, *wanted) for name, wanted in columns.items()}
    try:
        config = (folder / "settings.toml").read_text(encoding="utf-8")
        comparison = pd.DataFrame.from_dict(summary["comparison"]["models"], orient="index")
        return _template().render(
            run=run,
            summary=summary,
            paragraphs=in_words(summary, tables["oof.csv"], tables["history.csv"]),
            pictures=list(pictures(folder, tables, comparison, run.recommended)),
            rope=ROPES[summary["comparison"]["metric"]],
            environment=environment,
            config=config,
        )
    except (OSError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: is no run's folder, or an older version's ({error}); make the run again"
        ) from None


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spoken"] = spoken
    environment.globals |= {"number": _number, "mean_and_sd": _mean_and_sd, "percent": percent}
    return environment.get_template("page.html")


def _number(value: float | None, digits: int = 3) -> str:
    """A score; a dash for one that is not finite, which JSON has as null."""
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001


def _mean_and_sd(score: dict[str, float]) -> str:
    return f"{_number(score['mean'])} ± {_number(score['sd'])}"
