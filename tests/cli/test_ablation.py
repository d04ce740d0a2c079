"""The command as a user types it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from refusals import refused

from titanic_nn.cli.ablation import main
from titanic_nn.config import Config

QUICK = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1"]
TABLE = ["model", "kind", "feature", "log_loss", "change", "low", "high", "p_helps"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_shows_both_tables_and_writes_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--out", "why"])
    shown = capsys.readouterr().out
    assert shown.startswith("Passengers: 891 train")
    for text in (
        "linear: all features but one, against 0.",
        "\nall of companions ",
        "\ntitle ",
        "linear: one of companions alone, against 0.",
        "Written: why  (ablation.csv, ablation.json)",
    ):
        assert shown.count(text) == 1
    assert shown.count("\nmen_lost ") == 2  # once dropped, once added
    files = {"settings.toml", "environment.json", "ablation.csv", "ablation.json"}
    assert {path.name for path in Path("why").iterdir()} == files
    scores = pd.read_csv("why/ablation.csv", keep_default_na=False)
    assert list(scores) == ["model", "kind", "feature", "repeat", "fold", "log_loss"]
    found = json.loads(Path("why/ablation.json").read_text(encoding="utf-8"))
    assert found["answers"]["linear"] in shown
    table = pd.DataFrame(found["variants"])
    assert list(table) == TABLE
    of_all = scores.loc[scores["kind"] == "all", "log_loss"].mean()
    assert table.loc[table["kind"] == "all", "log_loss"].item() == pytest.approx(of_all)


def test_json_is_all_that_stands_on_stdout_and_quiet_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*QUICK, "--json"])
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert Path(found["folder"], "ablation.csv").is_file()
    assert "Passengers: 891 train" in output.err
    main([*QUICK, "--quiet", "--out", "again"])
    assert capsys.readouterr() == ("", "")
    first = Path(found["folder"], "ablation.csv").read_bytes()
    assert Path("again/ablation.csv").read_bytes() == first


def test_relu_is_the_default() -> None:
    main(["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--quiet", "--out", "why"])
    assert Config.from_toml(Path("why/settings.toml")).models == ("relu",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "dep"], "'dep'"),
        (["--folds", "1"], "folds = 1"),
        (["--n-seeds", "0"], "error: --n-seeds = 0: input"),
        (["--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--config", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["--out", "."], "--out .: is there already"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").touch()
    refused(main, [*QUICK, *arguments], said, capsys)
    assert [path.name for path in Path().iterdir()] == ["mine"]
