"""Where train.csv and test.csv come from, in which order they are looked for."""

import hashlib
import lzma
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.errors import DataError
from titanic_nn.passengers.schema import check_classes, check_pair, check_passengers, read_bytes

Source: TypeAlias = Literal["given", "kaggle-notebook", "downloaded", "bundled"]

TRAIN, TEST, ZIP = "train.csv", "test.csv", "titanic.zip"
# Kaggle's two tables unpack to 90 KB; a zip that claims far more than any passenger list is a trap.
LARGEST_UNPACKED = 256 * 2**20  # bytes

_EXPECTED = f"expected a folder with {TRAIN} and {TEST}, or Kaggle's {ZIP}"
# What zipfile raises, by experiment, on damaged, encrypted or unknown contents.
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
)
_PACKAGE = Path(__file__).parents[1]

# Without --data the first of these that holds train.csv, test.csv or titanic.zip is read.
SEARCH: tuple[tuple[Source, Path], ...] = (
    ("kaggle-notebook", Path("/kaggle/input/competitions/titanic")),
    ("kaggle-notebook", Path("/kaggle/input/titanic")),
    ("downloaded", Path("data/kaggle")),
    ("bundled", _PACKAGE / "bundled"),  # in an installed package
    ("bundled", _PACKAGE.parent / "data" / "bundled"),  # in a checkout
)


@dataclass(frozen=True, eq=False)
class Passengers:
    """Both tables, checked, and where they came from."""

    train: pd.DataFrame  # with Survived
    test: pd.DataFrame  # without
    source: Source
    location: Path  # the folder or zip file that was read
    train_sha256: str  # of each file's bytes, 64 hex digits
    test_sha256: str
    notes: tuple[str, ...]  # what was let pass, for the user to read
    answers: Path | None  # the test passengers' labels: only the bundled table has them

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change when either file does."""
        return hashlib.sha256((self.train_sha256 + self.test_sha256).encode()).hexdigest()[:12]

    def describe(self) -> str:
        """Say in one line what was read: the first line of a run."""
        return (
            f"Passengers: {len(self.train)} train, {len(self.test)} test, "
            f"{self.source} ({self.location}), SHA-256 {self.fingerprint}"
        )


def labelled_passengers(
    data: Path | Passengers | None, folds: int
) -> tuple[Passengers, NDArray[np.int64]]:
    """The passengers, read if need be, and their labels (rows,), which can be cut into folds.

    Raises DataError: the tables are not what they must be, or a class has fewer rows than folds.
    """
    passengers = data if isinstance(data, Passengers) else load_passengers(data)
    check_classes(passengers.train, folds=folds, file=str(passengers.location / TRAIN))
    return passengers, passengers.train["Survived"].to_numpy()


def load_passengers(
    data: Path | None = None, *, search: Sequence[tuple[Source, Path]] = SEARCH
) -> Passengers:
    """Read the passengers from `data`, or from the first place in `search` that has them.

    Args:
        data: a folder with train.csv and test.csv or with titanic.zip, or the zip file itself.
            Where it lacks something, nothing else is read in its stead.

    Raises:
        DataError: no place has the tables, or one breaks the schema.
    """
    source, place = _first_present(search) if data is None else ("given", data)
    location = _locate(place)
    contents = _unzip(location) if os.path.isfile(location) else _read_folder(location)
    train = check_passengers(contents[TRAIN], file=str(location / TRAIN), labelled=True)
    test = check_passengers(contents[TEST], file=str(location / TEST), labelled=False)
    check_pair(train, test)
    return Passengers(
        train=train.table,
        test=test.table,
        source=source,
        location=location,
        train_sha256=train.sha256,
        test_sha256=test.sha256,
        notes=train.notes + test.notes,
        answers=location / "answers.csv" if source == "bundled" else None,
    )


def _first_present(search: Sequence[tuple[Source, Path]]) -> tuple[Source, Path]:
    for source, folder in search:
        if os.path.isdir(folder) and {TRAIN, TEST, ZIP} & _names_in(folder):
            return source, folder
    looked_in = ", ".join(str(folder) for _, folder in search)
    raise DataError(f"found no passengers: no {TRAIN}, {TEST} or {ZIP} in any of {looked_in}")


def _locate(place: Path) -> Path:
    """Return the folder that holds both tables, or the zip file that should."""
    if os.path.isfile(place):
        return place
    names = _names_in(place)
    lacking = [name for name in (TRAIN, TEST) if name not in names]
    if not lacking:
        return place
    # Beside one lone table the zip isn't taken: whoever put that table there meant it to be read.
    if lacking == [TRAIN, TEST] and ZIP in names:
        return place / ZIP
    raise DataError(f"{place}: has no {' and no '.join(lacking)}; {_EXPECTED}")


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read as a folder: {error.strerror}; {_EXPECTED}"
        ) from error


def _read_folder(folder: Path) -> dict[str, bytes]:
    return {name: read_bytes(folder / name) for name in (TRAIN, TEST)}


def _unzip(path: Path) -> dict[str, bytes]:
    """Read both tables of a zip file into memory; nothing is written to disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            if (damaged := archive.testzip()) is not None:
                raise DataError(f"{path}: is damaged at its member {damaged}; download it again")
            return {name: archive.read(name) for name in (TRAIN, TEST)}
    except _ZIP_FAULTS as error:
        raise DataError(f"{path}: cannot be read as a zip file ({error}); {_EXPECTED}") from error


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a zip that lacks a table, would write outside its folder, or unpacks to too much."""
    names = archive.namelist()
    for name in names:
        if "\\" in name or ":" in name or name.startswith("/") or ".." in name.split("/"):
            raise DataError(f"{path}: its member {name!r} leaves the folder; download it again")
    for name in (TRAIN, TEST):
        if name not in names:
            raise DataError(f"{path}: has no member {name}; {_EXPECTED}")
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > LARGEST_UNPACKED:
        raise DataError(
            f"{path}: unpacks to {unpacked} bytes, more than the {LARGEST_UNPACKED} allowed"
        )
