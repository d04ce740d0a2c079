"""A competition's two tables: where they are searched, and how they are read and checked."""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from lzma import LZMAError
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.errors import DataError
from titanic_nn.files import read_bytes
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.features import FeatureSet
from titanic_nn.tables.schema import (
    TableSchema,
    as_targets,
    check_labelled,
    check_pair,
    check_table,
)

# Where tables came from: "given" by the user, "kaggle-notebook", "downloaded" or "bundled".
Source: TypeAlias = str
# Folders that are searched in this order, each with the name of its source.
Places: TypeAlias = Sequence[tuple[Source, Path]]

TRAIN, TEST = "train.csv", "test.csv"
# Where Kaggle attaches input to a notebook; TITANIC_NN_KAGGLE_INPUT names another folder.
KAGGLE_INPUT = "/kaggle/input"
# Sizes above which a table, or what a zip file unpacks to, is refused, in bytes.
LARGEST = LARGEST_UNPACKED = 256 * 2**20

# What zipfile raises, by experiment, on damaged, encrypted or unknown contents.
_ZIP_FAULTS = (BadZipFile, zlib.error, LZMAError, OSError, EOFError, RuntimeError, ValueError)


@dataclass(frozen=True, eq=False)
class Tables:
    """Both tables, checked, and where they came from."""

    schema: TableSchema
    train: pd.DataFrame  # with the target, as class codes
    test: pd.DataFrame  # without
    source: Source
    location: Path  # the folder or zip file that was read
    train_sha256: str  # of each file's bytes, 64 hex digits
    test_sha256: str
    notes: tuple[str, ...]  # what was tolerated, for the user to read
    answers: Path | None  # the test rows' labels, which only a bundled table has
    _columns: dict[tuple[FeatureSet, bool], Columns] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def y(self) -> NDArray[np.int64]:
        """The class codes of the labelled rows, (train rows,)."""
        return self.train[self.schema.target.name].to_numpy(np.int64)

    @property
    def targets(self) -> NDArray[np.int64]:
        """`y` as nets and metrics take it: of more than two classes one-hot, (rows, classes)."""
        return as_targets(self.y, len(self.schema.labels))

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change when either file does."""
        return sha256((self.train_sha256 + self.test_sha256).encode()).hexdigest()[:12]

    def columns(self, features: FeatureSet, *, test_rows: bool = False) -> Columns:
        """The row features of the labelled rows, with `test_rows` of both tables; computed once."""
        found = self._columns.get((features, test_rows))
        if found is None:
            both = self._columns.get((features, True))
            if both and not features.whole_groups:
                found = both.take(np.arange(len(self.train)))
            else:
                parts = [self.train, self.test] if test_rows else [self.train]
                found = features.columns(pd.concat(parts))
            self._columns[features, test_rows] = found
        return found

    def describe(self) -> str:
        """What was read, in one line: the first line of a run."""
        return (
            f"{self.schema.row_names.capitalize()}: {len(self.train)} train, {len(self.test)} "
            f"test, {self.source} ({self.location}), SHA-256 {self.fingerprint}"
        )

    def check_folds(self, folds: int) -> None:
        """Check that each fold can have a row of every class. Raises DataError where not."""
        labels = self.schema.labels
        for label, size in zip(labels, np.bincount(self.y, minlength=len(labels)), strict=True):
            if size < folds:
                raise DataError(
                    f"{self.location / TRAIN}, column {self.schema.target.name}: {size} "
                    f"{self.schema.row_names} have {label}, too few for {folds} folds; ask for "
                    f"fewer folds, or give more {self.schema.row_names}"
                )


def notebook_places(slug: str) -> Places:
    """Where a Kaggle notebook has a competition's tables: attached in one of two layouts."""
    root = Path(os.environ.get("TITANIC_NN_KAGGLE_INPUT") or KAGGLE_INPUT)
    return [("kaggle-notebook", folder / slug) for folder in (root / "competitions", root)]


