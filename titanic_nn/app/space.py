"""A folder that Hugging Face Spaces runs: the app of one model, without the run that it is from.

It holds the model as JSON and safetensors, the form, the package's source, and pinned requirements.
Rows of a table are in it only where the table is bundled with the package, and so public: those
that an explanation compares with, and a row as the form's defaults. Of other tables, of which a
competition's may not be published, the form has medians and the values of columns with few.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import distribution, version
from io import BytesIO
from pathlib import Path
from platform import python_version
from typing import Any

from pydantic.dataclasses import dataclass as checked_dataclass

from titanic_nn.analysis.explanation import BACKGROUND, background_sample
from titanic_nn.app.form import Field, fields_of
from titanic_nn.app.model import AppModel
from titanic_nn.app.run import described
from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.escape import printable
from titanic_nn.estimators.persistence import load_with_competition, model_files
from titanic_nn.evaluation.metrics import METRICS
from titanic_nn.files import Files, read_bytes, write_folder, writing
from titanic_nn.report.tables import DASH
from titanic_nn.runs.find import Run, find_run, read_json, read_run, saved_model
from titanic_nn.runs.folder import read_tables, to_exact_csv, to_json
from titanic_nn.tables.schema import read_in_parts
from titanic_nn.tables.sources import TRAIN, Tables
from titanic_nn.tables.state import STRICT, check_state
from titanic_nn.version import __version__

# What the app imports, and nothing else of the package's requirements.
REQUIREMENTS = (
    "filelock",
    "gradio",
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "threadpoolctl",
    "torch",
)
# Spaces installs Gradio with its extra `mcp`, which asks for an older pydantic than Gradio does.
PYDANTIC = "2.12.5"
CPU = "--extra-index-url https://download.pytorch.org/whl/cpu"
PACKAGE = Path(__file__).parents[1]
SOURCE = (".py", ".html", ".toml", ".typed")
MODEL, FORM, ROWS = "model", "form.json", "background.csv"
LARGEST_FORM = 2**20  # bytes
APP = '''"""Serves the model in this folder: on Hugging Face Spaces, or to this machine alone."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from titanic_nn.app.server import LOCAL, PORT, PUBLIC, open_port, serve
from titanic_nn.app.space import read_space

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    host = PUBLIC if os.environ.get("SYSTEM") == "spaces" else LOCAL
    with suppress(KeyboardInterrupt), open_port(port, host) as listening:
        print(f"Open http://127.0.0.1:{listening.getsockname()[1]}; Ctrl-C ends it.", flush=True)
        serve(read_space(Path(__file__).parent), listening)
