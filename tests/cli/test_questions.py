"""`diagnose`, `misclassified`, `importance` and the like as a user types them, on a real run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from full_disk import full_disk
from refusals import refused

from titanic_nn.cli import (
    ablation,
    diagnose,
    importance,
    learning_curve,
    lr_find,
    misclassified,
    report,
    train,
)
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import Config
from titanic_nn.evaluation.predictions import models_of

BUNDLED = str(get_competition("titanic").search[-1][1])
MODELS = Config().models
QUICK = ["--folds", "2", "--repeats", "2", "--n-seeds", "1"]
RAW = ["Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with one run, `runs/mine`."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("short.toml").write_text("inner_folds = 2\n[deep]\nepochs = 20\n")
        options = ["--config", "short.toml", "--data", BUNDLED, "--out", "runs/mine"]
        train.main([*QUICK, "--quiet", *options])
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that run to spoil, seen from the user's folder."""
    shutil.copytree(home / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return Path("runs/mine")


def test_diagnose_has_a_row_and_a_sentence_for_every_net(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnose.main(["mine"])  # by name, or by path, or the newest
    shown = capsys.readouterr().out
    for model in MODELS:
        assert shown.count(f"\n{model} ") == 1
        assert shown.count(f"\n{model}: ") == 1
    assert "gap" in shown
    diagnose.main([])
    assert capsys.readouterr().out == shown


def test_misclassified_shows_the_rows_that_all_models_misclassify(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    misclassified.main([str(run), "--top", "3"])
    shown = capsys.readouterr().out
    table = pd.read_csv(run / "misclassified.csv")
    models = models_of(pd.read_csv(run / "oof.csv"))
    assert list(table) == ["PassengerId", "label", *models, *RAW]
    wrong = (table[models] >= 0.5).ne(table["label"] == 1, axis=0)
    assert wrong.all().all()
    first = f"All {len(models)} models misclassify {len(table)} of 891 passengers: "
    assert shown.startswith(first)
    assert "in a group with other labelled passengers" in shown
    assert table["Name"][0][:30] in shown
    assert table["Name"][3][:30] not in shown.splitlines()[-1]


def test_where_no_row_is_misclassified_the_report_says_so(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oof = pd.read_csv(run / "oof.csv")
    models = models_of(oof)
    right = np.where(oof[["label"]] == 1, 0.9, 0.1)
    oof.assign(**dict.fromkeys(models, right[:, 0])).to_csv(run / "oof.csv", index=False)
    misclassified.main([str(run)])
    answer = f"All {len(models)} models misclassify 0 of 891 passengers"
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0].startswith(answer), len(lines)] == [True, 4]  # no table; what is written
    assert len(pd.read_csv(run / "misclassified.csv")) == 0
    assert answer in (run / "report.html").read_text(encoding="utf-8")


def test_importance_shows_features_and_weights_and_writes_both(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*QUICK, "--permutations", "2", "--data", BUNDLED]
    importance.main([*arguments, "--models", "linear", "relu", "--out", "why"])
    shown = capsys.readouterr().out
    for text in ("\ntitle ", "\nsex=female ", "largest weights of linear", "coefficients.csv"):
        assert text in shown
    scores = pd.read_csv("why/importance.csv")
    assert list(scores) == [
        "model",
        "feature",
        "repeat",
        "fold",
        "log_loss_increase",
        "accuracy_drop",
    ]
    assert list(pd.read_csv("why/coefficients.csv")) == ["feature", "mean", "sd", "low", "high"]
    importance.main([*arguments, "--models", "relu", "--quiet", "--out", "again"])
    assert capsys.readouterr().out == ""
    assert {path.name for path in Path("again").iterdir()} == {
        "settings.toml",
        "environment.json",
        "importance.csv",
    }


@pytest.mark.parametrize(
    "command", [ablation.main, importance.main, learning_curve.main, lr_find.main]
)
def test_what_is_asked_of_a_run_is_written_beside_its_files(
    command: Callable[[list[str]], None], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    command([str(run), "--models", "linear", "--repeats", "1"])
    assert "1 nets averaged on each" in capsys.readouterr().out  # as in the run
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    added = set(after) - set(before)
    assert added in (
        {"importance.csv", "coefficients.csv"},
        {"learning_curve.csv", "learning_curve.json"},
        {"ablation.csv", "ablation.json"},
        {"lr_find.csv", "lr_find.json", "lr_find.png"},
    )
    # Its report has the answer now, but for what is asked before a run.
    changed = after.pop("report.html") != before.pop("report.html")
    assert changed == ("lr_find.csv" not in added)
    assert all(after[name] == content for name, content in before.items())
    assert not refused(command, [str(run), "--out", "new"], "--out: runs/mine has its own", capsys)
    assert not refused(
        command, [str(run), "--config", "new"], "--config: runs/mine has its own", capsys
    )


@pytest.mark.parametrize(
    "command",
    [ablation.main, diagnose.main, misclassified.main, importance.main, learning_curve.main],
)
def test_a_run_that_is_not_there_gets_one_line(
    command: Callable[[list[str]], None], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not refused(
        command, ["nowhere"], "run nowhere: no such folder, here or in runs/", capsys
    )


@pytest.mark.parametrize("command", [diagnose.main, misclassified.main])
def test_without_any_run_there_is_one_line(
    command: Callable[[list[str]], None], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("runs")
    assert not refused(command, [], "no run in runs/: make one", capsys)


@pytest.mark.parametrize(
    ("command", "name", "content", "said"),
    [
        (diagnose.main, "history.csv", None, "runs/mine/history.csv: cannot be read"),
        (diagnose.main, "metrics.csv", None, "runs/mine/metrics.csv: cannot be read"),
        (diagnose.main, "settings.toml", None, "runs/mine/settings.toml: cannot be read"),
        (diagnose.main, "history.csv", "model\nrelu\n", "history.csv: has no column epoch"),
        (
            diagnose.main,
            "history.csv",
            "model,epoch,training_loss,held_out_loss\nrelu,1,0.5,0.5\n",
            "history.csv: has 1 epochs of relu, too few to see a trend",
        ),
        (misclassified.main, "oof.csv", None, "runs/mine/oof.csv: cannot be read"),
        (
            misclassified.main,
            "oof.csv",
            "PassengerId,label,repeat,fold,relu\n1,0,0,0,likely\n",
            "oof.csv, line 2, column relu: likely is no finite number",
        ),
        (
            misclassified.main,
            "oof.csv",
            "PassengerId,label,repeat,fold,relu\n1,0,0,0,0.5\n",
            "oof.csv: its passengers or labels are not those of train.csv",
        ),
        (misclassified.main, "environment.json", None, "environment.json: cannot be read"),
        (misclassified.main, "environment.json", "{}", "runs/mine: is no run's folder"),
    ],
)
def test_a_broken_run_gets_one_line(
    command: Callable[[list[str]], None],
    name: str,
    content: str | None,
    said: str,
    run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content, encoding="utf-8")
    assert not refused(command, [str(run)], said, capsys)
    assert not (run / "misclassified.csv").exists()


def test_misclassified_shows_at_least_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not refused(
        misclassified.main, [str(run), "--top", "0"], "--top 0: choose 1 or more", capsys
    )


def test_misclassified_needs_the_tables_of_the_run(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(BUNDLED, "tables")
    misclassified.main([str(run), "--data", "tables"])  # moved, but the same
    capsys.readouterr()
    (run / "misclassified.csv").unlink()

    path = run / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    environment["data"]["location"] = "gone"
    path.write_text(json.dumps(environment), encoding="utf-8")
    assert not refused(
        misclassified.main, [str(run)], "gone: the tables of runs/mine are gone", capsys
    )

    changed = pd.read_csv("tables/train.csv").assign(Fare=1.0)
    changed.to_csv("tables/train.csv", index=False)
    said = "tables: the tables are not those of runs/mine"
    assert not refused(misclassified.main, [str(run), "--data", "tables"], said, capsys)
    assert not (run / "misclassified.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--permutations", "0"], "permutations = 0: choose 1 or more"),
        (["--models", "dep"], "'dep'"),
        (["--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--out", "runs"], "--out runs: is there already"),
    ],
)
def test_importance_refuses_mistakes_in_one_line(
    arguments: list[str], said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        importance.main(["--quiet", *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_report_shows_an_importance_of_two_folds(run: Path) -> None:
    importance.main([str(run), "--models", "linear", "--repeats", "1", "--permutations", "1"])
    assert pd.read_csv(run / "coefficients.csv")["low"].isna().any()
    report.main([str(run)])
    assert "Coefficients of the linear net" in (run / "report.html").read_text(encoding="utf-8")


def test_a_run_of_relative_tables_is_asked_from_another_working_directory(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(BUNDLED, "tables")
    quick = ["--models", "linear", *QUICK, "--inner-folds", "2", "--quiet"]
    train.main([*quick, "--data", "tables", "--out", "runs/relative"])
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    misclassified.main(["../runs/relative"])
    importance.main(["../runs/relative", "--permutations", "1"])
    assert (tmp_path / "runs/relative/importance.csv").is_file()
    assert f"given ({tmp_path / 'tables'})" in capsys.readouterr().out


def test_the_place_of_an_answer_is_tried_before_training(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("titanic_nn.analysis.importance.importance", pytest.fail)
    (run / "file").touch()
    for arguments in ([str(run)], ["--out", "new"], ["--out", "runs/mine/file/new"]):
        with full_disk(1000):
            refused(importance.main, ["--quiet", *arguments], "cannot be written: ", capsys)
    assert not Path("new").exists()
