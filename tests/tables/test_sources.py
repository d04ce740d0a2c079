"""Which tables are read, from where, and how they are described."""

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from bad_tables import GOOD_MEMBERS, TEST, TRAIN, only_zip, write_good_pair
from titanic_tables import bundled

import titanic_nn
from titanic_nn.competitions.registry import load_tables as load_by_slug
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.tables import sources
from titanic_nn.tables.sources import Places, Source, Tables, load_tables

PACKAGE = Path(titanic_nn.__file__).parent
SEARCH = TITANIC.search


def searched(places: Places) -> Tables:
    """The tables of the first place that has them."""
    return load_tables(TITANIC.schema, search=places, archive=TITANIC.archive)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_good_pair(tmp_path)
    return tmp_path


def search_in(root: Path) -> list[tuple[Source, Path]]:
    """The places of SEARCH, moved below `root`, where nothing exists yet."""
    return [(source, root / f"{order}-{source}") for order, (source, _) in enumerate(SEARCH)]


def test_a_given_folder_is_read(folder: Path) -> None:
    tables = TITANIC.load(folder)
    assert tables.source == "given"
    assert tables.location == folder
    assert tables.train["PassengerId"].tolist() == [1, 2, 3, 4]
    assert tables.test["PassengerId"].tolist() == [5, 6]
    assert tables.train_sha256 == hashlib.sha256(TRAIN.encode()).hexdigest()
    assert tables.test_sha256 == hashlib.sha256(TEST.encode()).hexdigest()
    assert tables.answers is None


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_zip_gives_what_its_members_give(folder: Path, given: str) -> None:
    plain = TITANIC.load(folder)
    path = only_zip(folder, {**GOOD_MEMBERS, "gender_submission.csv": "PassengerId,Survived\n"})

    zipped = TITANIC.load(folder if given == "folder" else path)

    assert zipped.location == path
    assert zipped.fingerprint == plain.fingerprint
    pd.testing.assert_frame_equal(zipped.train, plain.train)
    pd.testing.assert_frame_equal(zipped.test, plain.test)
    assert [file.name for file in folder.iterdir()] == ["titanic.zip"]  # nothing was unpacked


def test_tables_are_preferred_to_a_zip_beside_them(folder: Path) -> None:
    (folder / "titanic.zip").write_bytes(b"no zip")
    assert TITANIC.load(folder).location == folder
    # Beside a single table the zip is not read.
    (folder / "test.csv").unlink()
    with pytest.raises(DataError, match=r"has no test\.csv; expected"):
        TITANIC.load(folder)


@pytest.mark.parametrize("first", range(len(SEARCH)))
def test_the_first_place_that_has_the_tables_is_read(tmp_path: Path, first: int) -> None:
    search = search_in(tmp_path)
    for _, place in search[first:]:
        place.mkdir()
        write_good_pair(place)
    search[0][1].mkdir(exist_ok=True)  # exists, but without tables unless it is the first

    tables = searched(search)

    source, place = search[first]
    assert (tables.source, tables.location) == (source, place)
    assert tables.answers == (place / "answers.csv" if source == "bundled" else None)


def test_kaggles_folders_are_searched_first_then_downloads_then_the_bundled_table() -> None:
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
        "data/kaggle/titanic",
    ]
    assert SEARCH[2][1] == TITANIC.folder


def test_downloads_lie_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / TITANIC.folder).mkdir(parents=True)
    write_good_pair(tmp_path / TITANIC.folder)
    monkeypatch.chdir(tmp_path)
    assert searched(SEARCH[2:]).source == "downloaded"


def test_behind_a_place_with_damaged_tables_no_other_is_read(tmp_path: Path) -> None:
    search = search_in(tmp_path)
    for _, place in search:
        place.mkdir()
        write_good_pair(place)
    (search[0][1] / "test.csv").unlink()
    with pytest.raises(DataError, match=r"0-kaggle-notebook: has no test\.csv"):
        searched(search)


def test_a_given_folder_without_tables_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train\.csv and no test\.csv; expected a folder"):
        TITANIC.load(tmp_path)
    with pytest.raises(DataError, match=r"nowhere: cannot be read as a folder: No such file"):
        TITANIC.load(tmp_path / "nowhere")


def test_a_given_file_that_is_no_zip_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv: cannot be read as a zip file .*; expected"):
        TITANIC.load(folder / "train.csv")


def test_without_any_table_the_error_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no tables") as caught:
        searched(search_in(tmp_path))
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
        TITANIC.load(folder)


def test_a_zip_that_unpacks_to_too_much_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = only_zip(folder, GOOD_MEMBERS)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", size)
    TITANIC.load(folder)
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", size - 1)
    with pytest.raises(DataError, match=f"unpacks to {size} bytes, more than the {size - 1}"):
        TITANIC.load(folder)


def test_the_first_line_of_a_run_says_what_was_read(folder: Path) -> None:
    tables = TITANIC.load(folder)
    assert re.fullmatch(
        rf"Passengers: 4 train, 2 test, given \({re.escape(str(folder))}\), "
        rf"SHA-256 {tables.fingerprint}",
        tables.describe(),
    )
    assert re.fullmatch(r"[0-9a-f]{12}", tables.fingerprint)


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_the_fingerprint_changes_with_either_file(folder: Path, name: str) -> None:
    before = TITANIC.load(folder).fingerprint
    assert TITANIC.load(folder).fingerprint == before
    with (folder / name).open("a") as file:
        file.write("\n")
    assert TITANIC.load(folder).fingerprint != before


def test_notes_of_both_tables_are_kept(folder: Path) -> None:
    labelled = re.sub(r"^(\d)", r"1\1", TRAIN, flags=re.MULTILINE)  # passengers 11-14
    (folder / "test.csv").write_text(labelled, encoding="utf-8")
    assert TITANIC.load(folder).notes == (
        f"{folder / 'test.csv'}: the extra column 'Survived' was dropped",
    )


def test_the_answers_are_not_opened() -> None:
    opened: list[str] = []
    watching = True

    def watch(event: str, args: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(watch)  # an audit hook cannot be removed, only made to do nothing
    tables = bundled()
    watching = False

    assert tables.answers is not None
    assert tables.answers.is_file()
    assert any(path.endswith("train.csv") for path in opened)  # the hook was active
    assert not any("answers" in path for path in opened)


def test_only_the_offline_scorer_names_the_answers_file() -> None:
    naming = {
        str(module.relative_to(PACKAGE).as_posix())
        for module in PACKAGE.rglob("*.py")
        if "answers.csv" in module.read_text(encoding="utf-8")
    }
    assert naming == {"kaggle/offline.py", "tables/sources.py"}


def test_the_bundled_table_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing was downloaded
    assert TITANIC.load().source == "bundled"
    with pytest.raises(DataError, match=r"found no tables: .*titanic"):
        TITANIC.load(bundled=False)


def test_tables_are_loaded_by_the_slug_of_their_competition(folder: Path) -> None:
    assert load_by_slug(folder, "titanic").fingerprint == TITANIC.load(folder).fingerprint
    with pytest.raises(ConfigError, match="'titanik' is not known here; choose from titanic"):
        load_by_slug(folder, "titanik")


def test_labels_are_class_codes_in_the_order_of_the_rows(folder: Path) -> None:
    tables = TITANIC.load(folder)
    assert tables.y.tolist() == tables.train["Survived"].tolist() == [0, 1, 1, 0]
