"""The command `tune`, as a user types it."""

import json
import re
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
from refusals import refused

from titanic_nn.cli.tune import main
from titanic_nn.competitions.registry import load_config
from titanic_nn.config import Config
from titanic_nn.tuning.spaces import load_space

MODELS = Config.models

# Nets of four epochs on two folds: a study takes a second or two.
SPACE = """
[linear]
epochs = 4
[relu]
epochs = 4
hidden_size = 4
[deep]
epochs = 2
hidden_sizes = { choices = [[4, 4], [8]] }
activation = "relu"
"""
QUICK = ["--folds", "2", "--repeats", "2", "--space", "space.toml"]
FILES = {"best.toml", "trials.csv", "summary.json", "history.png", "slices.png", "journal.log"}


@dataclass
class Done:
    """A command's output and exit code."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "space.toml").write_text(SPACE)
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "titanic_nn", "tune", *QUICK, *arguments]


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
    done = tune(folder, "--trials", "12")
    assert done.returncode == 0, done.stderr
    return done


def test_all_nets_are_tuned_one_after_the_other(tuned: Done, folder: Path) -> None:
    assert tuned.stderr == ""
    first, second = tuned.stdout.splitlines()[:2]
    assert first == (
        "Tuning the nets that train compares: linear, relu, deep. --model NET tunes one of them."
    )
    assert second.startswith("Passengers: ")
    for model in MODELS:
        assert f"Study titanic-bundled-{model}: 0 of 12 trials finished" in tuned.stdout
        study = folder / f"runs/studies/titanic-bundled-{model}"
        assert {path.name for path in study.iterdir()} >= FILES
        trials = pd.read_csv(study / "trials.csv")
        assert len(trials) == 12
        best = trials.iloc[0]
        assert best["state"] == "complete"
        assert f"{best['log_loss']:.4f}" in tuned.stdout
        for picture in ("history.png", "slices.png"):
            assert (study / picture).read_bytes().startswith(b"\x89PNG")


def test_the_best_settings_are_scored_on_both_kinds_of_folds(tuned: Done, folder: Path) -> None:
    summary = json.loads((folder / "runs/studies/titanic-bundled-relu/summary.json").read_text())
    search, fresh = (summary["log_loss"][folds] for folds in ("search_folds", "fresh_folds"))
    for losses in (search, fresh):
        assert f"{losses['best']:.4f}" in tuned.stdout
    trials = pd.read_csv(folder / "runs/studies/titanic-bundled-relu/trials.csv")
    assert search["best"] == pytest.approx(trials["log_loss"][0], abs=1e-6)
    # By hand: the gain on the search's folds, minus the gain on fresh ones.
    gains = [losses["shipped"] - losses["best"] for losses in (search, fresh)]
    assert summary["optimism"] == pytest.approx(gains[0] - gains[1])
    assert tuned.stdout.count("\nOn the folds of the search, the log loss of the best ") == 3
    low, high = (summary["higher_than_best"]["shipped"][end] for end in ("low", "high"))
    assert low < gains[1] < high


def test_train_uses_the_best_settings(tuned: Done, folder: Path) -> None:
    for model in MODELS:
        path = folder / f"runs/studies/titanic-bundled-{model}/best.toml"
        assert (
            f"Next: python -m titanic_nn.train --config {path.relative_to(folder)}" in tuned.stdout
        )
        best = json.loads((path.parent / "summary.json").read_text())["best"]["params"]
        space = load_space(model, folder / "space.toml")
        assert load_config(path).nets[model] == space.config(best)
        written = tomllib.loads(path.read_text())
        assert written["competition"] == "titanic"
        assert set(written[model]) == {*space.fixed, *space.searched}


def test_a_study_is_continued(tuned: Done, folder: Path) -> None:
    again = tune(folder, "--model", "linear", "--trials", "12")
    assert "Study titanic-bundled-linear: 12 of 12 trials finished" in again.stdout
    more = tune(folder, "--model", "linear", "--trials", "15")
    assert "Study titanic-bundled-linear: 12 of 15 trials finished" in more.stdout
    trials = pd.read_csv(folder / "runs/studies/titanic-bundled-linear/trials.csv")
    assert sorted(trials["number"]) == list(range(15))
    assert trials["learning_rate"].is_unique


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "3"], "its folds is 2, not 3"),
        (["--seed", "1"], "its seed is 42, not 1"),
        (["--space", "other.toml"], "its epochs is 4, not 5"),
    ],
)
def test_another_study_is_refused(
    tuned: Done, folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "other.toml").write_text("[linear]\nepochs = 5\n")
    journal = folder / "runs/studies/titanic-bundled-linear/journal.log"
    before = journal.read_bytes()
    done = tune(folder, "--model", "linear", *arguments)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"error: study titanic-bundled-linear exists, and {message}: choose another --study\n"
    )
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "rely"],
            "error: --model rely: there is no such net; choose from linear, relu, deep, resnet, "
            "all; did you mean relu?\n",
        ),
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
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(main, arguments, message, capsys)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_finished_trials(folder: Path) -> None:
    arguments = ["--model", "linear", "--trials", "100000", "--study", "interrupted one"]
    with subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        journal = folder / "runs/studies/interrupted one-linear/journal.log"
        while not (journal.exists() and journal.read_text().count('"values":[')):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    found = re.fullmatch(
        r"interrupted: (\d+) of 100000 trials finished, kept in (.*)\. To continue: `(.*)`\n", error
    )
    assert found, error
    assert int(found[1]) > 0
    assert found[3].startswith("python -m titanic_nn tune ")
    assert found[3].endswith("--study 'interrupted one'")
    # It can be continued; no trial is left running.
    total = str(int(found[1]) + 1)
    more = tune(folder, "--model", "linear", "--trials", total, "--study", "interrupted one")
    assert f"{found[1]} of {total} trials finished" in more.stdout
    assert more.returncode == 0


def test_a_time_limit_ends_a_study_early(folder: Path) -> None:
    done = tune(
        folder, "--model", "linear", "--trials", "100000", "--timeout", "0.5", "--study", "t"
    )
    assert done.returncode == 0, done.stderr
    assert "Next: continue with the same command" in done.stdout
    assert 0 < len(pd.read_csv(folder / "runs/studies/t-linear/trials.csv")) < 100000


def test_a_study_in_which_every_net_diverges_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    space = tmp_path / "space.toml"
    rates = "learning_rate = { low = 1e20, high = 1e30 }"
    space.write_text(f"[linear]\n{rates}\nepochs = 2\n", encoding="utf-8")
    few = ["--trials", "3", "--batch", "2", "--folds", "2", "--repeats", "1"]
    arguments = ["--model", "linear", "--space", str(space), *few, "--quiet"]
    refused(main, arguments, "each of its 3 trials was pruned, or a net of it diverged", capsys)
    refused(main, [*arguments, "--nested"], "a net diverged in each of the 3 trials", capsys)


def test_the_nested_estimate_scores_each_outer_fold_once(folder: Path) -> None:
    arguments = ["--nested", "--trials", "4", "--study", "n", "--repeats", "1"]
    done = tune(folder, "--model", "linear", *arguments)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(folder / "runs/studies/n-linear/nested.csv")
    assert found[["repeat", "fold"]].to_numpy().tolist() == [[0, 0], [0, 1]]
    assert f"log loss {found['best'].mean():.4f}" in done.stdout
    assert "shipped settings" in done.stdout


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
