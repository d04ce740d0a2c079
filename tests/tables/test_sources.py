"""Which tables are read, from where, and what is said of it."""

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from bad_tables import GOOD_MEMBERS, TEST, TRAIN, only_zip, write_good_pair

import titanic_nn
from titanic_nn.errors import DataError
from titanic_nn.tables import sources
from titanic_nn.tables.sources import SEARCH, Source, load_passengers

PACKAGE = Path(titanic_nn.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_good_pair(tmp_path)
    return tmp_path


def search_in(root: Path) -> list[tuple[Source, Path]]:
    """The search path, moved below `root`, where nothing exists yet."""
    return [(source, root / f"{order}-{source}") for order, (source, _) in enumerate(SEARCH)]


def test_a_given_folder_is_read(folder: Path) -> None:
    passengers = load_passengers(folder)
    assert passengers.source == "given"
    assert passengers.location == folder
    assert passengers.train["PassengerId"].tolist() == [1, 2, 3, 4]
    assert passengers.test["PassengerId"].tolist() == [5, 6]
    assert passengers.train_sha256 == hashlib.sha256(TRAIN.encode()).hexdigest()
    assert passengers.test_sha256 == hashlib.sha256(TEST.encode()).hexdigest()
    assert passengers.answers is None


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_zip_gives_what_its_members_give(folder: Path, given: str) -> None:
    plain = load_passengers(folder)
    path = only_zip(folder, {**GOOD_MEMBERS, "gender_submission.csv": "PassengerId,Survived\n"})

    zipped = load_passengers(folder if given == "folder" else path)

    assert zipped.location == path
    assert zipped.fingerprint == plain.fingerprint
    pd.testing.assert_frame_equal(zipped.train, plain.train)
    pd.testing.assert_frame_equal(zipped.test, plain.test)
    assert [file.name for file in folder.iterdir()] == ["titanic.zip"]  # nothing was unpacked


def test_the_tables_go_before_a_zip_beside_them(folder: Path) -> None:
    (folder / "titanic.zip").write_bytes(b"no zip")
    assert load_passengers(folder).location == folder
    # One lone table: no guess which of the two was meant.
    (folder / "test.csv").unlink()
    with pytest.raises(DataError, match=r"has no test\.csv; expected"):
        load_passengers(folder)


@pytest.mark.parametrize("first", range(len(SEARCH)))
def test_the_first_place_that_has_the_tables_is_read(tmp_path: Path, first: int) -> None:
    search = search_in(tmp_path)
    for _, place in search[first:]:
        place.mkdir()
        write_good_pair(place)
    search[0][1].mkdir(exist_ok=True)  # there, but without tables when it isn't the first

    passengers = load_passengers(search=search)

    source, place = search[first]
    assert (passengers.source, passengers.location) == (source, place)
    assert passengers.answers == (place / "answers.csv" if source == "bundled" else None)


def test_the_search_path_is_kaggles_then_downloads_then_the_bundle() -> None:
    assert [source for source, _ in SEARCH] == [
        "kaggle-notebook",
        "kaggle-notebook",
        "downloaded",
        "bundled",
        "bundled",
    ]
    assert [str(place) for _, place in SEARCH[:3]] == [
        "/kaggle/input/competitions/titanic",
        "/kaggle/input/titanic",
        "data/kaggle",
    ]


def test_downloads_lie_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/kaggle").mkdir(parents=True)
    write_good_pair(tmp_path / "data/kaggle")
    monkeypatch.chdir(tmp_path)
    assert load_passengers(search=SEARCH[2:]).source == "downloaded"


def test_a_spoilt_place_is_no_reason_to_read_the_next(tmp_path: Path) -> None:
    search = search_in(tmp_path)
    for _, place in search:
        place.mkdir()
        write_good_pair(place)
    (search[0][1] / "test.csv").unlink()
    with pytest.raises(DataError, match=r"0-kaggle-notebook: has no test\.csv"):
        load_passengers(search=search)


def test_a_given_folder_without_tables_is_not_replaced_by_the_bundle(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train\.csv and no test\.csv; expected a folder"):
        load_passengers(tmp_path)
    with pytest.raises(DataError, match=r"nowhere: cannot be read as a folder: No such file"):
        load_passengers(tmp_path / "nowhere")


def test_a_given_file_that_is_no_zip_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv: cannot be read as a zip file .*; expected"):
        load_passengers(folder / "train.csv")


def test_without_any_table_the_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no passengers") as caught:
        load_passengers(search=search_in(tmp_path))
    for _, place in search_in(tmp_path):
        assert str(place) in str(caught.value)


def test_an_encrypted_zip_is_refused(folder: Path) -> None:
    path = only_zip(folder, GOOD_MEMBERS)
    content = bytearray(path.read_bytes())
    # Bit 0 of a member's flags says "encrypted": bytes 6-7 of the local header, 8-9 of the central.
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for header in re.finditer(re.escape(signature), content):
            content[header.start() + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"titanic\.zip: cannot be read as a zip file .*encrypted"):
        load_passengers(folder)


def test_a_zip_that_unpacks_to_too_much_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = only_zip(folder, GOOD_MEMBERS)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", size)
    load_passengers(folder)
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", size - 1)
    with pytest.raises(DataError, match=f"unpacks to {size} bytes, more than the {size - 1}"):
        load_passengers(folder)


def test_the_first_line_of_a_run_says_what_was_read(folder: Path) -> None:
    passengers = load_passengers(folder)
    assert re.fullmatch(
        rf"Passengers: 4 train, 2 test, given \({re.escape(str(folder))}\), "
        rf"SHA-256 {passengers.fingerprint}",
        passengers.describe(),
    )
    assert re.fullmatch(r"[0-9a-f]{12}", passengers.fingerprint)


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_the_fingerprint_changes_with_either_file(folder: Path, name: str) -> None:
    before = load_passengers(folder).fingerprint
    assert load_passengers(folder).fingerprint == before
    with (folder / name).open("a") as file:
        file.write("\n")
    assert load_passengers(folder).fingerprint != before


def test_notes_of_both_tables_are_handed_on(folder: Path) -> None:
    labelled = re.sub(r"^(\d)", r"1\1", TRAIN, flags=re.MULTILINE)  # passengers 11-14
    (folder / "test.csv").write_text(labelled, encoding="utf-8")
    assert load_passengers(folder).notes == (
        f"{folder / 'test.csv'}: the extra column 'Survived' was dropped",
    )


def test_the_answers_are_not_opened() -> None:
    opened: list[str] = []
    watching = True

    def watch(event: str, args: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(watch)  # an audit hook can't be taken away, only told to rest
    passengers = load_passengers(search=SEARCH[3:])
    watching = False

    assert passengers.answers is not None
    assert passengers.answers.is_file()
    assert any(path.endswith("train.csv") for path in opened)  # the watch was on
    assert not any("answers" in path for path in opened)


def test_only_the_offline_scorer_speaks_of_the_answers() -> None:
    speakers = {
        str(module.relative_to(PACKAGE).as_posix())
        for module in PACKAGE.rglob("*.py")
        if "answers.csv" in module.read_text(encoding="utf-8")
    }
    assert speakers == {"kaggle/offline.py", "passengers/sources.py"}