def load_tables(
    schema: TableSchema,
    data: Path | None = None,
    *,
    search: Places = (),
    archive: str,
    how_to_get: str = "",
) -> Tables:
    """Read both tables from `data`, or from the first place in `search` that has them.

    Args:
        schema: what they must look like.
        data: a folder with train.csv and test.csv or with the zip file, or the zip file itself.
            Where it lacks something, nothing else is read instead.
        search: where to look without `data`.
        archive: the name of the competition's zip file; "" if there is none.
        how_to_get: what a message says where no place has them.

    Raises:
        DataError: no place has the tables, or one breaks the schema.
    """
    if data is not None:
        source, place = "given", data
    elif found := _first_present(search, archive):
        source, place = found
    else:
        searched = ", ".join(str(folder) for _, folder in search)
        raise DataError(
            f"found no tables: no {TRAIN}, {TEST} or {archive} in any of {searched}{how_to_get}"
        )
    location = _locate(place, archive)
    if os.path.isfile(location):
        contents = _unzip(location, archive)
    else:
        contents = [read_bytes(location / name, LARGEST) for name in (TRAIN, TEST)]
    files = [str(location / name) for name in (TRAIN, TEST)]
    train = check_labelled(contents[0], file=files[0], schema=schema)
    test = check_table(
        contents[1],
        file=files[1],
        columns=schema.test_columns,
        id=schema.id,
        ignored=schema.ignored,
    )
    check_pair(train, test, schema)
    return Tables(
        schema=schema,
        train=train.table,
        test=test.table,
        source=source,
        location=location,
        train_sha256=sha256(contents[0]).hexdigest(),
        test_sha256=sha256(contents[1]).hexdigest(),
        notes=train.notes + test.notes,
        answers=location / "answers.csv" if source == "bundled" else None,
    )


def _first_present(search: Places, archive: str) -> tuple[Source, Path] | None:
    for source, folder in search:
        if os.path.isdir(folder) and {TRAIN, TEST, archive} & _names_in(folder, archive):
            return source, folder
    return None


def _expected(archive: str) -> str:
    or_archive = f", or Kaggle's {archive}" if archive else ""
    return f"expected a folder with {TRAIN} and {TEST}{or_archive}"


def _locate(place: Path, archive: str) -> Path:
    """Return the folder that holds both tables, or the zip file that should."""
    if os.path.isfile(place):
        return place
    names = _names_in(place, archive)
    lacking = [name for name in (TRAIN, TEST) if name not in names]
    if not lacking:
        return place
    # Beside a single table the zip file is not read: that table was put there to be read.
    if lacking == [TRAIN, TEST] and archive in names:
        return place / archive
    raise DataError(f"{place}: has no {' and no '.join(lacking)}; {_expected(archive)}")


def _names_in(folder: Path, archive: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read as a folder: {error.strerror}; {_expected(archive)}"
        ) from error


def _unzip(path: Path, archive: str) -> list[bytes]:
    """Read both tables of a zip file into memory; nothing is written to disk."""
    try:
        with ZipFile(path) as opened:
            _check_members(opened, path, archive)
            if (damaged := opened.testzip()) is not None:
                raise DataError(f"{path}: is damaged at its member {damaged}; download it again")
            return [opened.read(name) for name in (TRAIN, TEST)]
    except _ZIP_FAULTS as error:
        raise DataError(
            f"{path}: cannot be read as a zip file ({error}); {_expected(archive)}"
        ) from error


def _check_members(opened: ZipFile, path: Path, archive: str) -> None:
    """Refuse a zip that lacks a table, would write outside its folder, or unpacks to too much."""
    names = opened.namelist()
    for name in names:
        if "\\" in name or ":" in name or name.startswith("/") or ".." in name.split("/"):
            raise DataError(f"{path}: its member {name!r} leaves the folder; download it again")
    for name in (TRAIN, TEST):
        if name not in names:
            raise DataError(f"{path}: has no member {name}; {_expected(archive)}")
    unpacked = sum(member.file_size for member in opened.infolist())
    if unpacked > LARGEST_UNPACKED:
        raise DataError(
            f"{path}: unpacks to {unpacked} bytes, more than the {LARGEST_UNPACKED} allowed"
        )
