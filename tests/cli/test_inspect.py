"""The command as a user types it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forged_models import filled, put, with_number
from refusals import refused
from sklearn.pipeline import make_pipeline

import titanic_nn
from titanic_nn.analysis.net_summary import summarize_net
from titanic_nn.cli import export, predict
from titanic_nn.cli.inspect import main


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run `mine` that holds two nets."""
    home = tmp_path_factory.mktemp("home")
    tables = titanic_nn.load_tables()
    nets = {
        "linear": titanic_nn.LinearClassifier(epochs=1, n_seeds=2, device="cpu"),
        "relu": titanic_nn.ReLUClassifier(hidden_size=8, epochs=1, n_seeds=2, device="cpu"),
    }
    for name, net in nets.items():
        model = make_pipeline(titanic_nn.CompetitionFeatures(), net)
        model.fit(tables.train, tables.y)
        titanic_nn.save(model, home / f"runs/mine/models/{name}")
    (home / "runs/empty").mkdir()
    return home


def output(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> str:
    monkeypatch.chdir(home)
    main(list(arguments))
    return capsys.readouterr().out


def test_all_nets_as_trees(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = output(home, monkeypatch, capsys, "mine")
    assert tree.startswith("linear: ")
    assert "\nrelu: " in tree
    assert "layer2: 8 → 1, log-odds of class survived" in tree
    first = summarize_net(home / "runs/mine/models/relu").layers["layer1"]["w1"][0, 0]
    columns = len(summarize_net(home / "runs/mine/models/relu").features)
    assert f"w1 ({columns} x 8): {first:.3f} " in tree


def test_it_names_the_page_that_draws_the_nets_where_there_is_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "play.html" not in output(home, monkeypatch, capsys, "mine")
    page = home / "runs/mine/play.html"
    page.touch()
    try:
        assert output(home, monkeypatch, capsys, "mine").endswith(f"{page.relative_to(home)}\n")
        assert "play.html" not in output(home, monkeypatch, capsys, "mine", "relu")
    finally:
        page.unlink()


def test_a_layer_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = output(home, monkeypatch, capsys, "mine", "relu.layer2")
    assert "w2 (8 x 1)" in tree
    assert "layer1" not in tree


@pytest.mark.parametrize("which", [1, 2])
def test_a_tensor_by_name_with_the_features_it_weighs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], which: int
) -> None:
    table = output(home, monkeypatch, capsys, "mine", "linear.w", "--net", str(which))
    summary = summarize_net(home / "runs/mine/models/linear", which)
    rows = dict(zip(summary.features, summary.layers["layer1"]["w"][:, 0], strict=True))
    shown = {line[:24].strip(): line.split()[-1] for line in table.splitlines() if line}
    assert shown["sex=female"] == f"{rows['sex=female']:.3f}"
    assert shown["age"] == f"{rows['age']:.3f}"


def test_of_a_wide_tensor_the_first_columns_are_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = output(home, monkeypatch, capsys, "mine", "relu.w1")
    assert "unit 6" in table
    assert "unit 7" not in table
    assert "the first 6 of 8 columns" in table


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["mine", "deep"], "deep: no such model; choose from linear, relu"),
        (["mine", "relu.w3"], "relu.w3: no such part; choose from layer1, layer2, w1, b1, w2, b2"),
        (["mine", "relu", "--net", "3"], "net 3: choose from 1 to 2"),
        (["empty"], "empty: holds no saved models; train again"),
        (["nowhere"], "run nowhere: no such folder"),
        (
            ["relu.w1"],
            "error: run relu.w1: no such folder, here or in runs/; name a run before relu.w1: "
            "`titanic-nn inspect RUN relu.w1`\n",
        ),
        (["mine", "rellu"], "choose from linear, relu; did you mean relu?\n"),
        (["mine", "relu.layer11"], "did you mean layer1?\n"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    error: str,
) -> None:
    with pytest.raises(SystemExit) as stopped:
        output(home, monkeypatch, capsys, *arguments)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (main, ["runs/forged"]),
        (export.main, ["runs/forged/models/relu", "--onnx", "out"]),
        (predict.main, ["runs/forged/models/relu", "--input", "test.csv", "--output", "out"]),
    ],
)
def test_a_forged_model_gets_one_line_from_every_command_that_reads_it(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[list[str]], None],
    arguments: list[str],
) -> None:
    monkeypatch.chdir(home)
    titanic_nn.load_tables().test.to_csv("test.csv", index=False)
    for forge, message in (
        (with_number("w1", np.nan), "model.safetensors: w1 has numbers that are not finite"),
        (put("classifier", "classes", "values", to=[1, 0]), "model.json: classifier.classes: the"),
    ):
        shutil.rmtree("runs/forged", ignore_errors=True)
        shutil.copytree("runs/mine/models/relu", "runs/forged/models/relu")
        forge(Path("runs/forged/models/relu"))
        refused(command, arguments, message, capsys)
        assert not Path("out").exists()


def test_no_prediction_is_written_where_numbers_overflow(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    titanic_nn.load_tables().test.to_csv("test.csv", index=False)
    shutil.copytree("runs/mine/models/relu", "huge")
    filled(3e38)(Path("huge"))
    message = "the model does not predict this table: Row 0 of X holds numbers so large"
    refused(predict.main, ["huge", "--input", "test.csv", "--output", "out"], message, capsys)
    assert not Path("out").exists()
