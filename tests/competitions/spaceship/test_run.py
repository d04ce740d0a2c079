"""Spaceship Titanic from its tables to a submission, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from spaceship_tables import passengers, write_spaceship

from titanic_nn import compare_models
from titanic_nn.cli import (
    explain,
    explore,
    importance,
    inspect,
    misclassified,
    predict,
    report,
    submit,
    train,
)
from titanic_nn.competitions.registry import load_config
from titanic_nn.competitions.spaceship.competition import SPACESHIP
from titanic_nn.competitions.spaceship.features import groups
from titanic_nn.evaluation.experiment import Experiment, no_progress

SHIP = ["--competition", "spaceship-titanic"]
SMALL = ["--folds", "3", "--n-seeds", "1", "--inner-folds", "2", "--device", "cpu"]
CONFIG = """
[relu]
epochs = 20
learning_rate = 0.03
hidden_size = 8
[deep]
epochs = 2
hidden_sizes = [8]
"""


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables and a run."""
    folder = tmp_path_factory.mktemp("dock")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_spaceship(SPACESHIP.folder)
        Path("small.toml").write_text(CONFIG)
        options = ["--config", "small.toml", "--models", "relu", "deep", "--out", "runs/first"]
        train.main([*SHIP, *SMALL, *options, "--quiet"])
    return folder


@pytest.fixture(autouse=True)
def _in_the_dock(dock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dock)


def test_the_run_keeps_groups_whole() -> None:
    config = load_config(Path("runs/first/settings.toml"))
    assert (config.group_folds, config.repeats) == (True, 1)
    oof = pd.read_csv("runs/first/oof.csv", dtype={"PassengerId": str})
    folds = oof.groupby(oof["PassengerId"].str[:4])["fold"].nunique()
    assert folds.max() == 1
    assert oof.columns[4] == "cryosleep_rule"


def test_inner_folds_keep_groups_whole_too() -> None:
    from titanic_nn.evaluation.ensembling import inner_splits

    tables = SPACESHIP.load()
    config = load_config(competition="spaceship-titanic", folds=3)
    run = Experiment.start(tables, config, {}, no_progress)
    of_row = groups(tables.train)
    for fold in run.folds:
        for inner in inner_splits(fold, tables.y, config, run.groups):
            assert not set(of_row[inner.train]) & set(of_row[inner.held_out])


def test_a_submission_is_in_the_competitions_format(capsys: pytest.CaptureFixture[str]) -> None:
    submission = pd.read_csv("submissions/first-relu.csv", dtype=str)
    assert submission.columns.tolist() == ["PassengerId", "Transported"]
    assert set(submission["Transported"]) == {"True", "False"}
    submit.main(["runs/first", "--model", "relu", "--dry-run"])
    assert "Competition: spaceship-titanic" in capsys.readouterr().out


