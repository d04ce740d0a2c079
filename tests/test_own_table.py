"""Anyone's own table, from its description to a submission; and all that can be wrong with it."""

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forged_models import put
from own_tables import MESSY, MORE_CLASSES, SMALL, TWO_CLASSES, messy, write_table
from refusals import refused
from sklearn.metrics import log_loss
from titanic_tables import BUNDLED, REPO, bundled

from titanic_nn import CompetitionFeatures
from titanic_nn.analysis.net_summary import summarize_net
from titanic_nn.cli import (
    compare,
    describe,
    diagnose,
    download,
    explore,
    importance,
    inspect,
    misclassified,
    predict,
    submit,
    train,
    tune,
)
from titanic_nn.competitions.own_table.description import Description
from titanic_nn.competitions.registry import find_competition, load_config
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.nets.config import LinearConfig, ReLUConfig

QUICK = "[linear]\nepochs = 40\n[relu]\nepochs = 20\nhidden_size = 16\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("quick.toml").write_text(QUICK)
    return tmp_path


AT_ONCE = ("breast_cancer", "wine")
EACH = [
    name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow)
    for name in (*TWO_CLASSES, *MORE_CLASSES)
]


@pytest.mark.parametrize("name", EACH)
def test_a_table_of_scikit_learn_is_described_and_trained(name: str, home: Path) -> None:
    make = (TWO_CLASSES | MORE_CLASSES)[name]
    write_table(Path("data"), make())
    describe.main(["data/train.csv", "--out", "own.toml"])
    options = ["--competition", "own.toml", "--data", "data", "--config", "quick.toml"]
    train.main([*options, "--models", "linear", "relu", *SMALL, "--out", "runs/a", "--quiet"])
    models = json.loads(Path("runs/a/summary.json").read_text())["models"]
    best = min(models["linear"]["log_loss"]["mean"], models["relu"]["log_loss"]["mean"])
    assert best < 0.95 * models["most_frequent"]["log_loss"]["mean"]
    submission = pd.read_csv("submissions/a-relu.csv", dtype=str)
    test = pd.read_csv("data/test.csv", dtype=str)
    train_labels = set(pd.read_csv("data/train.csv", dtype=str)["target"])
    assert submission.columns.tolist() == ["row", "target"]
    assert submission["row"].tolist() == test["row"].tolist()
    assert set(submission["target"]) <= train_labels


