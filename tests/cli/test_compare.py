"""Runs compared as a user compares them."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from frogs import FROGS, register, write_frogs
from refusals import refused

from titanic_nn.cli.compare import main
from titanic_nn.cli.train import main as train
from titanic_nn.competitions.registry import get_competition
from titanic_nn.evaluation.comparison import comparison_table

BUNDLED = str(get_competition("titanic").search[-1][1])
QUICK = ["--quiet", "--folds", "3", "--repeats", "2", "--n-seeds", "1", "--inner-folds", "0"]
SHORT = "[linear]\nepochs = 1\nlearning_rate = 1e-6\n"  # a net that has learnt nothing


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with runs: `good`, `short` with the same folds, `other` with others."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("short.toml").write_text(SHORT, encoding="utf-8")
        words = [*QUICK, "--data", BUNDLED, "--models", "linear"]
        train([*words, "--out", "runs/good"])
        train([*words, "--out", "runs/short", "--config", "short.toml"])
        train([*words, "--out", "runs/other", "--seed", "7"])
        register(patch)
        write_frogs(folder / "frogs")
        frogs = [*QUICK, "--competition", FROGS.slug, "--data", "frogs"]
        train([*frogs, "--models", "linear", "relu", "--out", "runs/frogs"])
        train([*frogs, "--models", "linear", "--out", "runs/again"])
    return folder


@pytest.fixture(autouse=True)
def _copy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(home / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    register(monkeypatch)


def test_the_better_run_is_first_and_its_lead_is_tested_on_paired_folds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["short", "runs/good"])
    shown = capsys.readouterr().out
    assert shown.index("\ngood ") < shown.index("\nshort ")
    assert "linear.epochs" in shown
    assert "short and good" not in shown
    said = "good and short have the same folds: good is better, by more than luck (posterior 100 %)"
    assert said in shown
    assert "resnet" not in shown  # it was not trained


def test_json_holds_what_comparison_table_finds(capsys: pytest.CaptureFixture[str]) -> None:
    main(["short", "good", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in found["leaderboard"]] == ["good", "short"]
    assert found["differences"]["linear.learning_rate"]["short"] == 1e-6
    assert set(found["differences"]) == {"linear.epochs", "linear.learning_rate"}
    metrics = [
        pd.read_csv(f"runs/{run}/metrics.csv").query("model == 'linear'").assign(model=run)
        for run in ("good", "short")
    ]
    row = comparison_table(pd.concat(metrics)).loc["short"]
    compared = found["comparisons"][0]["models"]["short"]
    assert compared["p_value"] == pytest.approx(row["p_value"])
    assert compared["difference"] == pytest.approx(row["difference"])


def test_where_folds_differ_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["good", "other", "--json"])
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert found["comparisons"] == []
    assert list(found["unpaired"].values()) == [["seed"]]
    assert "cannot be told from these runs: their folds differ (seed)" in output.err
    # The same settings and tables, but other rows in the folds, as another library draws them.
    oof = pd.read_csv("runs/short/oof.csv")
    oof["fold"] = (oof["fold"] + 1) % 3
    oof.to_csv("runs/short/oof.csv", index=False)
    main(["good", "short"])
    assert "their folds differ (rows of the folds)" in capsys.readouterr().out


def test_runs_of_equal_folds_are_compared_beside_others(capsys: pytest.CaptureFixture[str]) -> None:
    main(["other", "short", "good", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["leaderboard"]) == 3
    assert list(found["comparisons"][0]["models"]) == ["good", "short"]


def test_another_competition_and_a_model_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    main(["frogs", "again", "--model", "linear"])
    shown = capsys.readouterr().out
    assert "models" in shown
    assert "relu.epochs" not in shown  # one run alone trains it
    assert "practically equivalent" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good"], "give two runs or more"),
        (["good", "nowhere"], "run nowhere: no such folder"),
        (["good", "runs/good"], "run runs/good: is given twice"),
        (["good", "frogs"], "good is a run of competition titanic, frogs of frogs"),
        (["good", "short", "--model", "relu"], "--model relu: runs/good has no such model"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main, words, said, capsys)


def test_a_spoilt_run_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("runs/short/metrics.csv")
    table = pd.read_csv(path)
    table[table["fold"] > 0].to_csv(path, index=False)
    refused(main, ["good", "short"], "model 'short' has no log_loss for repeat 0, fold 0", capsys)
    table[table["model"] != "linear"].to_csv(path, index=False)
    refused(main, ["good", "short"], "metrics.csv: has no scores of linear", capsys)
