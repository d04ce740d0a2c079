"""A run's folder: where it is made, and what is read from it."""

import csv
import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.files import write_text
from titanic_nn.runs.find import read_json, read_run
from titanic_nn.runs.folder import (
    choose_folder,
    made_of,
    read_table,
    read_tables,
    to_csv,
    to_exact_csv,
    to_json,
)
from titanic_nn.tables.sources import Tables

GOOD = "model,fold,loss\nlinear,0,0.5\nlinear,1,0.25\n"


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(GOOD, encoding="utf-8")
    table = read_table(tmp_path, "history.csv", ["model"], ["fold", "loss"])
    assert table.to_dict("list") == {
        "model": ["linear", "linear"],
        "fold": [0, 1],
        "loss": [0.5, 0.25],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "history.csv: cannot be read (No such file or directory); give a run's folder"),
        (b"", "history.csv: is not the CSV file that a run writes (No columns to parse"),
        (b"\xff\xfe\x00", "history.csv: is not the CSV file that a run writes ('utf-8' codec"),
        (b'model,fold,loss\na,0,"0.5\n', "history.csv: is not the CSV file that a run writes ("),
        (b"model,fold\nlinear,0\n", "history.csv: has no column loss; make the run again"),
        (b"model,fold,loss\n", "history.csv: has a header but no rows below it"),
        (GOOD.replace("0.25", "low").encode(), "line 3, column loss: low is no finite number"),
        (GOOD.replace("0.25", "inf").encode(), "line 3, column loss: inf is no finite number"),
        (GOOD.replace("0.25", "").encode(), "line 3, column loss: nan is no finite number"),
    ],
)
def test_a_broken_table_gets_one_line(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path, "history.csv", ["model"], ["fold", "loss"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_columns_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "oof.csv").write_text("id,p\n007,0.5\n")
    assert read_table(tmp_path, "oof.csv", ["id"], ["p"])["id"].tolist() == ["007"]


def test_a_new_folder_has_a_name_by_which_it_is_found(tmp_path: Path) -> None:
    assert choose_folder(None, "bundled").parent == Path("runs")
    assert choose_folder(tmp_path / "new", "bundled") == tmp_path / "new"
    (tmp_path / "empty").mkdir()
    assert choose_folder(tmp_path / "empty", "bundled") == tmp_path / "empty"
    for name in (".new", "missing/.."):
        with pytest.raises(ConfigError, match="a run's name must not start with a dot"):
            choose_folder(tmp_path / name, "bundled")


@pytest.mark.parametrize("out", [".", "", "../here", "full", "file", "link", "dangling", "/proc"])
def test_a_place_that_is_taken_is_refused(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    if out not in (".", "", "../here"):
        (here / "full/of").mkdir(parents=True)
        (here / "file").touch()
        (here / "link").symlink_to("empty")
        (here / "empty").mkdir()
        (here / "dangling").symlink_to("missing")
    with pytest.raises(ConfigError, match="is there already; choose a new folder"):
        choose_folder(Path(out), "bundled")


def test_an_unknown_interval_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "coefficients.csv").write_text("feature,mean,low,high\nage,1,0,2\ndeck=T,1,,\n")
    wanted = "coefficients.csv", ["feature"], ["mean"]
    table = read_table(tmp_path, *wanted, ["low", "high"])
    assert table["low"].isna().tolist() == [False, True]
    with pytest.raises(DataError, match="line 3, column low: nan is no finite number"):
        read_table(tmp_path, "coefficients.csv", ["feature"], ["mean", "low"])
    (tmp_path / "coefficients.csv").write_text("feature,mean,low,high\nage,1,wide,2\n")
    with pytest.raises(DataError, match="line 2, column low: wide is no finite number"):
        read_table(tmp_path, *wanted, ["low", "high"])


def test_what_is_not_finite_is_null_at_any_depth() -> None:
    value = {"rows": [{"low": math.nan, "mean": 1.0}], "high": (math.inf, 2)}
    assert json.loads(to_json(value)) == {"rows": [{"low": None, "mean": 1.0}], "high": [None, 2]}


@pytest.fixture
def made_from(tmp_path: Path) -> Tables:
    """The tables of the run `tmp_path`, which lie in its folder `tables`."""
    folder = tmp_path / "tables"
    folder.mkdir()
    source = TITANIC.search[-1][1]
    for name in ("train.csv", "test.csv"):
        (folder / name).write_bytes((source / name).read_bytes())
    tables = TITANIC.load(folder)
    for name, text in made_of(Config(), tables, "cpu").items():
        (tmp_path / name).write_text(text)
    summary = {"recommended": "relu", "predictors": ["relu"], "models": {}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    return tables


def test_the_tables_of_a_run_are_read_again(made_from: Tables, tmp_path: Path) -> None:
    assert read_json(tmp_path / "environment.json")["data"]["competition"] == "titanic"
    assert Config.from_toml(tmp_path / "settings.toml") == Config()
    assert read_tables(tmp_path).fingerprint == made_from.fingerprint
    assert read_tables(tmp_path, TITANIC.search[-1][1]).fingerprint == made_from.fingerprint


def test_relative_tables_are_found_from_another_working_directory(
    made_from: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = made_of(Config(), TITANIC.load(Path("tables")), "cpu")["environment.json"]
    (tmp_path / "environment.json").write_text(relative)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert read_tables(tmp_path).fingerprint == made_from.fingerprint


def test_tables_that_are_gone_or_changed_are_named(made_from: Tables, tmp_path: Path) -> None:
    test = made_from.location / "test.csv"
    test.write_bytes(test.read_bytes() + b"\n")
    with pytest.raises(DataError, match=r"are not those of .*; train again, or use --data"):
        read_tables(tmp_path)
    made_from.location.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="are gone; say where with --data"):
        read_tables(tmp_path)


HOSTILE = ["=1+1", "-x", "'=x", "a\rb", 'c"\n,d', "+", ""]


@pytest.mark.parametrize("name", ["importance.csv", "oof.csv"])
def test_text_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"=model": HOSTILE[:-1], "change": [-0.1 * i for i in range(6)]})
    text = to_exact_csv(table) if name == "oof.csv" else to_csv(table)
    write_text(tmp_path / name, text)
    pd.testing.assert_frame_equal(read_table(tmp_path, name, ["=model"], ["change"]), table)


def test_a_table_for_people_has_no_formula(tmp_path: Path) -> None:
    text = to_csv(pd.DataFrame({"feature": HOSTILE, "change": -1.5}))
    cells = [row[0] for row in csv.reader(io.StringIO(text, newline=""))]
    assert cells == ["feature", "'=1+1", "'-x", "''=x", "a\rb", 'c"\n,d', "'+", ""]
    assert all(line.endswith(",-1.5") for line in text.splitlines()[1:3])


@pytest.mark.parametrize("name", ["../../stray", "a/b", ".hidden", "", "a\nb", "\x1b", 1])
def test_a_model_has_a_name_that_a_file_can_have(name: object, tmp_path: Path) -> None:
    summary = {"recommended": "relu", "predictors": ["relu", name], "models": {}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    data = dict.fromkeys(["competition", "source", "train_sha256", "test_sha256", "location"], "")
    (tmp_path / "environment.json").write_text(json.dumps({"data": data, "commit": None}))
    with pytest.raises(DataError, match=r"is no model's name|is no run's folder"):
        read_run(tmp_path)
