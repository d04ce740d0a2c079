"""Runs are found by path, by name, or as the newest; an unfinished one is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from titanic_nn.errors import ConfigError, DataError
from titanic_nn.runs.find import find_run, read_run, saved_model


def write_run(folder: Path, age: int = 0, **more: list[str]) -> Path:
    """A run's two files, finished `age` seconds ago; more: of its summary."""
    folder.mkdir(parents=True)
    summary = {"recommended": "relu", "predictors": ["linear", "relu"], "models": {}, **more}
    data = {"competition": "titanic", "source": "given", "location": "data"}
    hashes = {"train_sha256": "a", "test_sha256": "b"}
    (folder / "summary.json").write_text(json.dumps(summary))
    environment = {"commit": None, "data": data | hashes}
    (folder / "environment.json").write_text(json.dumps(environment))
    os.utime(folder / "summary.json", ns=(0, 10**18 - age * 10**9))
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_newest_finished_run_is_found() -> None:
    with pytest.raises(ConfigError, match=r"no run in runs/: make one with `python -m titanic_nn"):
        find_run(None)
    write_run(Path("runs/old"), age=20)
    write_run(Path("runs/new"), age=10)
    write_run(Path("runs/.half.x1y2"))  # what a kill leaves behind
    Path("runs/a-study").mkdir()
    assert find_run(None) == Path("runs/new")


def test_a_run_is_found_by_path_and_by_name(folder: Path) -> None:
    write_run(Path("runs/one"))
    write_run(Path("elsewhere/two"))
    assert find_run("one") == find_run("runs/one") == Path("runs/one")
    assert find_run(str(folder / "elsewhere/two")) == folder / "elsewhere/two"
    with pytest.raises(ConfigError, match=r"run two: no such folder, here or in runs/"):
        find_run("two")


@pytest.mark.parametrize(
    "named", [".half.x1y2", "runs/.half.x1y2", "runs/.titanic_nn-0a1b/new/mine"]
)
def test_a_hidden_folder_is_no_run(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for half in (".half.x1y2", ".titanic_nn-0a1b/new/mine"):
        write_run(Path("runs", half))
    for find in (find_run, saved_model):
        with pytest.raises(ConfigError, match="is hidden, so it was not finished; train again"):
            find(named)
    with pytest.raises(ConfigError, match="no run in runs/"):
        find_run(None)
    monkeypatch.chdir("runs/.titanic_nn-0a1b/new")
    with pytest.raises(ConfigError, match="is hidden, so it was not finished; train again"):
        find_run("mine")


def test_a_run_is_read() -> None:
    run = read_run(write_run(Path("runs/one")))
    assert (run.name, run.competition, run.recommended) == ("one", "titanic", "relu")
    assert (run.predictors, run.location) == (("linear", "relu"), Path("data"))
    assert (run.choose(None), run.choose("linear")) == ("relu", "linear")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("summary.json", None, "summary.json: cannot be read as a file: No such file"),
        ("summary.json", "{", "summary.json: is not JSON"),
        ("summary.json", "{}", "runs/one: is no run's folder, or an older version's"),
        ("environment.json", "[]", "runs/one: is no run's folder, or an older version's"),
        ("environment.json", '{"data": 1}', "runs/one: is no run's folder, or an older"),
    ],
)
def test_a_broken_run_is_one_line(file: str, content: str | None, message: str) -> None:
    path = write_run(Path("runs/one")) / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_run(Path("runs/one"))


def test_a_saved_model_is_found_in_a_run_or_as_a_folder() -> None:
    run = write_run(Path("runs/one"))
    assert saved_model(None) == saved_model("one") == run / "models/relu"
    assert saved_model("one", "linear") == run / "models/linear"
    with pytest.raises(ConfigError, match=r"--model deep: .* choose from linear, relu"):
        saved_model("one", "deep")

    alone = Path("alone")
    alone.mkdir()
    with pytest.raises(DataError, match=r"alone: is neither a saved model \(model.json\) nor a"):
        saved_model("alone")
    (alone / "model.json").write_text("{}")
    assert saved_model("alone") == alone
    with pytest.raises(ConfigError, match="alone is a single model; leave --model out"):
        saved_model("alone", "relu")


def test_neither_torch_nor_pandas_is_imported() -> None:
    code = "import sys, titanic_nn.runs.find\nprint({'torch', 'pandas'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert told.stdout == "set()\n"


def test_what_is_not_saved_has_no_model() -> None:
    folder = write_run(Path("runs/one"), unsaved=["ensemble_rivals"])
    run = read_run(folder)
    assert run.unsaved == ("ensemble_rivals",)
    assert run.choose("ensemble_rivals") == "ensemble_rivals"
    assert saved_model("one") == folder / "models/relu"
    said = "--model ensemble_rivals: runs/one has its predictions and submission only, since models"
    with pytest.raises(ConfigError, match=f"{said} .*; choose from linear, relu$"):
        saved_model("one", "ensemble_rivals")
    write_run(Path("runs/evil"), unsaved=["../evil"])
    with pytest.raises(DataError, match=r"'\.\./evil' is no model's name"):
        read_run(Path("runs/evil"))
