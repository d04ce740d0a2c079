"""The command as a user types it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

import titanic_nn
from titanic_nn.errors import StudyError
from titanic_nn.config import MODELS, Config
from titanic_nn.cli.tune import main
from titanic_nn.tuning import results

# Nets of four epochs on two folds: a study takes a second or two.
SPACE = """
[linear]
epochs = 4
[relu]
epochs = 4
hidden = 4
[deep]
epochs = 2
hidden = { choices = [[4, 4], [8]] }
activation = "relu"
"""
QUICK = ["--folds", "2", "--repeats", "2", "--space", "space.toml"]
FILES = {"best.toml", "trials.csv", "summary.json", "history.png", "slices.png", "journal.log"}


@dataclass
class Done:
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "space.toml").write_text(SPACE)
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "titanic_nn.cli.tune", *QUICK, *arguments]


def tune(folder: Path, *arguments: str) -> Done:
    """Run the command in a user's folder."""
    out, error, code = StringIO(), StringIO(), 0
    with chdir(folder), redirect_stdout(out), redirect_stderr(error):
        try:
            main([*QUICK, *arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return Done(code, out.getvalue(), error.getvalue())


@pytest.fixture(scope="module")
def tuned(folder: Path) -> Done:
    done = tune(folder, "--model", "all", "--trials", "12")
    assert done.returncode == 0, done.stderr
    return done


def test_all_nets_are_tuned_one_after_the_other(tuned: Done, folder: Path) -> None:
    assert tuned.stderr == ""
    for model in MODELS:
        assert f"Study bundled-{model}: 0 of 12 trials finished" in tuned.stdout
        study = folder / f"runs/studies/bundled-{model}"
        assert {path.name for path in study.iterdir()} >= FILES
        trials = pd.read_csv(study / "trials.csv")
        assert len(trials) == 12
        best = trials.iloc[0]
        assert best["state"] == "scored"
        assert f"{best['log_loss']:.4f}" in tuned.stdout
        for picture in ("history.png", "slices.png"):
            assert (study / picture).read_bytes().startswith(b"\x89PNG")


def test_both_figures_of_the_winner_are_shown(tuned: Done, folder: Path) -> None:
    summary = json.loads((folder / "runs/studies/bundled-relu/summary.json").read_text())
    for folds in ("searched", "fresh"):
        assert f"{summary['log_loss'][folds]['tuned']:.4f}" in tuned.stdout
    trials = pd.read_csv(folder / "runs/studies/bundled-relu/trials.csv")
    assert summary["log_loss"]["searched"]["tuned"] == pytest.approx(
        trials["log_loss"][0], abs=1e-6
    )
    # By hand: what tuned gains on shipped on the search's folds, less what it gains on fresh ones.
    searched, fresh = summary["log_loss"]["searched"], summary["log_loss"]["fresh"]
    gains = [losses["shipped"] - losses["tuned"] for losses in (searched, fresh)]
    assert summary["optimism"] == pytest.approx(gains[0] - gains[1])
    low, high = (summary["higher_than_tuned"]["shipped"][end] for end in ("low", "high"))
    assert low < gains[1] < high


def test_train_takes_the_winner(tuned: Done, folder: Path) -> None:
    for model in MODELS:
        path = folder / f"runs/studies/bundled-{model}/best.toml"
        config = Config.from_toml(path).net(model)
        chosen = json.loads((path.parent / "summary.json").read_text())["best"]["params"]
        assert config.learning_rate == chosen["learning_rate"]
        assert config.epochs == (2 if model == "deep" else 4)


def test_a_study_goes_on_where_it_stands(tuned: Done, folder: Path) -> None:
    again = tune(folder, "--model", "linear", "--trials", "12")
    assert "Study bundled-linear: 12 of 12 trials finished" in again.stdout
    more = tune(folder, "--model", "linear", "--trials", "15")
    assert "Study bundled-linear: 12 of 15 trials finished" in more.stdout
    trials = pd.read_csv(folder / "runs/studies/bundled-linear/trials.csv")
    assert sorted(trials["number"]) == list(range(15))
    assert trials["learning_rate"].is_unique


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folds", "3"], "its folds is 2, not 3"),
        (["--seed", "1"], "its seed is 42, not 1"),
        (["--space", "other.toml"], "its epochs is 4, not 5"),
    ],
)
def test_another_study_is_refused(
    tuned: Done, folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "other.toml").write_text("[linear]\nepochs = 5\n")
    journal = folder / "runs/studies/bundled-linear/journal.log"
    before = journal.read_bytes()
    done = tune(folder, "--model", "linear", *arguments)
    assert done.returncode == 2
    assert (
        done.stderr == f"error: study bundled-linear is there, and {said}: choose another --study\n"
    )
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "rely"], "invalid choice: 'rely'"),
        ([], "required: --model"),
        (["--model", "relu", "--trials", "0"], "--trials 0: ask for at least 1"),
        (["--model", "relu", "--trials", "-3"], "--trials -3: ask for at least 1"),
        (["--model", "relu", "--batch", "0"], "--batch 0: ask for at least 1"),
        (["--model", "relu", "--timeout", "0"], "--timeout 0.0: give a number of seconds"),
        (["--model", "relu", "--folds", "1"], "folds = 1"),
        (["--model", "relu", "--space", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["--model", "relu", "--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--model", "relu", "--storage", "redis://:pw@127.0.0.1:1"], "redis://:***@127.0.0.1:1"),
        (["--model", "relu", "--device", "tpu"], "device = 'tpu'"),
    ],
)
def test_a_mistake_in_the_command_gets_one_line_and_exit_code_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_is_finished(folder: Path) -> None:
    arguments = ["--model", "linear", "--trials", "100000", "--study", "broken off"]
    with subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        journal = folder / "runs/studies/broken off-linear/journal.log"
        while not (journal.exists() and journal.read_text().count('"values":[')):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    said = re.fullmatch(
        r"interrupted: (\d+) of 100000 trials finished, kept in (.*)\. Go on: (.*)\n", error
    )
    assert said, error
    assert int(said[1]) > 0
    assert said[3].endswith("--study 'broken off'")
    # And it does go on, with nothing left under way.
    more = tune(
        folder, "--model", "linear", "--trials", str(int(said[1]) + 1), "--study", "broken off"
    )
    assert f"{said[1]} of {int(said[1]) + 1} trials finished" in more.stdout
    assert more.returncode == 0