'''


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Form:
    """form.json: what the model does not hold."""

    name: str
    about: str
    fields: tuple[Field, ...]


def write_space(named: str | None, chosen: str | None, data: Path | None, folder: Path) -> None:
    """Write the folder, which appears whole or not at all.

    Args:
        named, chosen, data: run, model and tables, as `app_model` takes them.
        folder: must not exist, or be empty.

    Raises:
        ConfigError, DataError, ModelError, WriteError: in one line.
    """
    with writing(folder):
        if folder.is_symlink() or (
            folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
        ):
            raise ConfigError(f"--space {folder}: is there already; choose a new folder")
    run = read_run(find_run(named))
    name = run.choose(chosen)
    model, competition = load_with_competition(saved_model(named, name))
    write_folder(folder, _files(run, name, model, competition, read_tables(run.folder, data)))


def read_space(folder: Path) -> AppModel:
    """The app of a folder that `write_space` wrote. Raises DataError or ModelError."""
    model, competition = load_with_competition(folder / MODEL)
    read_bytes(folder / FORM, LARGEST_FORM)
    form = check_state(_Form, read_json(folder / FORM), "")
    schema = competition.schema
    if [field.column for field in form.fields] != [column.name for column in schema.columns]:
        raise DataError(f"{folder / FORM}: the fields are not the columns of the model's table")
    background = None
    if (path := folder / ROWS).exists():
        parts = read_in_parts(BytesIO(read_bytes(path)), file=str(path), rows=None, schema=schema)
        background = next(parts).table, model
    return AppModel(
        model=model,
        competition=competition,
        fields=form.fields,
        background=background,
        name=form.name,
        about=form.about,
    )


def _files(
    run: Run, name: str, model: Any, competition: Competition, tables: Tables
) -> Iterator[tuple[str, str | bytes]]:
    """The folder's files."""
    public = _is_bundled(tables, competition)
    schema = competition.schema
    fields = fields_of(schema, tables.train, tables.test if public else None)
    about = described(run, name, tables)
    yield "app.py", APP
    yield "requirements.txt", _requirements()
    yield "README.md", _card(run, name, competition, tables, public)
    yield "LICENSE", _license()
    yield FORM, to_json({"name": name, "about": about, "fields": [asdict(f) for f in fields]})
    if public:
        # Rows without labels: a saved model would count a training row's own among its group's.
        features = len(competition.features.features)
        rows, _ = background_sample(len(tables.test), features, n_background=BACKGROUND, seed=0)
        yield ROWS, to_exact_csv(tables.test.iloc[sorted(rows)])
    for file, content in model_files(model):
        yield f"{MODEL}/{file}", content
    yield from _source()


def _is_bundled(tables: Tables, competition: Competition) -> bool:
    """Whether a training table is one that comes with the package."""
    for source, place in competition.search:
        if source == "bundled" and (path := place / TRAIN).is_file():
            return sha256(read_bytes(path)).hexdigest() == tables.train_sha256
    return False


def _source() -> Files:
    """The package's own files; it needs not be published to be installed."""
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in SOURCE and path.is_file():
            yield f"titanic_nn/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()


def _requirements() -> str:
    """The versions that are installed here."""
    pins = {name: version(name).partition("+")[0] for name in REQUIREMENTS}
    pins["pydantic"] = PYDANTIC
    return "\n".join([CPU, *(f"{name}=={pin}" for name, pin in pins.items())]) + "\n"


def _license() -> str:
    """The package's license, from a checkout or an installed package."""
    checkout = PACKAGE.parent / "LICENSE"
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    return distribution("titanic-nn").read_text("licenses/LICENSE") or ""


def _card(run: Run, name: str, competition: Competition, tables: Tables, public: bool) -> str:
    """README.md: Spaces' settings, then the model card."""
    schema = competition.schema
    title = f"{competition.title}: {name}"
    settings = {
        "title": printable(title),
        "emoji": "🧮",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "gradio",
        "sdk_version": version("gradio"),
        "python_version": ".".join(python_version().split(".")[:2]),
        "app_file": "app.py",
        "pinned": False,
        "license": "apache-2.0",
    }
    # A value in JSON is one in YAML, and its quotes keep any text in it.
    header = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    rule = competition.rule.name
    models = [name, *([rule] if rule in run.models else [])]
    lines = ["| metric | " + " | ".join(map(_word, models)) + " |", "|---|" + "---|" * len(models)]
    for metric in METRICS:
        cells = [_cell(run.models[model][metric]) for model in models]
        lines.append(f"| {metric.replace('_', ' ')} | {' | '.join(cells)} |")
    classes = ", ".join(
        f"{_word(label)} ({_word(text)})"
        for label, text in zip(schema.labels, schema.class_names, strict=True)
    )
    rows = _word(schema.row_names)
    if public:
        of_rows = (
            f"It is public. The explanation compares with {BACKGROUND} rows of its test table, "
            f"drawn at random; they stand in `{ROWS}`. The form starts with one more."
        )
    else:
        of_rows = (
            "No row of a table is published here, so the app explains nothing: an "
            "explanation compares with such rows. The form starts with medians and most frequent "
            f"values. `{MODEL}/` holds what was fitted, such as categories, group sizes and the "
            "training rows' ids, but no row and no label of one: check that the data's rules allow "
            "that to be published."
        )
    return "\n".join(
        [
            "---",
            *header,
            "---",
            "",
            f"# {_word(title)}",
            "",
            "A neural net, or an average of several, that predicts "
            f"**{_word(schema.target.name)}**: {classes}. Made by titanic_nn {__version__} from "
            f"the run **{_word(run.name)}**.",
            "",
            "## How good it is",
            "",
            "By cross-validation, on rows that the nets were not trained on: mean over folds, with "
            f"its 95 % interval, which is corrected for overlapping folds. **{_word(rule)}** is a "
            f"rule of thumb: {_word(competition.rule.description)}.",
            "",
            *lines,
            "",
            f"The expected calibration error is {_number(run.models[name]['calibration_error'])}. "
            "The model was chosen among others by these figures, so they are slightly too good. "
            "The saved model was trained on all rows; no row was left to test it on.",
            "",
            "## Data",
            "",
            f"{_word(competition.title)}, {len(tables.train)} {rows} with labels "
            f"(SHA-256 of the file: `{tables.train_sha256}`). {of_rows}",
            "",
            "## What it must not be used for",
            "",
            "- Decisions about people. It was made to learn and to compare methods by.",
            f"- Other {rows} than those of this table's kind: it knows nothing of how it errs "
            "there.",
            "- Causes. A probability and its explanation say what the model computes from what is "
            "in the table, with the table's gaps and injustices.",
            "- Scores of rows that it was trained on: on them it is better than it is.",
            "",
            "## Run it",
            "",
            "`pip install -r requirements.txt`, then `python app.py`. Nothing is pickled: the "
            "model is JSON and safetensors. What a visitor enters or sends is kept in memory while "
            "it is answered, and nowhere else.",
            "",
        ]
    )


def _cell(scores: Any) -> str:
    """A metric's mean and its interval, where one is known."""
    if scores["low"] is None:
        return _number(scores["mean"])
    return f"{_number(scores['mean'])} ({scores['low']:.3f}{DASH}{scores['high']:.3f})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _word(text: str) -> str:
    """A text that Markdown shows as it is."""
    return "".join(f"&#{ord(c)};" if c in "\\`*_[]<>|&#!$~" else c for c in printable(text))
