"""The form and the answers of the app for tables of every kind, without a server."""

import base64
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from refusals import refused
from spaceship_tables import write_spaceship
from toads import TOADS, write_toads

from titanic_nn.app.model import AppModel
from titanic_nn.app.run import app_model
from titanic_nn.cli.app import main
from titanic_nn.cli.predict import main as predict
from titanic_nn.cli.train import main as train
from titanic_nn.competitions.registry import COMPETITIONS

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--inner-folds", "2", "--quiet"]
PONDS = ("<script>alert(1)</script>", "${x}", "{{y}}")
OWN = """
name = "frogs"
row_name = "frog"
id = "id"
target = "kind"
labels = ["=green", "<b>red"]
numbers = ["<i>length", "weight"]
categories = ["pond"]
booleans = ["striped"]
dates = ["seen"]
"""


def own_table(folder: Path) -> None:
    """Frogs, of which names of columns, labels and values are hostile."""
    folder.mkdir()
    for name, rows, first in (("train.csv", 60, 0), ("test.csv", 20, 60)):
        table = pd.DataFrame(
            {
                "id": [f"=f{first + i}" for i in range(rows)],
                "<i>length": [i % 7 + 0.5 for i in range(rows)],
                "weight": ["" if i % 5 == 0 else i % 11 for i in range(rows)],
                "pond": [
                    ("<script>alert(1)</script>", "${x}", "{{y}}")[i % 3] for i in range(rows)
                ],
                "striped": ["yes" if i % 2 else "no" for i in range(rows)],
                "seen": [f"2024-05-{1 + i % 28:02}" for i in range(rows)],
                "kind": ["<b>red" if i % 7 > 3 else "=green" for i in range(rows)],
            }
        )
        table.drop(columns=["kind"] * (name == "test.csv")).to_csv(folder / name, index=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, run: Path) -> dict[str, Path]:
    """A run of each kind of table, by its name; their tables are beside them."""
    home = tmp_path_factory.mktemp("kinds")
    own_table(home / "own")
    (home / "frogs.toml").write_text(OWN)
    write_spaceship(home / "spaceship-titanic", groups=60)
    write_toads(home / "toads")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setitem(COMPETITIONS, "toads", TOADS)
        named = {"own": "frogs.toml", "spaceship-titanic": "spaceship-titanic", "toads": "toads"}
        for name, competition in named.items():
            words = ["--competition", competition, "--data", name, "--models", "linear"]
            train([*words, *QUICK, "--out", f"runs/{name}"])
    return {"titanic": run, **{name: home / "runs" / name for name in named}}


def asked(runs: dict[str, Path], name: str) -> AppModel:
    data = None if name == "titanic" else runs[name].parents[1] / name
    return app_model(str(runs[name]), "linear", data)


def rows_of(answer: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?>(.*?)</tr>", answer)
    return [[unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)] for row in rows]


def downloaded(answer: str) -> str:
    (encoded,) = re.findall(r'href="data:text/csv;base64,([^"]+)"', answer)
    return base64.b64decode(encoded).decode()


@pytest.mark.parametrize("name", ["titanic", "own", "spaceship-titanic", "toads"])
def test_the_form_and_a_file_give_the_probabilities_of_predict(
    runs: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMPETITIONS, "toads", TOADS)
    model = asked(runs, name)
    schema = model.competition.schema
    values = {field.column: field.default for field in model.fields}
    assert list(values) == [column.name for column in schema.columns]
    pd.DataFrame([values]).to_csv(tmp_path / "row.csv", index=False)
    files = ["--input", str(tmp_path / "row.csv"), "--output", str(tmp_path / "out.csv")]
    predict([str(runs[name]), "--model", "linear", *files])
    expected = pd.read_csv(tmp_path / "out.csv")
    answer = model.answer_row(list(values.values()))
    shown = [float(row[2]) for row in rows_of(answer)[1 : 1 + len(schema.labels)]]
    if len(schema.labels) == 2:
        shown = shown[1:]
    assert shown == pytest.approx(expected.iloc[0, :-1].tolist(), abs=1e-6)
    (verdict,) = re.findall(r"Most probable: <b>(.*?)</b>", answer)
    label = schema.labels.index(str(expected.iloc[0, -1]))
    assert unescape(verdict) == schema.class_names[label]

    content = (tmp_path / "row.csv").read_bytes()
    upload = {"name": "a.csv", "size": 1, "content": base64.b64encode(content).decode()}
    assert downloaded(model.answer_table(upload)).count("\n") == 2


@pytest.mark.parametrize("name", ["titanic", "own", "spaceship-titanic", "toads"])
def test_the_explanation_adds_up(
    runs: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMPETITIONS, "toads", TOADS)
    model = asked(runs, name)
    answer = model.answer_row([field.default for field in model.fields])
    _, _, why = answer.partition("<h3>Why")
    base, *steps, total = [float(row[-1]) for row in rows_of(why) if row]
    assert base + sum(steps) == pytest.approx(total, abs=0.0006 * (len(steps) + 2))
    assert "What this assumes" in why


def test_hostile_text_is_shown_as_text(runs: dict[str, Path]) -> None:
    model = asked(runs, "own")
    pond = next(field for field in model.fields if field.column == "pond")
    assert set(pond.choices) == {*PONDS, ""}
    values: list[Any] = [field.default for field in model.fields]
    answers = [model.answer_row(values), model.answer_row(["<script>", *values[1:]])]
    content = (runs["own"].parents[1] / "own/test.csv").read_bytes()
    upload = {"name": "<img>.csv", "size": 1, "content": base64.b64encode(content).decode()}
    answers.append(model.answer_table(upload))
    for answer in answers:
        assert not [tag for tag in ("<script", "<img", "<i>", "<b>red") if tag in answer]
    # In a file for people an id that begins like a formula has an apostrophe.
    assert downloaded(answers[2]).splitlines()[1].startswith("'=f60,")


def test_the_defaults_are_a_row_that_no_net_was_trained_on(run: Path) -> None:
    model = app_model(str(run), None, None)
    values = {field.column: field.default for field in model.fields}
    test = pd.read_csv(Path(model.competition.search[-1][1]) / "test.csv")
    assert values["Name"] in test["Name"].tolist()
    assert (values["Pclass"], values["Sex"], values["Embarked"]) == (3, "male", "S")


def bad_arguments() -> dict[str, tuple[list[str], str]]:
    return {
        "a port that is none": (["--port", "70000"], "--port 70000: choose one from 0 to 65535"),
        "a port with a space": (["--port", "1", "--space", "x"], "--port: has no effect with"),
        "no such model": (["--model", "lienar"], "no such model"),
        "no such tables": (["--data", "nowhere", "--port", "0"], "nowhere: the tables of"),
        "a space that is there": (["--space", "."], "--space .: is there already"),
        "a space in a file": (["--space", "file/x"], "file/x: cannot be written"),
    }


@pytest.mark.parametrize("case", bad_arguments())
def test_a_bad_argument_is_one_line(
    run: Path,
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    words, line = bad_arguments()[case]
    refused(main, [str(run), *words], line, capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_gradio(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # as if it were not installed
    line = "error: gradio is not installed: pip install 'titanic_nn[app]'"
    refused(main, [str(run)], line, capsys)
