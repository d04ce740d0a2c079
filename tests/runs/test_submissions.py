"""Submissions and their manifests: nothing is overwritten, nothing taken for what it is not."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from frogs import FROGS, SUBMISSION, register
from kaggle_user import write_run

from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.runs.submissions import find_submission, read_submission, write_submissions

SENT = b"PassengerId,Survived\n11,0\n12,1\n13,1\n"
OTHER = b"PassengerId,Survived\n11,1\n12,1\n13,1\n"
RELU = Path("submissions/mine-relu.csv")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names() -> list[str]:
    """The visible files of submissions/."""
    return sorted(p.name for p in Path("submissions").iterdir() if not p.name.startswith("."))


def test_each_predictor_has_a_submission_and_a_manifest(folder: Path) -> None:
    write_run(Path("runs"), "mine", "given", b"the test table", SENT)
    assert names() == ["mine-linear.csv", "mine-linear.json", "mine-relu.csv", "mine-relu.json"]
    assert RELU.read_bytes() == SENT
    manifest = json.loads(RELU.with_suffix(".json").read_text())
    assert manifest == {
        "run": str(folder / "runs/mine"),
        "model": "relu",
        "sha256": hashlib.sha256(SENT).hexdigest(),
        "competition": "titanic",
        "scores": {"log_loss": 0.41234, "accuracy": 0.83},
        "source": "given",
        "train_sha256": "0" * 64,
        "test_sha256": hashlib.sha256(b"the test table").hexdigest(),
        "commit": "c0ffee" * 6,
    }


def test_one_half_is_the_second_class(folder: Path) -> None:
    run = write_run(Path("runs"), "mine", "given", b"", SENT)
    (run / "test_predictions.csv").write_text(
        "PassengerId,relu,linear\n1,0.5,0.49999999999999994\n2,0.0,1.0\n"
    )
    paths = write_submissions(run)
    assert paths["relu"].read_bytes() == b"PassengerId,Survived\n1,1\n2,0\n"
    assert paths["linear"].read_bytes() == b"PassengerId,Survived\n1,0\n2,1\n"


def test_of_two_classes_a_submission_can_hold_the_probability_of_the_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    likely = replace(FROGS, slug="likely-frogs")
    likely = replace(likely, schema=replace(likely.schema, submission="probabilities"))
    monkeypatch.setitem(COMPETITIONS, likely.slug, likely)
    run = write_run(Path("runs"), "mine", "given", b"", SUBMISSION, competition=likely.slug)
    for path in Path("submissions").iterdir():
        path.unlink()
    (run / "test_predictions.csv").write_text("Code,relu,linear\nB/1,0.25,1e-9\nB/2,1,0.125\n")
    paths = write_submissions(run)
    assert paths["relu"].read_bytes() == b"Code,Voice\nB/1,0.25\nB/2,1.0\n"
    assert paths["linear"].read_bytes() == b"Code,Voice\nB/1,1e-09\nB/2,0.125\n"


def test_another_competition_has_its_own_names_and_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    write_run(Path("runs"), "mine", "given", b"", SUBMISSION, competition=FROGS.slug)
    assert RELU.read_bytes() == SUBMISSION
    manifest = read_submission(RELU).manifest
    assert manifest
    assert manifest.competition == FROGS.slug


def test_two_runs_with_one_name_each_find_their_own() -> None:
    one = write_run(Path("runs"), "mine", "given", b"", SENT)
    two = write_run(Path("elsewhere"), "mine", "given", b"", OTHER)
    assert [path.name for path in write_submissions(two).values()] == [
        "mine-2-relu.csv",
        "mine-2-linear.csv",
    ]
    assert find_submission(str(one), None).content == SENT
    assert find_submission(str(two), None).content == OTHER
    assert find_submission(str(one), "linear").path == Path("submissions/mine-linear.csv")
    assert len(names()) == 8


def test_runs_that_finish_at_once_do_not_choose_one_name() -> None:
    def write(number: int) -> Path:
        return write_run(Path(f"parent{number}"), "mine", "given", b"", SENT)

    with ThreadPoolExecutor() as pool:
        runs = [*pool.map(write, range(8))]
    assert len(names()) == 8 * 4
    assert len({find_submission(str(run), None).path for run in runs}) == 8


@pytest.mark.parametrize("name", ["mine-relu.csv", "mine-linear.json"])
def test_what_is_no_file_is_in_the_way_too(name: str) -> None:
    Path("submissions", name).mkdir(parents=True)
    Path("submissions/mine-2-relu.json").symlink_to("missing")
    run = write_run(Path("runs"), "mine", "given", b"", SENT)
    assert write_submissions(run)["relu"] == Path("submissions/mine-3-relu.csv")


def test_a_number_is_taken_for_all_models_of_a_run() -> None:
    Path("submissions").mkdir()
    Path("submissions/mine-linear.csv").write_text("the user's")
    write_run(Path("runs"), "mine", "given", b"", SENT)
    assert Path("submissions/mine-linear.csv").read_text() == "the user's"
    assert names()[:2] == ["mine-2-linear.csv", "mine-2-linear.json"]
    assert "mine-relu.csv" not in names()


def test_what_is_missing_is_written_and_what_is_there_stays() -> None:
    run = write_run(Path("runs"), "mine", "given", b"", SENT)
    before = RELU.stat().st_mtime_ns
    for name in ("mine-linear.csv", "mine-linear.json"):
        Path("submissions", name).unlink()
    assert find_submission("mine", "linear").path == Path("submissions/mine-linear.csv")
    assert (RELU.stat().st_mtime_ns, len(names())) == (before, 4)
    assert write_submissions(run)["relu"] == RELU


def test_a_run_made_anew_under_an_old_name_does_not_find_the_old_submission() -> None:
    run = write_run(Path("runs"), "mine", "given", b"", SENT)
    run.rename("gone")
    write_run(Path("runs"), "mine", "given", b"", OTHER)
    assert find_submission("mine", None).content == OTHER
    assert RELU.read_bytes() == SENT


def test_a_copy_is_known_by_its_contents() -> None:
    write_run(Path("runs"), "mine", "bundled", b"", SENT)
    Path("copy.csv").write_bytes(SENT)
    copy = read_submission(Path("copy.csv"))
    assert copy.manifest
    assert (copy.manifest.model, copy.manifest.source, copy.changed) == ("relu", "bundled", False)
    assert copy.message().startswith("relu: cross-validated log loss 0.41234, accuracy 0.83000, ")


def test_a_changed_file_is_an_unknown_one() -> None:
    write_run(Path("runs"), "mine", "given", b"", SENT)
    RELU.write_bytes(OTHER)
    changed = read_submission(RELU)
    assert (changed.changed, changed.manifest, changed.message()) == (True, None, "mine-relu.csv")
    assert changed.score("log_loss") == ""
    # The run's own is written under another name; the changed file stays.
    found = find_submission("mine", None)
    assert (found.path.name, found.content) == ("mine-2-relu.csv", SENT)
    assert RELU.read_bytes() == OTHER


@pytest.mark.parametrize("manifest", ["", "{}", "[1]", '{"run": 1, "sha256": null}'])
def test_what_is_no_manifest_describes_nothing(manifest: str) -> None:
    Path("mine.csv").write_bytes(SENT)
    Path("mine.json").write_text(manifest)
    unknown = read_submission(Path("mine.csv"))
    assert (unknown.manifest, unknown.changed) == (None, False)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (None, "test_predictions.csv: cannot be read"),
        ("PassengerId,relu\n1,0.5\n", "is not the table that a run writes .'linear'"),
        ("PassengerId,relu,linear\n1,0.5\n", "is not the table that a run writes"),
        ("PassengerId,relu,linear\n1,0.5,nan\n", "nan is no probability"),
        ("PassengerId,relu,linear\n1,0.5,2\n", "2.0 is no probability"),
        ("PassengerId,relu,linear\n1,0.5,high\n", "is not the table that a run writes"),
    ],
)
def test_broken_predictions_are_one_line_and_nothing_is_written(
    predictions: str | None, message: str
) -> None:
    run = write_run(Path("runs"), "mine", "given", b"", SENT)
    before = names()
    path = run / "test_predictions.csv"
    path.unlink() if predictions is None else path.write_text(predictions)
    with pytest.raises(DataError, match=message):
        write_submissions(run)
    assert names() == before


def test_a_model_that_the_run_does_not_have_is_refused() -> None:
    write_run(Path("runs"), "mine", "given", b"", SENT)
    with pytest.raises(ConfigError, match=r"--model a_baseline: .* choose from relu, linear"):
        find_submission(None, "a_baseline")
