"""The command as a user types it: a table in, the run's own predictions out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from refusals import refused
from sklearn.datasets import load_iris

from titanic_nn import LinearClassifier, load, load_tables, save
from titanic_nn.cli.predict import main
from titanic_nn.cli.train import main as train

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "2", "--inner-folds", "2", "--quiet"]
SHORT = "[deep]\nepochs = 10\n"
TABLES = load_tables()
TEST = TABLES.location / "test.csv"


def python(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a run in it, and one whose groups are counted among all known rows."""
    path = tmp_path_factory.mktemp("user")
    (path / "mine.toml").write_text(SHORT)
    (path / "known.toml").write_text('[features]\ncount_groups_among = "known"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        for name, more in (("mine", []), ("known", ["--models", "linear"])):
            train(["--config", f"{name}.toml", "--out", f"runs/{name}", *QUICK, *more])
    return path


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return tmp_path


def predict(run: str, table: Path, out: Path, *model: str) -> pd.DataFrame:
    main([run, *model, "--input", str(table), "--output", str(out)])
    return pd.read_csv(out, dtype=str)


@pytest.mark.parametrize("model", ["linear", "relu", "deep", "ensemble"])
def test_the_run_s_own_predictions_to_the_last_bit(here: Path, model: str) -> None:
    found = predict("mine", TEST, here / "out.csv", "--model", model)
    folder = predict(f"runs/mine/models/{model}", TEST, here / "folder.csv")
    assert folder.equals(found)
    own = pd.read_csv("runs/mine/test_predictions.csv", dtype=str)
    submission = pd.read_csv(f"submissions/mine-{model}.csv", dtype=str)
    assert found["PassengerId"].tolist() == own["PassengerId"].tolist()
    assert found["probability"].tolist() == own[model].tolist()
    assert found["Survived"].tolist() == submission["Survived"].tolist()


def test_it_does_without_scikit_learn(here: Path) -> None:
    out = here / "out.csv"
    words = ["mine", "--model", "ensemble", "--input", str(TEST), "--output", str(out)]
    without = "import sys; sys.modules['sklearn'] = None; from titanic_nn.cli.predict import main"
    subprocess.run([sys.executable, "-c", f"{without}; main({words!r})"], check=True, timeout=120)
    own = pd.read_csv("runs/mine/test_predictions.csv", dtype=str)
    assert pd.read_csv(out, dtype=str)["probability"].tolist() == own["ensemble"].tolist()


def test_a_run_predicts_by_its_recommended_model(here: Path) -> None:
    found = predict("mine", TEST, here / "out.csv")
    recommended = json.loads(Path("runs/mine/summary.json").read_text())["recommended"]
    own = pd.read_csv("runs/mine/test_predictions.csv", dtype=str)
    assert found["probability"].tolist() == own[recommended].tolist()


def test_known_rows_are_recognized(here: Path) -> None:
    found = predict("runs/known", TEST, here / "out.csv")
    own = pd.read_csv("runs/known/test_predictions.csv", dtype=str)
    assert found["probability"].tolist() == own["linear"].tolist()


def test_neither_order_nor_parts_nor_ids_matter(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict("mine", TEST, here / "whole.csv")
    table = pd.read_csv(TEST, dtype=str, keep_default_na=False)
    shuffled = table.sample(frac=1, random_state=0).assign(Survived="1")  # not looked at
    columns = ["Survived", *reversed(table.columns)]
    shuffled[columns].to_csv(here / "shuffled.csv", index=False, lineterminator="\r\n")
    monkeypatch.setattr("titanic_nn.cli.predict.ROWS_AT_ONCE", 60)
    found = predict("mine", here / "shuffled.csv", here / "out.csv").set_index("PassengerId")
    assert found.sort_index().equals(whole.set_index("PassengerId").sort_index())
    table.drop(columns="PassengerId").to_csv(here / "anonymous.csv", index=False)
    anonymous = predict("mine", here / "anonymous.csv", here / "anonymous-out.csv")
    assert list(anonymous) == ["probability", "Survived"]
    assert anonymous["probability"].tolist() == whole["probability"].tolist()


def test_standard_input_and_output(
    here: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["titanic_nn", "predict", "mine", "--input", "-"]
    done = python(folder, *arguments, given=TEST.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"PassengerId,probability,Survived\n892,0.")
    assert done.stdout.count(b"\n") == 419
    bad = here / "bad.csv"
    bad.write_bytes(TEST.read_bytes().replace(b",female,", b",woman,", 1))
    with bad.open(encoding="utf-8") as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        said = "error: standard input, line 2, column Sex: 'woman' is not acc"
        assert refused(main, ["mine", "--input", "-"], said, capsys) == ""


LINES = TEST.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([*LINES[:300], LINES[300].replace("male", "man")], "line 301, column Sex"),
        (
            [*LINES[:300], LINES[5]],
            "line 301, column PassengerId: 896 stands twice, first on line",
        ),
        ([*LINES[:3], "", *LINES[3:250], "1,2,3"], "line 252: the record that begins with '1' has"),
        ([*LINES[:200], '950,3,"Open, Mr. A'], "line 201: not valid CSV"),
        ([*LINES[:200], LINES[200].replace("S", "S\0")], "line 201: holds a NUL byte"),
        (LINES[:1], "has a header but no rows"),
        ([], "is empty"),
        ([LINES[0].replace("Ticket", "Tickets"), *LINES[1:]], "column Ticket is missing; rename"),
    ],
)
def test_a_bad_row_is_named_wherever_it_is(
    here: Path,
    lines: list[str],
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("titanic_nn.cli.predict.ROWS_AT_ONCE", 50)
    table = here / "bad.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["mine", "--input", str(table), "--output", str(here / "out.csv")])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert error in message
    assert message.startswith(f"error: {table}")
    assert message.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["bad.csv"]  # nothing half-written is left


def test_names_of_two_lines_in_any_parts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.read_csv(TEST, dtype=str, keep_default_na=False)[:50]
    table["Name"] = table["Name"].str.replace(", ", ',\n"the" ', n=1)
    table.to_csv(here / "two.csv", index=False)
    whole = predict("mine", here / "two.csv", here / "whole.csv")
    monkeypatch.setattr("titanic_nn.cli.predict.ROWS_AT_ONCE", 3)
    assert predict("mine", here / "two.csv", here / "parts.csv").equals(whole)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"run": "nowhere"}, "run nowhere: no such folder"),
        ({"run": "submissions"}, "submissions: is neither a saved model"),
        ({"--input": "nowhere.csv"}, "nowhere.csv: cannot be read as a file"),
        ({"--output": "known.toml"}, "--output known.toml: is there already"),
    ],
)
def test_a_mistake_in_the_command(
    here: Path, changes: dict[str, str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"run": "mine", "--input": str(TEST)} | changes
    run = options.pop("run")
    with pytest.raises(SystemExit) as stopped:
        main([run, *(part for pair in options.items() for part in pair)])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert error in message
    assert message.count("\n") == 1


def test_a_model_of_other_tables_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(LinearClassifier(epochs=1).fit(*load_iris(return_X_y=True)), here / "iris")
    with pytest.raises(SystemExit):
        main([str(here / "iris"), "--input", str(TEST)])
    assert "does not read a competition's table" in capsys.readouterr().err


def test_every_model_of_a_run_can_be_loaded(here: Path) -> None:
    for name in ("linear", "relu", "deep", "ensemble"):
        model: Any = load(f"runs/mine/models/{name}")
        assert model.predict(TABLES.test).shape == (418,)
