"""`download`: a good copy, or what was there before."""

from pathlib import Path

import pytest
from kaggle_server import (
    Fault,
    KaggleServer,
    Reply,
    answers,
    cuts_body,
    fails,
    halves_file,
    resets,
    stalls,
    stays_silent,
)
from kaggle_user import KaggleTables, User, no_secret_in, write_tables, zipped

from titanic_nn.competitions.registry import load_tables

FOLDER = Path("data/kaggle/titanic")
WEB_PAGE = Reply(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})


def nothing_is_beside() -> bool:
    return {path.name for path in FOLDER.parent.iterdir()} == {"titanic", ".titanic.lock"}


@pytest.fixture
def reader(user: User) -> User:
    """A user with a key who has downloaded nothing yet."""
    for path in FOLDER.iterdir():
        path.unlink()
    FOLDER.rmdir()
    return user


def test_the_tables_are_put_where_train_looks(reader: User, kaggle: KaggleServer) -> None:
    done = reader.call("download")
    assert (done.code, done.err) == (0, "")
    assert "data/kaggle/titanic: 891 train and 418 test passengers" in done.out
    assert load_tables().source == "downloaded"
    assert sorted(path.name for path in FOLDER.iterdir()) == ["test.csv", "train.csv"]
    assert nothing_is_beside()


def test_good_tables_are_kept_unless_forced(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    assert "has good tables already; --force" in user.call("download").out
    assert kaggle.calls == []
    kaggle.archive = zipped({"train.csv": tables.train, "test.csv": tables.test + b"\n"})
    assert user.call("download", "--force").code == 0
    assert (FOLDER / "test.csv").read_bytes() == tables.test + b"\n"


def test_damaged_tables_are_fetched_again(user: User, tables: KaggleTables) -> None:
    (FOLDER / "train.csv").write_bytes(tables.train[:1000])
    assert user.call("download").code == 0
    assert (FOLDER / "train.csv").read_bytes() == tables.train


def test_other_files_of_the_user_stay(user: User) -> None:
    (FOLDER / "notes.txt").write_text("mine")
    assert user.call("download", "--force").code == 0
    assert (FOLDER / "notes.txt").read_text() == "mine"


LASTING: list[tuple[str, str, Fault, str, int]] = [
    ("half", "storage", halves_file, "the download is damaged at titanic.zip", 3),
    ("cut", "storage", cuts_body, "was cut; try again", 3),
    ("storage-403", "storage", fails(403), "file storage answered 403", 3),
    ("storage-500", "storage", fails(500), "file storage answered 500", 3),
    ("storage-reset", "storage", resets, "was cut", 3),
    ("storage-silent", "storage", stays_silent, "does not answer", 3),
    ("storage-stalls", "storage", stalls, "does not answer", 3),
    ("page", "storage", answers(WEB_PAGE), "the download is damaged", 3),
    ("rules", "DownloadDataFiles", fails(403, "Accept the rules"), "titanic/rules", 2),
    ("unknown", "DownloadDataFiles", fails(404), "knows no competition 'titanic'", 2),
    ("429", "DownloadDataFiles", fails(429, Retry_After="900"), "try again in 900 s", 3),
    ("silent", "DownloadDataFiles", stays_silent, "does not answer", 3),
]


@pytest.mark.parametrize(
    ("call", "fault", "said", "code"),
    [pytest.param(*row[1:], id=row[0]) for row in LASTING],
)
def test_a_fault_leaves_the_good_tables_as_they_are(
    user: User, kaggle: KaggleServer, call: str, fault: Fault, said: str, code: int
) -> None:
    before = {path: path.read_bytes() for path in FOLDER.iterdir()}
    kaggle.inject(call, *[fault] * 10)
    done = user.call("download", "--force")
    assert (done.code, len(done.err.splitlines())) == (code, 1)
    assert said in done.err
    assert {path: path.read_bytes() for path in FOLDER.iterdir()} == before
    assert nothing_is_beside()
    no_secret_in(user, done.said)


@pytest.mark.parametrize(
    "fault", [cuts_body, resets, fails(503)], ids=["cut", "reset", "storage-503"]
)
def test_a_passing_fault_ends_in_a_good_copy(
    reader: User, kaggle: KaggleServer, tables: KaggleTables, fault: Fault
) -> None:
    kaggle.inject("storage", fault, fault)
    done = reader.call("download")
    assert done.code == 0, done.err
    assert (FOLDER / "train.csv").read_bytes() == tables.train


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["train.csv"], "Kaggle's titanic.zip: has no member test.csv"),
        (["train.csv", "test.csv", "../evil.csv"], "'../evil.csv' leaves the folder"),
        (["train.csv", "test.csv", "/evil.csv"], "'/evil.csv' leaves the folder"),
    ],
)
def test_a_zip_with_odd_members_is_refused(
    reader: User, kaggle: KaggleServer, tables: KaggleTables, members: list[str], said: str
) -> None:
    contents = {"train.csv": tables.train, "test.csv": tables.test}
    kaggle.archive = zipped({name: contents.get(name, b"x") for name in members})
    done = reader.call("download")
    assert (done.code, said in done.err, FOLDER.exists()) == (2, True, False)


def test_tables_that_are_not_titanics_are_refused(
    reader: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    kaggle.archive = zipped({"train.csv": b"id,price\n1,2\n", "test.csv": tables.test})
    done = reader.call("download")
    assert done.code == 2
    assert "Kaggle's titanic.zip/train.csv, line 1: the column PassengerId is missing" in done.err


def test_a_competition_that_is_not_registered_is_refused(user: User, kaggle: KaggleServer) -> None:
    done = user.call("download", "--competition", "house-prices")
    assert (done.code, kaggle.calls) == (2, [])
    assert done.err == "error: competition 'house-prices' is not known here; choose from titanic\n"


def test_a_newcomer_without_credentials_is_told_how_to_get_them(
    newcomer: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    done = newcomer.call("download")
    assert (done.code, kaggle.calls, Path("data").exists()) == (2, [], False)
    assert len(done.err.splitlines()) == 4
    write_tables(newcomer.folder / FOLDER, tables)
    assert newcomer.call("download").code == 0  # they are there: nobody need be asked