@pytest.mark.parametrize("name", [*TWO_CLASSES, *MORE_CLASSES])
def test_a_description_has_every_label(name: str, home: Path) -> None:
    table = (TWO_CLASSES | MORE_CLASSES)[name]()
    write_table(Path("data"), table)
    describe.main(["data/train.csv", "--out", "own.toml"])
    competition = find_competition("own.toml")
    assert set(competition.schema.labels) == set(table["target"].astype(str))
    assert competition.load(Path("data")).y.max() == table["target"].nunique() - 1


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the messy table and a run on it, whose description has been moved away."""
    folder = tmp_path_factory.mktemp("clinic")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_table(Path("data"), messy(), "ill")
        Path("quick.toml").write_text(QUICK)
        Path("clinic.toml").write_text(MESSY)
        options = ["--competition", "clinic.toml", "--data", "data", "--config", "quick.toml"]
        train.main([*options, "--models", "linear", "relu", *SMALL, "--out", "runs/a", "--quiet"])
        Path("clinic.toml").rename("moved.toml")
    return folder


@pytest.fixture
def at_the_clinic(clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(clinic, tmp_path / "clinic")
    monkeypatch.chdir(tmp_path / "clinic")
    return tmp_path / "clinic"


def test_a_run_holds_the_description(at_the_clinic: Path) -> None:
    settings = tomllib.loads(Path("runs/a/settings.toml").read_text(encoding="utf-8"))
    assert settings["competition"] == {**tomllib.loads(MESSY), "name": "clinic"}
    config = load_config(Path("runs/a/settings.toml"))
    # What was tuned for another competition does not act.
    assert config.nets["relu"] == ReLUConfig(epochs=20, hidden_size=16)
    assert config.nets["linear"] == LinearConfig(epochs=40)


def test_the_defaults_of_a_net_are_those_of_its_class(home: Path) -> None:
    Path("own.toml").write_text(MESSY)
    config = load_config(competition="own.toml")
    assert all(net == type(net)() for net in config.nets.values())
    assert load_config().nets["relu"] != ReLUConfig()


def test_every_question_is_answered_without_the_file(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--models", "linear", "--repeats", "1"]
    importance.main(["runs/a", "--permutations", "1", *quick])
    diagnose.main(["runs/a"])
    misclassified.main(["runs/a"])
    inspect.main(["runs/a", "relu"])
    shown = capsys.readouterr()
    assert "180 train" in shown.out
    assert "log-odds of class ill" in shown.out
    assert shown.err == ""
    importances = pd.read_csv("runs/a/importance.csv")["feature"].tolist()
    for feature in ("income:net", "a_b", "a b 2", "kind", "married", "seen days", "seen missing"):
        assert feature in importances
    found = pd.read_csv("runs/a/misclassified.csv", dtype=str)
    assert found["case no"].str.len().eq(4).all()  # "0007" is no number
    page = Path("runs/a/report.html").read_text(encoding="utf-8")
    assert "every row is of the most frequent class" in page
    assert "clinic: 180 labelled" in page


def test_a_submission_is_checked_without_the_file_and_not_sent(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    submit.main(["runs/a", "--model", "relu", "--dry-run"])
    shown = capsys.readouterr().out
    assert "60 patients" in shown
    assert "Competition: clinic\n" in shown
    submission = pd.read_csv("submissions/a-relu.csv", dtype=str)
    assert submission.columns.tolist() == ["case no", "ill"]
    assert set(submission["ill"]) == {"ja", "nein"}
    test = pd.read_csv("data/test.csv", dtype=str)
    assert submission["case no"].tolist() == test["case no"].tolist()
    wrong = Path("submissions/a-relu.csv").read_text().replace("ja", "yes", 1)
    Path("wrong.csv").write_text(wrong)
    refused(submit.main, ["runs/a"], "error: clinic.toml has no slug, ", capsys)
    message = "error: moved.toml has no slug, the name in the address of a competition at Kaggle"
    refused(submit.main, ["--file", "wrong.csv", "--competition", "moved.toml"], message, capsys)
    message = "wrong.csv: no run wrote it, so its table is not known"
    options = ["--file", "wrong.csv", "--competition", "moved.toml", "--dry-run"]
    refused(submit.main, options, message, capsys)
    refused(download.main, ["--competition", "moved.toml"], "moved.toml has no slug, ", capsys)


def test_a_saved_model_predicts_without_the_file(at_the_clinic: Path) -> None:
    arguments = ["runs/a", "--model", "relu", "--input", "data/test.csv", "--output", "p.csv"]
    predict.main(arguments)
    found = pd.read_csv("p.csv", dtype={"case no": str})
    assert found.columns.tolist() == ["case no", "probability", "ill"]
    expected = pd.read_csv("runs/a/test_predictions.csv")["relu"]
    assert found["probability"].tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_another_description_of_the_same_name_is_another_table(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("clinic.toml").write_text(MESSY.replace('"a b"', "").replace('"note"', '"note", "a b"'))
    options = ["--competition", "clinic.toml", "--models", "linear"]
    message = "runs/a/settings.toml: is for competition clinic (own table, SHA-256 "
    refused(importance.main, ["runs/a", *options], message, capsys)
    trained = ["--data", "data", "--config", "quick.toml", *SMALL]
    train.main([*options, *trained, "--out", "runs/b", "--quiet"])
    message = "compare runs of one competition"
    refused(compare.main, ["runs/a", "runs/b"], message, capsys)
    nets = [summarize_net(Path(f"runs/{run}/models/linear")) for run in "ab"]
    assert ["a b 2" in net.features for net in nets] == [True, False]
    with pytest.raises(SystemExit):
        submit.main(["runs/a", "--dry-run", "--competition", "clinic.toml"])
    assert "was made for clinic (own table" in capsys.readouterr().err
    # Comments, and the order of lines, make no difference.
    Path("clinic.toml").write_text("# mine\n" + "\n".join(reversed(MESSY.strip().splitlines())))
    importance.main(["runs/a", "--permutations", "1", *options])


def test_a_run_is_repeated_from_its_settings(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main(["--config", "runs/a/settings.toml", "--data", "data", "--out", "runs/b", "--quiet"])
    for name in ("metrics.csv", "oof.csv", "test_predictions.csv"):
        first, again = (pd.read_csv(f"runs/{run}/{name}", dtype=str) for run in "ab")
        pd.testing.assert_frame_equal(first, again)
    compare.main(["runs/a", "runs/b"])


def test_an_own_table_is_explored_and_tuned(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--competition", "moved.toml", "--data", "data"]
    explore.main([*options, "--out", "look"])
    assert "income=net" in Path("look/explore.csv").read_text()
    study = ["--model", "linear", "--trials", "2", "--folds", "3", "--repeats", "1", "--quiet"]
    tune.main([*options, *study])
    folder = Path("runs/studies/moved-given-linear")
    best = tomllib.loads((folder / "best.toml").read_text())
    assert best["competition"]["target"] == "ill"
    Path("moved.toml").write_text(MESSY.replace("patient", "person"))
    message = "study moved-given-linear exists, and its competition is moved (own table, SHA-256 "
    refused(tune.main, [*options, *study], message, capsys)


def test_a_folder_that_lacks_a_table_is_one_line(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/test.csv").unlink()
    message = "error: data: has no test.csv; expected a folder with train.csv and test.csv\n"
    refused(train.main, ["--competition", "moved.toml", "--data", "data"], message, capsys)


def test_tables_are_asked_for_where_no_place_is_known(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "moved: say where the table is: --data DIR, a folder with train.csv (with the column"
    for command in (train, explore, importance):
        refused(command.main, ["--competition", "moved.toml"], message, capsys)
    Path("moved.toml").write_text(f'slug = "clinic-visits"\n{MESSY}')
    message = (
        "found no tables: no train.csv, test.csv or clinic-visits.zip in any of "
        "/kaggle/input/competitions/clinic-visits, /kaggle/input/clinic-visits, data/kaggle/"
    )
    refused(train.main, ["--competition", "moved.toml"], message, capsys)


def test_a_transformer_keeps_the_description(home: Path) -> None:
    write_table(Path("data"), messy(), "ill")
    Path("clinic.toml").write_text(MESSY)
    tables = find_competition("clinic.toml").load(Path("data"))
    features = CompetitionFeatures("clinic.toml")
    x = features.fit_transform(tables.train, tables.y)
    Path("clinic.toml").unlink()
    restored = CompetitionFeatures.from_state(json.loads(json.dumps(features.state())))
    assert np.array_equal(restored.transform(tables.train), x)
    assert restored.competition_ == features.competition_


FORGED: dict[str, tuple[Any, str]] = {
    "a path": ("moved.toml", "competition 'moved.toml' is not known here"),
    "a number": (5, "features.competition"),
    "nothing": ({}, "id is missing"),
    "an unknown key": ({**tomllib.loads(MESSY), "code": "x"}, "there is no setting 'code'"),
    "another target": ({**tomllib.loads(MESSY), "target": "kind"}, "'kind' is target and categor"),
    "other columns": ({**tomllib.loads(MESSY), "numbers": ["a_b"]}, "encoder."),
    "more columns": ({**tomllib.loads(MESSY), "numbers": ["a_b", "z"]}, "z is missing"),
    "another kind": (
        {**tomllib.loads(MESSY), "categories": ["married"], "booleans": ["kind"]},
        "encoder.",
    ),
    "a long name": ({**tomllib.loads(MESSY), "groups": "x" * 10**6}, "groups = "),
    "a path as name": ({**tomllib.loads(MESSY), "name": "../x"}, "name = '../x'"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_saved_model_with_another_description_is_refused(
    at_the_clinic: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    to, message = FORGED[what]
    put("features", "competition", to=to)(Path("runs/a/models/relu"))
    options = ["runs/a/models/relu", "--input", "data/test.csv"]
    with pytest.raises(SystemExit):
        predict.main(options)
    error = capsys.readouterr().err
    assert error.startswith("error: runs/a/models/relu/model.json: ")
    assert message in error
    assert error.count("\n") == 1
    assert len(error) < 400


def test_titanic_itself_described(
    home: Path, record_property: Callable[[str, object], None]
) -> None:
    """The generic encoder is far better than the rule, and worse than what was made by hand."""
    Path("ship.toml").write_text(
        """
