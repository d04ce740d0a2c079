"""`explain` and `dependence` as a user types them: one row, a table, a feature, and bad input."""

import io
import json
import sys
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from scipy.special import expit

from titanic_nn import load, load_tables, save
from titanic_nn.analysis.explanation import with_training_labels
from titanic_nn.cli import dependence, misclassified
from titanic_nn.cli.explain import main
from titanic_nn.cli.train import main as train

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "2", "--inner-folds", "2", "--quiet"]
SHORT = "[relu]\nepochs = 10\n[linear]\nepochs = 20\n"
TABLES = load_tables()
TEST, TRAIN = TABLES.test, TABLES.train
ID = "PassengerId"
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("user")
    (path / "short.toml").write_text(SHORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        models = ["--models", "linear", "relu", "--config", "short.toml"]
        train([*models, "--out", "runs/mine", *QUICK])
        misclassified.main(["mine"])
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run with two nets and their ensemble, in the working directory."""
    copytree(trained / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return Path("runs/mine")


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests read the report."""
    monkeypatch.setattr("titanic_nn.report.page.write_report", lambda folder: folder)


def test_a_row_of_the_test_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "ensemble"
    id = int(TEST[ID].iloc[3])
    main(["mine", "--model", model, "--id", str(id)])
    shown = capsys.readouterr().out
    lines = pd.read_csv(run / "explanation.csv")
    assert lines.columns.tolist() == [
        *(ID, "model", "class", "feature", "value", "contribution", "base"),
    ]
    assert (lines[ID] == id).all()
    assert (lines["model"] == model).all()
    assert lines["contribution"].abs().is_monotonic_decreasing
    log_odds = lines["base"].iloc[0] + lines["contribution"].sum()
    predicted = pd.read_csv(run / "test_predictions.csv").set_index(ID)[model]
    assert expit(log_odds) == pytest.approx(predicted[id], abs=1e-6)
    assert f"{model} gives passenger {id} a probability of {100 * predicted[id]:.0f} %" in shown
    largest = lines.iloc[0]
    assert f"{largest['feature']} = {largest['value']} ({largest['contribution']:+.2f})" in shown
    sex = TEST["Sex"].iloc[3]
    assert lines.set_index("feature").loc["sex", "value"] == sex
    assert f"{log_odds:+.3f}" in shown.split("prediction")[1]
    assert "was trained on" not in shown
    assert (run / "explanation.png").read_bytes().startswith(PNG)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert f"{model}: passenger {id}" in page
    assert "What moves the predictions?" in page  # of all rows: not asked yet


@pytest.mark.usefixtures("no_report")
def test_a_training_row_is_explained_without_its_own_label(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A saved model would count it among the labels of the row's group."""
    saved: Any = load(run / "models/linear")
    p = [model.predict_proba(TRAIN)[:, 1] for model in (with_training_labels(saved, TABLES), saved)]
    row = int(np.abs(p[0] - p[1]).argmax())
    id = int(TRAIN[ID].iloc[row])
    main(["mine", "--model", "linear", "--id", str(id)])
    assert "linear was trained on this passenger" in capsys.readouterr().out
    lines = pd.read_csv(run / "explanation.csv")
    explained = expit(lines["base"].iloc[0] + lines["contribution"].sum())
    assert explained == pytest.approx(p[0][row], abs=1e-6)
    assert abs(p[1][row] - explained) > 0.05


def test_all_rows_and_the_hardest_training_rows(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["mine", "--model", "linear"])
    shown = capsys.readouterr().out
    found = pd.read_csv(run / "explanations.csv")
    assert found.columns[:3].tolist() == [ID, "base", "log_odds"]
    np.testing.assert_array_equal(found[ID], TEST[ID])
    contributions = found.iloc[:, 3:]
    np.testing.assert_allclose(found["base"] + contributions.sum(axis=1), found["log_odds"])
    predicted = pd.read_csv(run / "test_predictions.csv")["linear"]
    np.testing.assert_allclose(expit(found["log_odds"]), predicted, atol=1e-6)
    sizes = contributions.abs().mean().sort_values(ascending=False)
    assert f"{sizes.index[0]} ({sizes.iloc[0]:.2f})" in shown
    assert "418 passengers" in shown
    assert (run / "explanations.png").read_bytes().startswith(PNG)

    reasons = pd.read_csv(run / "misclassified_reasons.csv")
    wrong = pd.read_csv(run / "misclassified.csv").head(100)
    assert set(reasons[ID]) == set(wrong[ID])
    assert (reasons.groupby(ID).size() == 3).all()
    page = (run / "report.html").read_text(encoding="utf-8")
    first = wrong.iloc[0]
    of_first = reasons[reasons[ID] == first[ID]].iloc[0]
    name = first["Name"].replace("'", "&#39;")
    told = f"{name}: {of_first['feature']} = {of_first['value']} ({of_first['contribution']:+.2f})"
    assert told.replace("_", " ") in page
    assert "What moves the predictions?" not in page

    main(["mine", "--model", "linear", "--id", str(TEST[ID].iloc[7])])
    one = pd.read_csv(run / "explanation.csv").set_index("feature")["contribution"]
    np.testing.assert_allclose(one, found.iloc[7][one.index].astype(float), rtol=1e-9)


@pytest.mark.usefixtures("no_report")
def test_rows_of_a_file_or_of_standard_input(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    TEST.head(5).to_csv("five.csv", index=False)
    main(["mine", "--model", "linear", "--input", "five.csv"])
    five = pd.read_csv(run / "explanations.csv")
    assert five[ID].tolist() == TEST[ID].head(5).tolist()
    TEST.head(5).drop(columns=ID).to_csv("without.csv", index=False)
    main(["mine", "--model", "linear", "--input", "without.csv"])
    without = pd.read_csv(run / "explanations.csv")
    np.testing.assert_allclose(without, five.drop(columns=ID))
    assert not (run / "explanation.csv").exists()
    # One row alone, which nobody has named.
    one = TEST.iloc[[2]].drop(columns=ID).to_csv(index=False).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(one)))
    capsys.readouterr()
    main(["mine", "--model", "linear", "--input", "-"])
    assert "linear gives passenger of the input a probability" in capsys.readouterr().out
    main(["mine", "--model", "linear", "--input", "five.csv", "--id", str(TEST[ID].iloc[4])])
    lines = pd.read_csv(run / "explanation.csv").set_index("feature")["contribution"]
    np.testing.assert_allclose(lines["sex"], five["sex"].iloc[4])


@pytest.mark.usefixtures("no_report")
def test_the_answer_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["mine", "--model", "linear", "--id", str(TEST[ID].iloc[0]), "--json"])
    found = json.loads(capsys.readouterr().out)
    predicted = pd.read_csv(run / "test_predictions.csv")["linear"].iloc[0]
    total = found["base"]["1"] + sum(line["contribution"] for line in found["contributions"])
    assert expit(total) == pytest.approx(predicted, abs=1e-6)
    assert found["table"] == "test.csv"
    dependence.main(["mine", "sex", "--model", "linear", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [line["value"] for line in found["mean"]] == ["female", "male"]


def test_a_number_s_dependence_has_a_line_for_each_net(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dependence.main(["mine", "age", "--model", "ensemble"])
    shown = capsys.readouterr().out
    found = pd.read_csv(run / "dependence.csv")
    lines = found.groupby(["model", "net"]).size()
    assert lines.index.tolist() == [
        *(("ensemble", "mean"), ("linear", "1"), ("linear", "2"), ("relu", "1"), ("relu", "2")),
    ]
    assert lines.nunique() == 1
    assert found["value"].min() == TRAIN["Age"].min()
    assert found["value"].max() == TRAIN["Age"].max()
    mean = found[found["net"] == "mean"].set_index("value")["probability"]
    assert mean.iloc[0] > mean.iloc[-1] + 0.1  # children were saved first
    assert f"highest, {100 * mean.max():.0f} %, at age = {mean.idxmax():.4g}" in shown
    assert (run / "dependence.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("feature", "values"),
    [("sex", ["female", "male"]), ("alone", ["no", "yes"]), ("class", [1, 2, 3])],
)
def test_a_category_s_and_a_flag_s_dependence_has_a_point_for_each_value(
    run: Path, feature: str, values: list[Any]
) -> None:
    dependence.main(["mine", feature, "--model", "relu"])
    found = pd.read_csv(run / "dependence.csv")
    assert found["value"].unique().tolist() == values
    assert set(found["net"]) == {"1", "2", "mean"}


BAD: dict[str, tuple[list[str], str]] = {
    "an id of nobody": (["mine", "--id", "5000"], "no passenger of test.csv or train.csv has this"),
    "an id that is no number": (["mine", "--id", "five"], "--id five: no passenger"),
    "an empty id": (["mine", "--id", ""], "--id : no passenger"),
    "a model of no run": (["mine", "--model", "rely"], "did you mean relu?"),
    "a run that is not there": (["yours"], "run yours: no such folder"),
    "a saved model": (["mine/models/relu"], "summary.json"),
    "a file that is not there": (["mine", "--input", "none.csv"], "none.csv: cannot be read"),
    "an empty file": (["mine", "--input", "empty.csv"], "empty.csv: is empty"),
    "a file without a column": (["mine", "--input", "lacks.csv"], "Sex"),
    "a bad value": (["mine", "--input", "bad.csv"], "bad.csv, line 2, column Pclass"),
    "an id of a file without ids": (
        ["mine", "--input", "ids.csv", "--id", "892"],
        "ids.csv has no column PassengerId; leave --id out",
    ),
    "an id that a file lacks": (
        ["mine", "--input", "one.csv", "--id", "5"],
        "no passenger of one.csv has this PassengerId",
    ),
    "tables that are gone": (["mine", "--data", "nowhere"], "nowhere: the tables of runs/mine"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(run: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.csv").write_text("")
    TEST.head(3).drop(columns="Sex").to_csv("lacks.csv", index=False)
    TEST.head(3).assign(Pclass=9).to_csv("bad.csv", index=False)
    TEST.head(3).drop(columns=ID).to_csv("ids.csv", index=False)
    TEST.head(1).to_csv("one.csv", index=False)
    before = sorted(run.iterdir())
    arguments, message = BAD[case]
    refused(main, arguments, message, capsys)
    assert sorted(run.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine", "aeg"], "aeg: no such feature; choose from title, sex"),
        (["mine", "aeg"], "did you mean age?"),
        (["mine"], "no feature: write one behind the run; choose from title"),
        (["mine", ""], "no such feature"),
        (["mine", "age", "--model", "none"], "--model none"),
        (["none", "age"], "run none: no such folder"),
    ],
)
def test_a_feature_that_cannot_be_varied_is_one_line(
    run: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(run.iterdir())
    refused(dependence.main, arguments, message, capsys)
    assert sorted(run.iterdir()) == before


def test_a_model_whose_nets_overflow_is_one_line(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model: Any = load(run / "models/linear")
    model[-1].params_["w"][:] = 3e38
    for file in (run / "models/linear").iterdir():
        file.unlink()
    save(model, run / "models/linear")
    for command, words in ((main, ["--id", "892"]), (dependence.main, ["age"])):
        words = ["mine", *words, "--model", "linear"]
        refused(command, words, "overflow", capsys)


def test_files_that_were_changed_are_one_line(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report reads them back."""
    main(["mine", "--model", "linear", "--id", str(TEST[ID].iloc[0])])
    text = (run / "explanation.csv").read_text()
    (run / "explanation.csv").write_text(text.replace("contribution", "weight"))
    refused(misclassified.main, ["mine"], "explanation.csv: has no column contribution", capsys)
