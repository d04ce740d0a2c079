"""The whole way to a score in another competition's format: text ids and labels, other names."""

from pathlib import Path

import pytest
from frogs import FROGS, SUBMISSION, TEST, TRAIN, register
from kaggle_server import KaggleServer
from kaggle_user import User, write_run, zipped


@pytest.fixture
def frog_user(user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a run on the other competition's tables, which have not been downloaded."""
    register(monkeypatch)
    kaggle.competition, kaggle.header = FROGS.slug, ["Code", "Voice"]
    kaggle.answers = {"B/1": "silent", "B/2": "croaks", "B/3": "silent"}
    kaggle.archive = zipped({"train.csv": TRAIN, "test.csv": TEST})
    write_run(user.folder / "runs", "pond", "downloaded", TEST, SUBMISSION, competition=FROGS.slug)
    return user


def test_its_run_is_sent_as_its_files_are_written(frog_user: User, kaggle: KaggleServer) -> None:
    assert Path("submissions/pond-relu.csv").read_bytes() == SUBMISSION
    done = frog_user.call("submit")
    assert "data/kaggle/frogs: has no tables of frogs" in done.err
    assert "python -m titanic_nn download --competition frogs`" in done.err
    done = frog_user.call("download", "--competition", FROGS.slug)
    assert done.code == 0, done.err
    assert "data/kaggle/frogs: 4 train and 3 test frogs" in done.out
    assert "Next: python -m titanic_nn.train --competition frogs" in done.out

    done = frog_user.call("submit", "pond")
    assert done.code == 0, done.err
    assert "3 frogs, 2 predicted as croaking" in done.out
    # 2 of 3 are right; 1.96 * sqrt(0.66666 * 0.33334 / 3) = 0.533
    assert done.out.splitlines()[-1] == (
        "Submission 1001: public score 0.66666 ± 0.533 (95 %, 3 frogs): above the green rule (0.6)"
    )
    assert [*kaggle.uploads.values()] == [SUBMISSION]
    assert frog_user.ledger()[0]["competition"] == FROGS.slug


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pond", "--competition", "titanic"], "submissions/pond-relu.csv was made for frogs"),
        (["a-run", "--competition", "frogs"], "a-run-relu.csv was made for titanic"),
        (["--file", "unknown.csv"], "line 1: the column PassengerId is missing"),
        (
            ["--file", "unknown.csv", "--competition", "frogs"],
            "line 3, column Voice: '1' is not accepted; expected silent or croaks, spelled so",
        ),
    ],
)
def test_a_file_of_one_competition_is_not_sent_to_another(
    frog_user: User, kaggle: KaggleServer, arguments: list[str], message: str
) -> None:
    frog_user.call("download", "--competition", FROGS.slug)
    kaggle.calls.clear()
    Path("unknown.csv").write_bytes(SUBMISSION.replace(b"B/2,croaks", b"B/2,1"))
    done = frog_user.call("submit", *arguments)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err
    assert kaggle.calls == []


def test_a_file_that_no_run_wrote_names_its_competition(
    frog_user: User, kaggle: KaggleServer
) -> None:
    frog_user.call("download", "--competition", FROGS.slug)
    Path("mine.csv").write_bytes(SUBMISSION.replace(b"croaks", b"silent"))
    assert frog_user.call("submit", "--file", "mine.csv", "--competition", FROGS.slug).code == 0
    assert kaggle.submissions[0]["publicScore"] == "0.66666"


def test_ids_and_labels_are_spelled_exactly(frog_user: User, kaggle: KaggleServer) -> None:
    frog_user.call("download", "--competition", FROGS.slug)
    for bad, message in [
        (SUBMISSION.replace(b"B/2,croaks", b"B/2,Croaks"), "'Croaks' is not accepted"),
        (SUBMISSION.replace(b"B/2", b"b/2"), "b/2 is none of the 3 frogs"),
        (SUBMISSION.replace(b"B/2,croaks\n", b""), "column Code: lacks B/2; expected all 3 frogs"),
    ]:
        Path("bad.csv").write_bytes(bad)
        done = frog_user.call("submit", "--file", "bad.csv", "--competition", FROGS.slug)
        assert (done.code, message in done.err) == (2, True), done.err