@pytest.mark.parametrize("table", ["test", "train"])
def test_a_row_is_explained_with_the_others_of_its_group(table: str) -> None:
    rows = getattr(SPACESHIP.load(), table)
    of_row = pd.Series(groups(rows))
    row = int(of_row.duplicated().to_numpy().argmax())  # the second of a group
    id = rows["PassengerId"].iloc[row]
    explain.main(["runs/first", "--model", "relu", "--id", id])
    lines = pd.read_csv("runs/first/explanation.csv", dtype={"PassengerId": str})
    assert set(lines["PassengerId"]) == {id}
    values = lines.set_index("feature")["value"]
    assert int(values["group_size"]) == (of_row == of_row[row]).sum() > 1
    if table == "test":
        predicted = pd.read_csv("runs/first/test_predictions.csv", dtype={"PassengerId": str})
        log_odds = lines["base"].iloc[0] + lines["contribution"].sum()
        expected = predicted.set_index("PassengerId").loc[id, "relu"]
        assert expit(log_odds) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("find", "write", "message"),
    [
        (",True", ",1", "'1' is not accepted; expected False or True"),
        (",True", ",true", "'true' is not accepted; expected False or True"),
        ("Transported", "Survived", "the column Transported is missing"),
    ],
)
def test_a_wrong_submission_is_refused(
    find: str, write: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("submissions/first-relu.csv").read_text()
    Path("wrong.csv").write_text(text.replace(find, write, 1))
    with pytest.raises(SystemExit, match="2"):
        submit.main([*SHIP, "--dry-run", "--file", "wrong.csv"])
    assert message in capsys.readouterr().err


def test_a_table_is_predicted_with_its_groups_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # As many rows at a time as a part of a table without groups may have.
    monkeypatch.setattr("titanic_nn.cli.predict.ROWS_AT_ONCE", 7)
    test = str(SPACESHIP.folder / "test.csv")
    Path("predicted.csv").unlink(missing_ok=True)
    predict.main(["runs/first", "--model", "deep", "--input", test, "--output", "predicted.csv"])
    found = pd.read_csv("predicted.csv")
    expected = pd.read_csv("runs/first/test_predictions.csv")
    np.testing.assert_allclose(found["probability"], expected["deep"], rtol=0, atol=1e-12)


def test_other_commands_know_it(capsys: pytest.CaptureFixture[str]) -> None:
    report.main(["runs/first"])
    assert "in cryosleep was transported" in Path("runs/first/report.html").read_text("utf-8")
    importance.main(["runs/first", "--permutations", "2", "--models", "relu"])
    explore.main([*SHIP, "--out", "explored"])
    misclassified.main(["runs/first"])
    inspect.main(["runs/first"])
    for part in ("deep.layer0", "deep.frequency0", "deep.w0", "deep.b0"):
        inspect.main(["runs/first", part])
    shown = capsys.readouterr().out
    assert "periodic embedding" in shown
    assert "HomePlanet" in shown or "home planet" in shown


def test_row_wise_folds_flatter_where_groups_share_their_fate() -> None:
    # The label is the group's own, and no feature tells it but the group's number.
    table = passengers(150)
    fate = np.random.default_rng(1).random(10_000) < 0.5
    table["Transported"] = np.where(fate[table["PassengerId"].str[:4].astype(int)], "True", "False")
    table = pd.concat([table, table.assign(PassengerId=table["PassengerId"] + "9")])
    folder = Path("fate")
    write_spaceship(folder)
    table.to_csv(folder / "train.csv", index=False)
    options: dict[str, Any] = {
        "competition": "spaceship-titanic",
        "models": ["relu"],
        "folds": 3,
        "repeats": 1,
    }
    settings: dict[str, Any] = {"n_seeds": 1, "inner_folds": 0, "device": "cpu"}
    losses = {
        whole: compare_models(folder, group_folds=whole, **options, **settings).summary
        for whole in (True, False)
    }
    accuracy = {
        whole: float(found["accuracy"]["gradient_boosting"]) for whole, found in losses.items()
    }
    assert accuracy[False] > accuracy[True] + 0.1
    assert accuracy[True] < 0.6  # nothing can be known of another group


@pytest.mark.parametrize(
    ("find", "write", "complaint"),
    [
        ("0003_01,", "3,", "column PassengerId: '3' is not accepted; expected a group and a"),
        ("0003_01,", "0003-01,", "column PassengerId: '0003-01' is not accepted"),
        ("0003_01,", "0002_01,", "column PassengerId: 0002_01 stands"),
        ("/3/", "/", "column Cabin: 'E/S' is not accepted; expected deck/number/side"),
        (",True,", ",maybe,", "column CryoSleep: 'maybe' is not accepted; expected True, False"),
        (",55,", ",999,", "column Age: '999' is not accepted; expected years from 0 to 120"),
        (",7.0,", ",-3,", "'-3' is not accepted; expected a bill from 0"),
    ],
)
def test_a_mistake_in_a_table_is_one_line(
    tmp_path: Path, find: str, write: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tables"
    write_spaceship(folder, groups=6)
    lines = [
        "0002_01,Earth,False,E/2/S,TRAPPIST-1e,55,False,7.0,0,0,0,0,Ann B,True",
        "0003_01,Mars,True,E/3/S,TRAPPIST-1e,55,False,7.0,0,0,0,0,Ann C,False",
    ]
    header = (folder / "train.csv").read_text().splitlines()[0]
    lines[1] = lines[1].replace(find, write, 1)
    (folder / "train.csv").write_text("\n".join([header, *lines]))
    with pytest.raises(SystemExit, match="2"):
        train.main([*SHIP, "--data", str(folder), "--out", str(tmp_path / "run")])
    message = capsys.readouterr().err
    assert "train.csv, line 3" in message
    assert complaint in message
    assert "\n" not in message.strip()
    assert not (tmp_path / "run").exists()


def test_without_tables_a_line_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        train.main([*SHIP, "--out", "run"])
    assert "download --competition spaceship-titanic" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_manifests_name_the_competition() -> None:
    manifest = json.loads(Path("submissions/first-relu.json").read_text())
    assert manifest["competition"] == "spaceship-titanic"


def test_its_settings_give_way_to_a_file_and_to_an_option() -> None:
    file = Path("settings.toml")
    file.write_text("n_seeds = 2\n[deep]\nepochs = 3\n")
    config = load_config(file, competition="spaceship-titanic", group_folds=False)
    assert (config.group_folds, config.n_seeds, config.repeats) == (False, 2, 1)
    assert (config.nets["deep"].epochs, config.nets["deep"].n_frequencies) == (3, 8)
    assert not load_config().group_folds
