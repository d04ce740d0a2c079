"""The folder for Hugging Face Spaces: what is in it, and what must not be."""

import json
import re
import shutil
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement

from titanic_nn import load
from titanic_nn.app.run import app_model
from titanic_nn.app.space import APP, read_space, write_space
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import DataError, TitanicError
from titanic_nn.report.tables import DASH

pytestmark = pytest.mark.slow
pytest.importorskip("gradio", reason="gradio is not installed: pip install 'titanic_nn[app]'")

REPO = Path(__file__).parents[2]
BUNDLED = get_competition("titanic").search[-1][1]


@pytest.fixture(scope="module")
def space(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "written"
    write_space(str(run), "ensemble", None, folder)
    return folder


def pins(space: Path) -> dict[str, str]:
    lines = (space / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_what_is_in_it(space: Path) -> None:
    own = {path.name for path in space.iterdir()}
    assert own == {
        *("app.py", "requirements.txt", "README.md", "LICENSE", "form.json", "background.csv"),
        *("model", "titanic_nn"),
    }
    assert (space / "app.py").read_text() == APP
    assert "Apache License" in (space / "LICENSE").read_text()
    assert {path.suffix for path in space.rglob("*") if path.is_file()} == {
        *("", ".py", ".html", ".toml", ".typed", ".txt", ".md", ".json", ".csv", ".safetensors")
    }
    names = {str(path.relative_to(REPO)) for path in (REPO / "titanic_nn").rglob("*.py")}
    assert {str(p.relative_to(space)) for p in (space / "titanic_nn").rglob("*.py")} == names
    for path in space.rglob("*"):  # nothing of this machine
        if path.suffix in (".json", ".md", ".txt", ".csv"):
            text = path.read_text(encoding="utf-8")
            assert not [place for place in (REPO, Path.home(), sys.prefix) if f"{place}/" in text]


def test_the_background_is_of_the_public_test_table_without_labels(space: Path) -> None:
    rows = pd.read_csv(space / "background.csv", dtype=str)
    test = pd.read_csv(BUNDLED / "test.csv", dtype=str)
    assert len(rows) == 100
    assert list(rows) == list(test)
    assert set(rows["PassengerId"]) <= set(test["PassengerId"])


def test_the_model_is_the_run_s_own(space: Path, run: Path) -> None:
    table = pd.read_csv(BUNDLED / "test.csv")
    own = load(run / "models/ensemble").predict_proba(table)
    assert (load(space / "model").predict_proba(table) == own).all()
    there, here = read_space(space), app_model(str(run), "ensemble", None)
    assert there.fields == here.fields
    values = [field.default for field in here.fields]
    verdict = re.compile('<p class="verdict">.*?</table>')
    assert verdict.findall(there.answer_row(values)) == verdict.findall(here.answer_row(values))


def test_the_card_has_the_run_s_figures(space: Path, run: Path) -> None:
    _, header, card = (space / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    lines = header.strip().splitlines()
    settings = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}
    assert settings["sdk"] == "gradio"
    assert settings["sdk_version"] == version("gradio") == pins(space)["gradio"]
    assert settings["title"] == "Titanic: ensemble"
    assert (space / settings["app_file"]).is_file()
    scores = json.loads((run / "summary.json").read_text())["models"]
    for metric in ("accuracy", "log_loss", "roc_auc", "brier", "f1"):
        for model in ("ensemble", "sex_rule"):
            of = scores[model][metric]
            assert f"{of['mean']:.3f} ({of['low']:.3f}{DASH}{of['high']:.3f})" in card
    for words in ("## What it must not be used for", "Decisions about people", "891 passengers"):
        assert words in card


def test_the_pins_agree_with_what_spaces_installs(space: Path) -> None:
    pinned = pins(space)
    wanted = [Requirement(text) for text in requires("gradio") or []]
    for extra in ("", "mcp", "oauth"):
        for one in wanted:
            if one.name in pinned and (not one.marker or one.marker.evaluate({"extra": extra})):
                assert one.specifier.contains(pinned[one.name]), one


def test_no_row_of_another_table_is_published(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["spaceship-titanic"]
    tables = run.parents[1] / "spaceship-titanic"
    folder = tmp_path / "space"
    write_space(str(run), "linear", tables, folder)
    assert not (folder / "background.csv").exists()
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "No row of a table is published here" in card
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.json")]
    rows = pd.concat([pd.read_csv(tables / f"{name}.csv", dtype=str) for name in ("train", "test")])
    own = {*rows["Name"].dropna(), *rows["Cabin"].dropna()}
    assert not [value for value in own if any(value in text for text in [*texts, card])]
    model = read_space(folder)
    answer = model.answer_row([field.default for field in model.fields])
    assert "Most probable" in answer
    assert "Nothing is explained here" in answer
    assert "<h3>Why" not in answer


def test_a_changed_folder_is_refused(space: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(space, tmp_path / "copy"))
    form = json.loads((copy / "form.json").read_text())
    for changed in ({**form, "fields": form["fields"][1:]}, {**form, "more": 1}, {"name": "x"}):
        (copy / "form.json").write_text(json.dumps(changed))
        with pytest.raises(TitanicError):
            read_space(copy)
    (copy / "form.json").write_text(json.dumps(form))
    (copy / "background.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError):
        read_space(copy)
