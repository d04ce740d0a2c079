"""`download`: a good copy, or what was there before."""

import io
import time
import zipfile
from pathlib import Path

import pytest
from kaggle_server import (
    Fault,
    KaggleServer,
    Reply,
    Stop,
    answers,
    cuts_body,
    fails,
    floods,
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
    return {path.name for path in FOLDER.parent.iterdir()} == {"titanic"}


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


def test_a_zip_bomb_is_refused_at_once(
    reader: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", tables.train)
        archive.writestr("test.csv", tables.test)
        with archive.open("zeros.csv", "w") as member:
            for _ in range(300):
                member.write(bytes(2**20))
    kaggle.archive = content.getvalue()
    start = time.process_time()
    done = reader.call("download")
    assert (done.code, "Kaggle's titanic.zip: unpacks to 3" in done.err) == (2, True)
    assert time.process_time() - start < 0.5  # to unpack it takes longer
    assert not FOLDER.exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(
    reader: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    content = io.BytesIO(tables.archive)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("train.csv", tables.train)
    kaggle.archive = content.getvalue()
    done = reader.call("download")
    assert (done.code, "the download is damaged at train.csv" in done.err) == (3, True)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_member_that_is_damaged_within_is_refused(
    reader: User, kaggle: KaggleServer, tables: KaggleTables, method: int
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("train.csv", tables.train)
        archive.writestr("test.csv", tables.test)
    whole = content.getvalue()
    for place in (44, 60, 5000):
        kaggle.archive = whole[:place] + bytes(20) + whole[place + 20 :]
        done = reader.call("download")
        assert (done.code, "the download is damaged" in done.err) == (3, True)


def test_only_plain_files_are_unpacked(
    reader: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = 0o120777 << 16
    content = io.BytesIO(tables.archive)
    with zipfile.ZipFile(content, "a") as archive:
        for name in ("x" * 300 + ".csv", ".hidden.csv", "sub/folder.csv", "run.py", "a\nb.csv"):
            archive.writestr(name, "x")
        archive.writestr(link, "/etc/passwd")
    kaggle.archive = content.getvalue()
    assert reader.call("download").code == 0
    assert {path.name for path in FOLDER.iterdir()} == {"train.csv", "test.csv", "link.csv"}
    assert not (FOLDER / "link.csv").is_symlink()


def test_a_download_without_an_end_is_given_up(
    reader: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("titanic_nn.kaggle.client.LARGEST_UNPACKED", 10 * 2**20)
    kaggle.inject("storage", floods)
    done = reader.call("download")
    assert (done.code, "Kaggle answered with over 10485760 bytes" in done.err) == (3, True)
    assert not [*FOLDER.parent.iterdir()]


def test_what_a_killed_download_left_is_removed_by_the_next(
    reader: User, kaggle: KaggleServer
) -> None:
    stop = Stop("never")
    kaggle.inject("storage", stop)
    with reader.start("download", TITANIC_NN_CALL_TIMEOUT="20") as process:
        assert stop.reached.wait(30)
        process.kill()
    stop.go.set()
    assert [path.name.startswith(".titanic_nn-") for path in FOLDER.parent.iterdir()] == [True]
    assert reader.call("download").code == 0
    assert nothing_is_beside()


def test_a_place_that_cannot_be_written_to_is_one_line(user: User) -> None:
    (FOLDER / "train.csv").unlink()
    (FOLDER / "train.csv").mkdir()
    done = user.call("download")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "data/kaggle/titanic/train.csv: cannot be written: Is a directory" in done.err


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
    assert "competition 'house-prices' is not known here; choose from titanic, " in done.err
    assert done.err.count("\n") == 1


def test_a_newcomer_without_credentials_is_told_how_to_get_them(
    newcomer: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    done = newcomer.call("download")
    assert (done.code, kaggle.calls, Path("data").exists()) == (2, [], False)
    assert len(done.err.splitlines()) == 4
    write_tables(newcomer.folder / FOLDER, tables)
    assert newcomer.call("download").code == 0  # they are there: nobody need be asked
