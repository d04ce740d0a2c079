"""The whole way to a score in another competition's format: text ids and labels, other names."""

from pathlib import Path

import pytest
from kaggle_server import KaggleServer
from kaggle_user import User, write_run, zipped
from toy_competition import SUBMISSION, TEST, TOY, TRAIN, register


@pytest.fixture
def toy(user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a run on the toy competition's tables, which have not been downloaded."""
    register(monkeypatch)
    kaggle.competition, kaggle.header = TOY.slug, ["part", "works"]
    kaggle.answers = {"B/1": "no", "B/2": "yes", "B/3": "no"}
    kaggle.archive = zipped({"train.csv": TRAIN, "test.csv": TEST})
    write_run(user.folder / "runs", "toy", "downloaded", TEST, SUBMISSION, competition=TOY.slug)
    return user


def test_its_run_is_sent_as_its_files_are_written(toy: User, kaggle: KaggleServer) -> None:
    assert Path("submissions/toy-relu.csv").read_bytes() == SUBMISSION
    done = toy.call("submit")
    assert "data/kaggle/toy-parts: has no tables of toy-parts" in done.err
    assert "python -m titanic_nn download --competition toy-parts`" in done.err
    done = toy.call("download", "--competition", TOY.slug)
    assert done.code == 0, done.err
    assert "data/kaggle/toy-parts: 4 train and 3 test parts" in done.out
    assert "Next: python -m titanic_nn.train --competition toy-parts" in done.out

    done = toy.call("submit", "toy")
    assert done.code == 0, done.err
    assert "3 parts, 2 predicted as working" in done.out
    # 2 of 3 are right; 1.96 * sqrt(0.66666 * 0.33334 / 3) = 0.533
    assert done.out.splitlines()[-1] == (
        "Submission 1001: public score 0.66666 ± 0.533 (95 %, 3 parts)"
    )
    assert [*kaggle.uploads.values()] == [SUBMISSION]
    assert toy.ledger()[0]["competition"] == TOY.slug


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy", "--competition", "titanic"], "submissions/toy-relu.csv was made for toy-parts"),
        (["a-run", "--competition", "toy-parts"], "a-run-relu.csv was made for titanic"),
        (["--file", "unknown.csv"], "line 1: the column PassengerId is missing"),
        (
            ["--file", "unknown.csv", "--competition", "toy-parts"],
            "line 3, column works: '1' is not accepted; expected no or yes, spelled so",
        ),
    ],
)
def test_a_file_of_one_competition_is_not_sent_to_another(
    toy: User, kaggle: KaggleServer, arguments: list[str], message: str
) -> None:
    toy.call("download", "--competition", TOY.slug)
    kaggle.calls.clear()
    Path("unknown.csv").write_bytes(SUBMISSION.replace(b"B/2,yes", b"B/2,1"))
    done = toy.call("submit", *arguments)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err
    assert kaggle.calls == []


def test_a_file_that_no_run_wrote_names_its_competition(toy: User, kaggle: KaggleServer) -> None:
    toy.call("download", "--competition", TOY.slug)
    Path("mine.csv").write_bytes(SUBMISSION.replace(b"yes", b"no"))
    assert toy.call("submit", "--file", "mine.csv", "--competition", TOY.slug).code == 0
    assert kaggle.submissions[0]["publicScore"] == "0.66666"


def test_ids_and_labels_are_spelled_exactly(toy: User, kaggle: KaggleServer) -> None:
    toy.call("download", "--competition", TOY.slug)
    for bad, message in [
        (SUBMISSION.replace(b"B/2,yes", b"B/2,Yes"), "'Yes' is not accepted"),
        (SUBMISSION.replace(b"B/2", b"b/2"), "b/2 is none of the 3 parts"),
        (SUBMISSION.replace(b"B/2,yes\n", b""), "column part: lacks B/2; expected all 3 parts"),
    ]:
        Path("bad.csv").write_bytes(bad)
        done = toy.call("submit", "--file", "bad.csv", "--competition", TOY.slug)
        assert (done.code, message in done.err) == (2, True), done.err
