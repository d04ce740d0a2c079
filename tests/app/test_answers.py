"""The form and the answers of the app for tables of every kind, without a server."""

import base64
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from toads import TOADS

from titanic_nn import load_tables
from titanic_nn.app.form import checked_row, fields_of
from titanic_nn.app.model import AppModel
from titanic_nn.app.run import app_model
from titanic_nn.cli.app import main
from titanic_nn.cli.predict import main as predict
from titanic_nn.competitions.registry import COMPETITIONS, get_competition
from titanic_nn.errors import ConfigError, DataError

BUNDLED = get_competition("titanic").search[-1][1]
PONDS = ("<script>alert(1)</script>", "${x}", "{{y}}")  # of the own table


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
    _, _, why = answer.partition("<summary>")
    *steps, base, total = [[float(cell) for cell in row[2:]] for row in rows_of(why) if row]
    found = np.sum([base, *steps], axis=0)
    assert found == pytest.approx(total, abs=0.0006 * (len(steps) + 2))
    assert "<svg" in answer
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


def test_without_rows_to_quote_the_form_has_what_is_frequent() -> None:
    tables = load_tables(BUNDLED)
    fields = fields_of(tables.schema, tables.train, None)
    assert {field.column: field.default for field in fields} == {
        **{"Pclass": 3, "Name": "", "Sex": "male", "Age": 29, "SibSp": 0, "Parch": 0},
        **{"Ticket": "", "Fare": 14.4542, "Cabin": "", "Embarked": "S"},
    }
    with pytest.raises(DataError, match=r"^column Name: the value is missing; expected a name$"):
        checked_row([field.default for field in fields], fields, tables.schema)


def test_a_table_that_no_form_can_hold() -> None:
    schema = load_tables(BUNDLED).schema
    wide = replace(schema, columns=schema.columns * 21)
    with pytest.raises(ConfigError, match=r"has 210 columns, more than the 200 that a form can"):
        fields_of(wide, pd.DataFrame(), None)


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
