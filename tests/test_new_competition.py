"""The door for a new competition: every command works for one that the package does not know."""

import json
from pathlib import Path

import pandas as pd
import pytest
from frogs import FROGS, write_frogs

from titanic_nn.cli import (
    ablation,
    diagnose,
    export,
    importance,
    inspect,
    learning_curve,
    misclassified,
    predict,
    report,
    submit,
    train,
    tune,
)
from titanic_nn.competitions.registry import COMPETITIONS, load_config

SMALL = ["--folds", "3", "--repeats", "1", "--n-seeds", "1", "--device", "cpu"]
CONFIG = "[linear]\nepochs = 30\n[relu]\nepochs = 30\nhidden_size = 8\n"


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the competition's tables and a run."""
    folder = tmp_path_factory.mktemp("pond")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(COMPETITIONS, "frogs", FROGS)
        write_frogs(FROGS.folder)
        Path("small.toml").write_text(CONFIG)
        options = ["--competition", "frogs", "--models", "linear", "relu", "--config", "small.toml"]
        train.main([*options, *SMALL, "--out", "runs/first", "--quiet"])
    return folder


@pytest.fixture(autouse=True)
def _at_the_pond(pond: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pond)
    monkeypatch.setitem(COMPETITIONS, "frogs", FROGS)


def test_a_run_has_the_competitions_names() -> None:
    config = load_config(Path("runs/first/settings.toml"))
    assert config.competition == "frogs"
    assert config.nets["relu"].epochs == 30  # no tuned values of another competition
    oof = pd.read_csv("runs/first/oof.csv")
    assert oof.columns[:4].tolist() == ["Code", "label", "repeat", "fold"]
    models = [
        "green_rule",
        "logistic_regression",
        "gradient_boosting",
        "linear",
        "relu",
        "ensemble",
    ]
    assert oof.columns[4:].tolist() == models
    assert set(oof["label"]) == {0, 1}


def test_its_submissions_are_in_its_own_format() -> None:
    test = pd.read_csv(FROGS.folder / "test.csv")
    for model in ("linear", "relu", "ensemble"):
        submission = pd.read_csv(f"submissions/first-{model}.csv")
        assert submission.columns.tolist() == ["Code", "Voice"]
        assert submission["Code"].tolist() == test["Code"].tolist()
        assert set(submission["Voice"]) == {"silent", "croaks"}
        manifest = json.loads(Path(f"submissions/first-{model}.json").read_text())
        assert manifest["competition"] == "frogs"


def test_a_submission_is_checked_and_ready_to_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    submit.main(["runs/first", "--model", "relu", "--dry-run"])
    shown = capsys.readouterr().out
    assert "40 frogs" in shown
    assert "Competition: frogs" in shown


def test_its_report_uses_its_words() -> None:
    report.main(["runs/first"])
    page = Path("runs/first/report.html").read_text(encoding="utf-8")
    assert "frogs" in page
    assert "green frogs croak" in page
    assert "croaking" in page
    assert "passenger" not in page
    assert "surviv" not in page


def test_any_table_is_predicted() -> None:
    table = pd.read_csv(FROGS.folder / "test.csv")
    arguments = ["runs/first", "--model", "relu", "--input", str(FROGS.folder / "test.csv")]
    predict.main([*arguments, "--output", "predicted.csv"])
    found = pd.read_csv("predicted.csv")
    assert found.columns.tolist() == ["Code", "probability", "Voice"]
    assert found["Code"].tolist() == table["Code"].tolist()
    predictions = pd.read_csv("runs/first/test_predictions.csv")
    assert found["probability"].tolist() == pytest.approx(predictions["relu"].tolist(), abs=1e-12)
    submitted = pd.read_csv("submissions/first-relu.csv")
    assert found["Voice"].tolist() == submitted["Voice"].tolist()


def test_questions_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    learning_curve.main(["runs/first", "--train-fractions", "0.3", "0.5", "0.7", "1"])
    importance.main(["runs/first", "--permutations", "2"])
    ablation.main(["runs/first"])
    diagnose.main(["runs/first"])
    misclassified.main(["runs/first"])
    inspect.main(["runs/first"])
    shown = capsys.readouterr().out
    assert "160 train" in shown
    for name in ("learning_curve.csv", "importance.csv", "ablation.csv", "misclassified.csv"):
        assert len(pd.read_csv(f"runs/first/{name}"))
    assert "Code" in pd.read_csv("runs/first/misclassified.csv")
    export.main(["runs/first", "--model", "linear", "--onnx", "linear.onnx"])
    assert Path("linear.onnx").stat().st_size


def test_its_nets_are_tuned(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", "linear", "--competition", "frogs", "--trials", "4", "--batch", "2"]
    tune.main([*options, *SMALL])
    assert "160 train" in capsys.readouterr().out
    (best,) = Path("runs/studies").glob("*/best.toml")
    assert load_config(best, competition="frogs").nets["linear"].epochs in range(20, 121, 20)


def test_an_unknown_competition_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        train.main(["--competition", "toads"])
    assert exit.value.code == 2
    assert "'toads' is not known here; choose from titanic, " in capsys.readouterr().err


def test_folds_of_groups_need_groups(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        train.main(["--competition", "frogs", "--group-folds", "--out", "runs/grouped", *SMALL])
    assert "group_folds = true: frogs has no groups of rows" in capsys.readouterr().err
    assert not Path("runs/grouped").exists()