def test_a_time_limit_ends_a_study_early(folder: Path) -> None:
    done = tune(
        folder, "--model", "linear", "--trials", "100000", "--timeout", "0.5", "--study", "t"
    )
    assert done.returncode == 0, done.stderr
    assert "Next: go on with the same command" in done.stdout
    assert 0 < len(pd.read_csv(folder / "runs/studies/t-linear/trials.csv")) < 100000


def test_the_nested_estimate_scores_each_outer_fold_once(folder: Path) -> None:
    arguments = ["--nested", "--trials", "4", "--study", "n", "--repeats", "1"]
    done = tune(folder, "--model", "linear", *arguments)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(folder / "runs/studies/n-linear/nested.csv")
    assert found[["repeat", "fold"]].to_numpy().tolist() == [[0, 0], [0, 1]]
    assert f"log loss {found['tuned'].mean():.4f}" in done.stdout
    assert "shipped settings" in done.stdout


def test_the_winner_becomes_the_default(tmp_path: Path) -> None:
    """In a copy of the package, whose defaults may be changed."""
    package = Path(titanic_nn.__file__).parent
    shutil.copytree(package, tmp_path / "titanic_nn")
    shutil.copytree(package.parent / "data/bundled", tmp_path / "data/bundled")
    (tmp_path / "space.toml").write_text(SPACE)
    before = (tmp_path / "titanic_nn/params/linear.toml").read_text()
    done = subprocess.run(
        command("--model", "linear", "--trials", "3", "--save-defaults"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    after = (tmp_path / "titanic_nn/params/linear.toml").read_text()
    assert after == (tmp_path / "runs/studies/bundled-linear/best.toml").read_text() != before
    chosen = tomllib.loads(after)["linear"]["learning_rate"]
    script = "from titanic_nn import Settings; print(Settings().linear.learning_rate)"
    shown = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert float(shown.stdout) == chosen


def test_a_package_that_may_not_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params").write_text("no folder")
    monkeypatch.setattr(results, "DEFAULTS_DIR", tmp_path / "params")
    with pytest.raises(StudyError, match=r"--save-defaults: .*linear\.toml cannot be written"):
        results.save_defaults("linear", "[linear]\n")


def test_help_loads_neither_torch_nor_optuna(folder: Path) -> None:
    script = (
        "import sys, contextlib\n"
        "from titanic_nn.cli.tune import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "assert not {'torch', 'pandas', 'optuna', 'sqlalchemy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for option in ("model", "trials", "study", "storage", "space", "folds", "repeats", "seed"):
        assert f"--{option}" in done.stdout
