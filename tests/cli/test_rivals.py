"""`train --rivals` as a user types it."""

import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from frogs import FROGS, register, write_frogs
from refusals import refused

from titanic_nn.cli.inspect import main as inspect
from titanic_nn.cli.predict import main as predict
from titanic_nn.cli.submit import main as submit
from titanic_nn.cli.train import main
from titanic_nn.competitions.registry import load_config
from titanic_nn.config import RIVALS
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.runs.folder import to_exact_csv

WORDS = ["--competition", FROGS.slug, "--models", "linear", "relu"]
SMALL = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--inner-folds", "2"]
NEEDED = "the rivals are not installed: pip install 'titanic_nn[rivals]'"
PREDICTORS = ["linear", "relu", "ensemble"]


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run of all rivals."""
    for name in RIVALS:
        pytest.importorskip(name, reason=NEEDED)
    folder = tmp_path_factory.mktemp("pond")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        register(patch)
        write_frogs(FROGS.folder)
        main([*WORDS, *SMALL, "--rivals", "--ensemble-rivals", "--out", "runs/all", "--quiet"])
        yield folder


@pytest.fixture
def at_the_pond(pond: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pond)
    register(monkeypatch)


@pytest.mark.usefixtures("at_the_pond")
def test_rivals_are_rows_on_the_same_folds_and_change_no_other_row() -> None:
    config = load_config(Path("runs/all/settings.toml"), rivals=(), ensemble_rivals=False)
    without = compare_models(FROGS.load(), config=config)
    for name in ("metrics", "oof", "test_predictions"):
        plain = pd.read_csv(StringIO(to_exact_csv(getattr(without, name))), dtype=str)
        found = pd.read_csv(f"runs/all/{name}.csv", dtype=str)
        if name == "metrics":
            models = set(found["model"])
            assert models - set(plain["model"]) == {*RIVALS, "ensemble_rivals"}
            of_plain = found[found["model"].isin(plain["model"])].reset_index(drop=True)
            assert found.groupby("model")["fold"].apply(list).map(str).nunique() == 1
        else:
            assert {*RIVALS, "ensemble_rivals"} == {*found} - {*plain}
            of_plain = found[list(plain)]
        pd.testing.assert_frame_equal(of_plain, plain)
    environment = json.loads(Path("runs/all/environment.json").read_text(encoding="utf-8"))
    assert {*RIVALS} < {*environment["libraries"]}


@pytest.mark.usefixtures("at_the_pond")
def test_they_are_never_recommended_saved_or_submitted() -> None:
    summary = json.loads(Path("runs/all/summary.json").read_text(encoding="utf-8"))
    assert summary["predictors"] == PREDICTORS
    assert summary["recommended"] in PREDICTORS
    assert sorted(path.name for path in Path("runs/all/models").iterdir()) == sorted(PREDICTORS)
    submitted = {path.stem for path in Path("submissions").glob("all-*.csv")}
    assert submitted == {f"all-{model}" for model in (*PREDICTORS, "ensemble_rivals")}
    assert [*summary["rivals"]] == [*RIVALS, "ensemble_rivals"]
    seconds = summary["seconds"]
    assert all(seconds[rival] > 0 for rival in RIVALS)
    assert sum(summary["rival_weights"].values()) == pytest.approx(1)
    assert [*summary["rival_weights"]] == ["linear", "relu", *RIVALS]


@pytest.mark.usefixtures("at_the_pond")
def test_the_ensemble_with_them_has_a_submission_and_no_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit(["runs/all", "--model", "ensemble_rivals", "--dry-run"])
    assert "all-ensemble_rivals.csv" in capsys.readouterr().out
    p = pd.read_csv("runs/all/test_predictions.csv")["ensemble_rivals"]
    voices = pd.read_csv("submissions/all-ensemble_rivals.csv")["Voice"]
    assert ((p >= 0.5) == (voices == "croaks")).all()
    said = "--model ensemble_rivals: runs/all has its predictions and submission only"
    words = ["runs/all", "--input", str(FROGS.folder / "test.csv"), "--model", "ensemble_rivals"]
    refused(predict, words, said, capsys)
    refused(submit, ["runs/all", "--model", "xgboost"], "has no such model", capsys)
    inspect(["runs/all"])  # the recommended one


@pytest.mark.usefixtures("at_the_pond")
def test_the_report_has_them() -> None:
    page = Path("runs/all/report.html").read_text(encoding="utf-8")
    for text in (*RIVALS, "ensemble rivals", "Of the rivals", "no model of another library is"):
        assert text in page


@pytest.mark.usefixtures("at_the_pond")
def test_some_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    main([*WORDS[:-1], *SMALL, "--rivals", "lightgbm", "--out", "runs/some"])
    assert "\nlightgbm " in capsys.readouterr().out
    config = load_config(Path("runs/some/settings.toml"))
    assert (config.rivals, config.ensemble_rivals) == (("lightgbm",), False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["xgbost"], "--rivals: there is no rival 'xgbost'; choose from xgboost, lightgbm, "),
        (["xgbost"], "did you mean xgboost?"),
        (["catboost,catboost"], "--rivals: catboost is named 2 times"),
        (["--inner-folds", "0"], "inner_folds = 0: xgboost needs inner folds, on which its "),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main, ["--rivals", *words], said, capsys)


def test_an_ensemble_with_rivals_needs_some(capsys: pytest.CaptureFixture[str]) -> None:
    said = "ensemble_rivals: there are no rivals; choose some with --rivals"
    refused(main, ["--ensemble-rivals"], said, capsys)


def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "lightgbm", None)  # as if it were not installed
    said = "error: lightgbm is not installed: pip install 'titanic_nn[rivals]', or leave it out"
    assert refused(main, ["--rivals", "lightgbm"], said, capsys) == ""
    assert list(tmp_path.iterdir()) == []
