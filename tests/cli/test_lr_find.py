"""The learning rate finder as a user types it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frogs import FROGS, register, write_frogs
from refusals import refused

from titanic_nn.analysis.learning_rate import sweep
from titanic_nn.cli.lr_find import main
from titanic_nn.competitions.registry import get_competition
from titanic_nn.engine.device import choose_device
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.evaluation.experiment import Experiment, no_progress
from titanic_nn.nets.registry import NETS

BUNDLED = str(get_competition("titanic").search[-1][1])
QUICK = ["--folds", "2", "--data", BUNDLED]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_suggests_a_rate_for_every_net_and_keeps_those_that_diverge(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*QUICK, "--models", *NETS, "--epochs", "2", "--lowest", "1e-2", "--highest", "1e3"])
    shown = capsys.readouterr().out
    (folder,) = Path("runs").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "settings.toml",
        "environment.json",
        "lr_find.csv",
        "lr_find.json",
        "lr_find.png",
    }
    assert (folder / "lr_find.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((folder / "lr_find.json").read_text(encoding="utf-8"))["models"]
    losses = pd.read_csv(folder / "lr_find.csv")
    assert list(found) == list(NETS)
    for model, one in found.items():
        own = losses[losses["model"] == model]
        assert len(own) == 51 * 2
        assert ((own["diverged"] > 0) == own["training_loss"].isna()).all()
        mean = own.groupby("learning_rate")["training_loss"].mean()
        assert one["lowest_at"] == pytest.approx(mean.idxmin())
        assert one["suggested"] == pytest.approx(mean.idxmin() / 10)
        assert f"{model}: try {one['suggested']:.2g}" in shown
    assert (
        found["relu"]["diverged_from"]
        == losses.query("model == 'relu' and diverged > 0")["learning_rate"].min()
    )


def test_a_loss_is_that_of_nets_trained_with_this_rate_alone() -> None:
    main([*QUICK, "--models", "relu", "--quiet", "--out", "found", "--epochs", "3"])
    losses = pd.read_csv("found/lr_find.csv")
    rate = float(sweep()[30])
    run = Experiment.start(Path(BUNDLED), None, {"folds": 2, "repeats": 1}, no_progress)
    (encoded,) = run.encoders(run.folds).batches()
    net = get_competition("titanic").config().nets["relu"]
    alone = type(net)(**{**vars(net), "learning_rate": rate, "epochs": 3})
    nets = train_nets(
        SplitData(encoded.x, run.tables.y, run.folds),
        Members([alone], 1),
        seed=42,
        device=choose_device("cpu"),
    )
    np.testing.assert_allclose(
        losses.loc[np.isclose(losses["learning_rate"], rate), "training_loss"],
        nets.loss[:, 0, -1, 0],
        rtol=1e-4,
    )


def test_another_competition_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(monkeypatch)
    write_frogs(Path("frogs"))
    words = ["--competition", FROGS.slug, "--data", "frogs", "--models", "linear", "--folds", "2"]
    main([*words, "--out", "first", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == "first"
    assert found["models"]["linear"]["suggested"] > 0


def test_where_the_loss_is_lowest_at_an_end_there_is_no_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*QUICK, "--models", "linear", "--lowest", "1e-5", "--highest", "1e-4"])
    assert "linear: no suggestion. The loss is lowest at 0.0001, an end" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lowest", "1", "--highest", "0.1"], "learning rates from 1 to 0.1: give two positive"),
        (["--lowest", "0"], "learning rates from 0 to 10: give two positive"),
        (["--lowest", "nan"], "learning rates from nan to 10: give two positive"),
        (["--highest", "inf"], "learning rates from 1e-05 to inf: give two positive"),
        (["--lowest", "1e-300"], "are 301 powers of ten: choose 30 at most"),
        (["--highest", "1e31", "--lowest", "1e10"], "learning_rate = 1e+31: "),
        (["--epochs", "0"], "epochs = 0: "),
        (["--epochs", "1000000000"], "would take at least"),
        (
            ["--models", "relu", "--lowest", "1e20", "--highest", "1e21"],
            "relu diverged at every learning rate from 1e+20 on",
        ),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main, [*QUICK, *words], said, capsys)
    assert not Path("runs").exists()