id = "PassengerId"
target = "Survived"
labels = [0, 1]
numbers = ["Age", "SibSp", "Parch", "Fare"]
categories = ["Pclass", "Sex", "Embarked"]
ignore = ["Name", "Ticket", "Cabin"]
"""
    )
    few: dict[str, Any] = {
        "models": ("linear", "relu"),
        "folds": 5,
        "repeats": 1,
        "n_seeds": 1,
        "inner_folds": 2,
    }
    own = find_competition("ship.toml")
    described = compare_models(own.load(BUNDLED), config=own.config(**few)).summary["log_loss"]
    by_hand = compare_models(bundled(), config=load_config(**few)).summary["log_loss"]
    for name, found in (("described", described), ("by hand", by_hand)):
        record_property(f"log loss, {name}", found.round(4).to_dict())
    assert by_hand["relu"] < described["relu"] < 0.75 * described["most_frequent"]
    assert described["most_frequent"] == pytest.approx(_entropy(bundled().y), abs=0.01)


def _entropy(y: np.ndarray) -> float:
    return float(log_loss(y, np.full(len(y), y.mean())))


# --- What is refused ---


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"a_b"', '"a_c"', "data/train.csv, line 1: the column a_c, which clinic.toml names, is m"),
        ('"a_b"', '"a_b", "note"', "clinic.toml: the column 'note' is numbers and ignore; give it"),
        ('"a_b"', '"a_b", "a_b"', "clinic.toml: the column 'a_b' stands twice in numbers"),
        ('"a_b"', '"a_b", "ill"', "clinic.toml: the column 'ill' is target and numbers"),
        ('"a_b"', '"a_b", "case no"', "clinic.toml: the column 'case no' is id and numbers"),
        ('"a_b"', '"a_b", ""', "clinic.toml: numbers[2] = '': string should have at least 1 char"),
        ('"a_b"', '"a_b", 3', "clinic.toml: numbers[2] = 3: input should be a valid string"),
        ('"household"', '"case no"', "clinic.toml: the column 'case no' is id and groups"),
        ('"household"', '"a_b"', "clinic.toml: the column 'a_b' is groups and numbers"),
        ('id = "case no"', 'id = "ill"', "clinic.toml: the column 'ill' is id and target"),
        ('id = "case no"', 'id = "fold"', "clinic.toml: the column 'fold' (id) has a name that a"),
        ('id = "case no"', "", "clinic.toml: id is missing; a table has id, target and labels"),
        (
            'id = "case no"',
            'id = "kase"',
            "the column kase, which clinic.toml names, is missing",
        ),
        ('"nein", "ja"', '"ja"', "clinic.toml: labels has 1 class; expected two or more"),
        ('"nein", "ja"', '"ja", "ja"', "clinic.toml: labels has 'ja' twice"),
        ('"nein", "ja"', '"", "ja"', "clinic.toml: labels[0] = '': "),
        ('"nein", "ja"', '"NA", "ja"', "clinic.toml: labels has 'NA', which stands for a missing"),
        ('"nein", "ja"', "true, false", "clinic.toml: labels[0] = True: input should be a valid s"),
        (
            '"nein", "ja"',
            str(list(range(1000)))[1:-1],
            "clinic.toml: labels has 1000 classes, at mo",
        ),
        (
            '"nein", "ja"',
            '"no", "ja"',
            "column ill: 'nein' is not accepted; expected no or ja (clin",
        ),
        ('"healthy", ', "", "clinic.toml: class_names has 1 names for 2 labels"),
        (
            "numbers",
            "numbrs",
            "clinic.toml: there is no setting 'numbrs' of a table; did you mean n",
        ),
        ("dates", "text", "clinic.toml: there is no setting 'text' of a table"),
        (
            'row_name = "patient"',
            "row_name = 3",
            "clinic.toml: row_name = 3: input should be a val",
        ),
        ('row_name = "patient"', 'slug = "A b"', "clinic.toml: slug = 'A b': string should match"),
        ('row_name = "patient"', 'submission = "rank"', "clinic.toml: submission = 'rank': input "),
        ('"a_b"', '"a_b"]]', "clinic.toml: is not TOML: "),
        (
            'booleans = ["married"]',
            'booleans = ["kind"]',
            "column kind: 'common' is not accepted; expected true or false, yes or no, 1 or 0, or "
            "nothing (clinic.toml lists the column in booleans)",
        ),
        (
            'categories = ["kind"]\nbooleans = ["married"]',
            'categories = ["married"]\nbooleans = ["note"]',
            "clinic.toml: the column 'note' is booleans and ignore; give it one place",
        ),
        ('"a_b"', '"a_b", "seen"', "clinic.toml: the column 'seen' is numbers and dates"),
    ],
)
def test_a_wrong_description_is_one_line(
    at_the_clinic: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in MESSY
    text = MESSY.replace(old, new)
    if '["kind"]' in new and "kind" in new:
        text = text.replace('categories = ["kind"]', "categories = []")
    Path("clinic.toml").write_text(text)
    before = sorted(Path().rglob("*"))
    options = ["--competition", "clinic.toml", "--data", "data", "--out", "runs/b"]
    refused(train.main, options, message, capsys)
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("case no", "0001", "data/train.csv, line 2, column case no: "),
        ("case no", "", "data/train.csv, line 2, column case no: the value is missing; expected"),
        (
            "ill",
            "perhaps",
            "data/train.csv, line 2, column ill: 'perhaps' is not accepted; expected",
        ),
        (
            "ill",
            "",
            "data/train.csv, line 2, column ill: the value is missing; expected nein or ja",
        ),
        (
            "a_b",
            "much",
            "data/train.csv, line 2, column a_b: 'much' is not accepted; expected a number, or "
            "nothing (clinic.toml lists the column in numbers)",
        ),
        ("a_b", "1e300", "data/train.csv, line 2, column a_b: '1e300' is not accepted"),
        ("married", "maybe", "line 2, column married: 'maybe' is not accepted; expected true or f"),
        (
            "seen",
            "2024-02-30",
            "line 2, column seen: '2024-02-30' is not accepted; expected a date",
        ),
        ("seen", "20240201", "line 2, column seen: '20240201' is not accepted; expected a date li"),
        ("seen", "1.2.2024", "line 2, column seen: '1.2.2024' is not accepted; expected a date li"),
    ],
)
def test_a_wrong_value_is_one_line(
    at_the_clinic: Path,
    column: str,
    value: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("moved.toml").rename("clinic.toml")
    table = pd.read_csv("data/train.csv", dtype=str)
    row = 0
    table.loc[row, column] = value
    table.to_csv("data/train.csv", index=False)
    before = sorted(Path().rglob("*"))
    options = ["--competition", "clinic.toml", "--data", "data", "--out", "runs/b"]
    if (column, value) == ("case no", "0001"):
        message = "data/train.csv, line 3, column case no: 0001 stands twice, first on line 2"
    refused(train.main, options, message, capsys)
    assert sorted(Path().rglob("*")) == before


def test_a_target_of_one_value_is_refused(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv("data/train.csv", dtype=str)
    table.assign(ill="ja").to_csv("data/train.csv", index=False)
    options = ["--competition", "moved.toml", "--data", "data"]
    message = "data/train.csv, column ill: every patient has ja; expected both nein and ja"
    refused(train.main, options, message, capsys)


def test_too_few_groups_for_the_folds_are_refused(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "test"):
        table = pd.read_csv(f"data/{name}.csv", dtype=str)
        table.assign(household=[f"h{i % 2}" for i in range(len(table))]).to_csv(
            f"data/{name}.csv", index=False
        )
    before = sorted(Path().rglob("*"))
    options = ["--competition", "moved.toml", "--data", "data", "--models", "linear", "--quiet"]
    message = "folds = 10: the rows of a class are in 2 groups, which stay whole; choose at most 2"
    refused(train.main, options, message, capsys)
    assert sorted(Path().rglob("*")) == before


def test_columns_that_no_list_names_are_dropped_with_a_note(
    at_the_clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("moved.toml").write_text(MESSY.replace(', "a b"', ""))
    explore.main(["--competition", "moved.toml", "--data", "data", "--out", "look"])
    shown = capsys.readouterr().out
    assert "note: data/train.csv: the extra column 'a b' was dropped" in shown
    assert "'note' was dropped" not in shown


# --- Its page ---


def test_the_page_is_true(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every block of docs/own_table.md, from top to bottom."""
    page = (REPO / "docs/own_table.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    ran = []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page, flags=re.DOTALL):
        if language == "python":
            exec(compile(block, "own_table.md", "exec"), names)
        elif language == "toml":
            assert Path("tumours.toml").read_text(encoding="utf-8") == block
        for command in block.splitlines() if language == "bash" else ():
            _, name, *words = shlex.split(command)
            quick = ["--models", "linear", "--config", "quick.toml", *SMALL, "--quiet"]
            import_module(f"titanic_nn.cli.{name}").main(words + quick * (name == "train"))
            ran.append(name)
    assert ran == ["describe", "train", "predict", "submit"]
    assert names["probabilities"].shape == (119, 2)
    assert len(pd.read_csv("predicted.csv")) == 119
    known = {field.name for field in fields(Description)} - {"name"}
    assert known == {
        name
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
