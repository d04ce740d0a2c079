"""The command as a user types it."""

import html
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from bad_tables import BAD_TABLES, BadTable, write_good_pair
from refusals import refused
from titanic_tables import bundled

from titanic_nn.__main__ import COMMANDS
from titanic_nn.__main__ import main as titanic_nn
from titanic_nn.cli.importance import main as importance
from titanic_nn.cli.submit import main as submit
from titanic_nn.cli.train import main
from titanic_nn.cli.tune import main as tune
from titanic_nn.competitions.registry import load_config
from titanic_nn.config import Config
from titanic_nn.version import __version__

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--inner-folds", "2"]
FILES = {
    "settings.toml",
    "environment.json",
    "metrics.csv",
    "summary.json",
    "oof.csv",
    "test_predictions.csv",
    "history.csv",
    "hidden_units.csv",
    "models",
    "report.html",
    "play.html",
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of this process run in the user's folder."""
    monkeypatch.chdir(folder)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a user's folder, and give it two minutes."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture(scope="module")
def trained(folder: Path) -> subprocess.CompletedProcess[str]:
    done = python(folder, "-m", "titanic_nn.train", "--out", "runs/mine", *QUICK)
    assert done.returncode == 0, done.stderr
    return done


def test_the_first_line_says_what_was_read(trained: subprocess.CompletedProcess[str]) -> None:
    first = trained.stdout.splitlines()[0]
    assert first == bundled().describe()


def test_the_table_has_every_model_and_the_end_says_where_things_lie(
    trained: subprocess.CompletedProcess[str],
) -> None:
    for model in ["sex_rule", "logistic_regression", "gradient_boosting", *Config.models]:
        assert f"\n{model} " in trained.stdout
    for text in (
        "P(best)",
        "±",
        "runs/mine",
        "\nTo play with:  runs/mine/play.html\n",
        "\nSubmissions, in submissions/\n",
        "offline score\n",
    ):
        assert text in trained.stdout
    for model in Config().predictors:
        assert re.search(
            rf"^mine-{model}\.csv +{model} .*0\.\d{{5}}$", trained.stdout, re.MULTILINE
        )
    assert len(re.findall(r"^mine-\w+\.csv .* yes ", trained.stdout, re.MULTILINE)) == 1
    assert trained.stdout.count("not Kaggle's, and nothing was chosen by it") == 1
    assert "\x1b" not in trained.stdout  # no colours where nobody sees them
    assert trained.stderr == ""


def test_the_results_begin_with_the_reports_first_sentences(
    trained: subprocess.CompletedProcess[str], folder: Path
) -> None:
    summary = json.loads((folder / "runs/mine/summary.json").read_text(encoding="utf-8"))
    _, _, empty, first, second, *_ = trained.stdout.splitlines()
    assert not empty
    assert first.startswith(f"{summary['recommended']} is recommended: on held-out passengers its")
    assert re.fullmatch(r"By log loss .* best of all models with probability \d+ %\.", second)
    page = (folder / "runs/mine/report.html").read_text(encoding="utf-8")
    assert 'href="play.html"' in page
    text = html.unescape(page).replace("\N{NO-BREAK SPACE}", " ")
    assert f"{first} {second}".replace("_", " ") in text


def test_the_run_holds_what_it_was_made_of_and_what_it_found(
    trained: subprocess.CompletedProcess[str], folder: Path
) -> None:
    run = folder / "runs/mine"
    assert {path.name for path in run.iterdir()} == FILES
    config = Config.from_toml(run / "settings.toml")
    assert config == load_config(folds=2, repeats=1, n_seeds=1, inner_folds=2)

    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    metrics = pd.read_csv(run / "metrics.csv")
    relu = metrics.query("model == 'relu'")["log_loss"]
    assert summary["models"]["relu"]["log_loss"]["mean"] == pytest.approx(relu.mean())
    assert summary["recommended"] in config.predictors
    assert set(summary["seconds"]) >= {"read", "encode", *Config.models}

    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    passengers = bundled()
    assert environment["data"]["train_sha256"] == passengers.train_sha256
    assert environment["libraries"]["torch"].startswith("2.")

    oof = pd.read_csv(run / "oof.csv")
    assert len(oof) == 891
    assert {"PassengerId", *Config.models} <= set(oof)


@pytest.mark.parametrize("model", Config.models)
def test_a_submission_is_what_the_probabilities_say(
    trained: subprocess.CompletedProcess[str], folder: Path, model: str
) -> None:
    submission = pd.read_csv(folder / f"submissions/mine-{model}.csv")
    predictions = pd.read_csv(folder / "runs/mine/test_predictions.csv")
    assert list(submission) == ["PassengerId", "Survived"]
    assert submission["PassengerId"].tolist() == list(range(892, 1310))
    assert submission["Survived"].tolist() == (predictions[model] >= 0.5).astype(int).tolist()
    # Kaggle takes integers only: "1.0" would score 0.
    lines = (folder / f"submissions/mine-{model}.csv").read_text().splitlines()
    assert {line.split(",")[1] for line in lines[1:]} == {"0", "1"}


@pytest.mark.usefixtures("trained", "here")
def test_a_second_run_buries_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--out", "runs/mine", *QUICK])
    said = capsys.readouterr().err
    assert said == "error: --out runs/mine: is there already; choose a new folder\n"
    before = (folder / "submissions/mine-linear.csv").read_bytes()
    main(["--out", "other/mine", "--models", "linear", "--seed", "7", *QUICK])
    assert (folder / "submissions/mine-2-linear.csv").is_file()
    assert (folder / "submissions/mine-linear.csv").read_bytes() == before


@pytest.mark.usefixtures("here")
def test_submit_knows_a_bundled_run_wherever_its_folder_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--out", "elsewhere/plain", "--models", "linear", *QUICK])
    for named in (["elsewhere/plain"], ["--file", "submissions/plain-linear.csv"]):
        refused(submit, ["--dry-run", *named], "was made from the bundled table", capsys)


@pytest.mark.usefixtures("trained", "here")  # which another process made
def test_the_settings_of_a_run_make_it_again(folder: Path) -> None:
    main(["--config", "runs/mine/settings.toml", "--out", "again"])
    for name in ("oof.csv", "test_predictions.csv", "metrics.csv", "settings.toml"):
        assert (folder / "again" / name).read_bytes() == (folder / "runs/mine" / name).read_bytes()


@pytest.mark.usefixtures("here")
def test_json_is_all_that_stands_on_stdout(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--models", "linear", *QUICK])
    done = capfd.readouterr()
    summary = json.loads(done.out)
    assert summary["recommended"] == "linear"
    assert (folder / summary["run"] / "summary.json").is_file()
    assert (folder / summary["submissions"]["linear"]).is_file()
    assert "Passengers: 891 train" in done.err


@pytest.mark.usefixtures("here")
def test_quiet_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    main(["--quiet", "--models", "linear", *QUICK])
    assert capfd.readouterr() == ("", "")


def test_help_loads_neither_torch_nor_pandas(folder: Path) -> None:
    script = (
        "import sys, contextlib\n"
        "from titanic_nn.cli.train import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "assert not {'torch', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)\n"
    )
    done = python(folder, "-c", script)
    assert done.returncode == 0, done.stderr
    for option in [
        "data",
        "out",
        "models",
        "folds",
        "repeats",
        "seed",
        "n-seeds",
        "competition",
        "inner-folds",
        "device",
        "config",
        "quiet",
        "json",
    ]:
        assert f"--{option}" in done.stdout


def test_the_package_lists_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["titanic-nn", *arguments])
        titanic_nn()
        return capsys.readouterr().out

    assert printed() == printed("--help")
    assert printed().startswith("usage: titanic-nn NAME [OPTIONS]\n")
    for command, what in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(what)}$", printed(), flags=re.MULTILINE)
    assert max(map(len, printed().splitlines())) <= 80
    assert printed("--version") == f"titanic-nn {__version__}\n"
    for unknown, near in (("tran", "train"), ("learning-curves", "learning_curve")):
        with pytest.raises(SystemExit) as stopped:
            printed(unknown)
        assert stopped.value.code == 2
        why = f"titanic-nn: there is no command '{unknown}'; did you mean {near}?\n"
        assert capsys.readouterr().err == why
    with pytest.raises(SystemExit):
        printed("xyzzy")
    assert capsys.readouterr().err.endswith(f"; choose from: {', '.join(COMMANDS)}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_calls_itself_by_its_name(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        import_module(f"titanic_nn.cli.{command}").main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: titanic-nn {command} ")


