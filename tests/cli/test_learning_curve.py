"""The command as a user types it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from refusals import refused

from titanic_nn.cli.learning_curve import main
from titanic_nn.config import Config

QUICK = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_shows_the_curve_and_writes_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--out", "curve", "--train-fractions", "0.2", "0.4", "0.6", "1"])
    shown = capsys.readouterr().out
    assert shown.startswith("Passengers: 891 train")
    for text in ("linear      20%", "linear     100%", "learning_curve.csv"):
        assert text in shown
    files = {"settings.toml", "environment.json", "learning_curve.csv", "learning_curve.json"}
    assert {path.name for path in Path("curve").iterdir()} == files
    assert list(pd.read_csv("curve/learning_curve.csv")) == [
        "model",
        "train_fraction",
        "rows",
        "repeat",
        "fold",
        "training_loss",
        "held_out_loss",
        "training_accuracy",
        "held_out_accuracy",
    ]
    found = json.loads(Path("curve/learning_curve.json").read_text(encoding="utf-8"))
    assert found["models"]["linear"]["enough"] in ("yes", "no", "unknown")
    assert found["answer"] in shown
    config = Config.from_toml(Path("curve/settings.toml"))
    assert (config.models, config.folds) == (("linear",), 2)


def test_json_is_all_that_stands_on_stdout_and_quiet_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*QUICK, "--json"])
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert Path(found["folder"], "learning_curve.csv").is_file()
    assert "Passengers: 891 train" in output.err
    main([*QUICK, "--quiet", "--out", "again"])
    assert capsys.readouterr() == ("", "")
    first = Path(found["folder"], "learning_curve.csv").read_bytes()
    assert Path("again/learning_curve.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--train-fractions", "0.1", "0.2", "0.5", "1.5"],
            "train fractions: 1.5 is not above 0 and up to 1",
        ),
        (["--train-fractions", "half"], "argument --train-fractions: invalid float value: 'half'"),
        (["--train-fractions", "0.5", "1"], "train fractions: there are 2; give at least 4"),
        (
            ["--train-fractions", "0.001", "0.2", "0.5", "1"],
            "train fractions: 0.001 leaves 0 training rows",
        ),
        (["--models", "dep"], "'dep'"),
        (["--folds", "1"], "folds = 1"),
        (["--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--out", "."], "--out .: is there already"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").touch()
    refused(main, [*QUICK, *arguments], said, capsys)
    assert [path.name for path in Path().iterdir()] == ["mine"]