@pytest.mark.parametrize("bad", BAD_TABLES, ids=lambda bad: bad.id)
def test_a_bad_table_gets_one_line_and_exit_code_2(
    bad: BadTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_good_pair(data)
    bad.spoil(data)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(data), *QUICK])
    output = capsys.readouterr()
    assert stopped.value.code == 2
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    for fragment in bad.fragments:
        assert fragment in output.err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]  # nothing half-written is left


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folds", "three"], "argument --folds: invalid int value: 'three'"),
        (["--folds", "1"], "error: --folds = 1: input should be greater than or equal to 2\n"),
        (["--inner-folds", "1"], "error: --inner-folds = 1: choose 2 or more, or 0 for none\n"),
        (["--config", "settings.toml", "--folds", "1"], "error: --folds = 1: "),
        (["--competition", "x"], "error: --competition 'x' is not known here"),
        (
            ["--models", "relu,dep"],
            "error: --models: there is no net 'dep'; choose from linear, relu, deep, resnet; "
            "did you mean deep?\n",
        ),
        (["--device", "tpu"], "device = 'tpu'"),
        (["--config", "missing.toml"], "missing.toml: cannot be read"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--folds", "400"], "340 passengers have 1, too few for 400 folds"),
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
    refused(main, arguments, said, capsys)
    assert list(tmp_path.iterdir()) == []


def test_nets_that_diverge_end_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "settings.toml"
    settings.write_text("[relu]\nlearning_rate = 3.0\nweight_decay = 1.0\n", encoding="utf-8")
    arguments = ["--models", "relu", "--config", str(settings), "--out", "run", *QUICK]
    said = "relu diverged: 3 of 3 nets are no longer finite. The first is that of seed 0 on repeat"
    refused(main, arguments, said, capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_training_of_years_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "GiB of memory; this machine has"
    refused(main, ["--n-seeds", "1000000000"], said, capsys)
    refused(importance, ["--repeats", "1000000000"], said, capsys)
    refused(tune, ["--model", "relu", "--repeats", "1000000000"], said, capsys)
    assert not list(tmp_path.iterdir())


def test_a_good_small_table_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_good_pair(tmp_path)
    main(["--data", ".", "--out", "run", *QUICK])
    assert tomllib.loads((tmp_path / "run/settings.toml").read_text())["folds"] == 2
    assert len(pd.read_csv(tmp_path / "submissions/run-relu.csv")) == 2
