"""What a table of passengers must look like. A complaint names file, line, column and value.

A line is a line of the file, as an editor counts them; a record that spans several lines (a quoted
field may hold a line break) goes by its first. Blanks around a field are not part of it.
"""

import csv
import difflib
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from reprlib import repr as shortened
from typing import BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from titanic_nn.errors import DataError

Text: TypeAlias = "pd.Series[str]"
Lines: TypeAlias = npt.NDArray[np.int64]

MISSING = ("", "NA", "NaN", "nan")
# No age, fare or family comes near it; without a bound, 1e300 would reach the nets as infinity.
LARGEST = 1_000_000
# Above it a float64, as which whole numbers are read, cannot tell neighbours apart.
LARGEST_ID = 2**53 - 1


def _numbers(text: Text) -> pd.Series:
    """Read numbers from 0 to LARGEST; whatever else becomes NaN."""
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    return numbers.where(numbers.between(0, LARGEST))


def _whole_numbers(text: Text, low: int, high: int) -> pd.Series:
    """Read whole numbers from `low` to `high`, "3.0" too; whatever else becomes NaN."""
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    return numbers.where((numbers % 1 == 0) & numbers.between(low, high))


def _words(text: Text, allowed: Sequence[str]) -> Text:
    return text.where(text.isin(allowed))


def _anything(text: Text) -> Text:
    return text


@dataclass(frozen=True)
class Column:
    """One line of the schema."""

    name: str
    dtype: Literal["int64", "float64", "str"]
    # Turns what it cannot accept into NaN: that is how a complaint is found.
    parse: Callable[[Text], pd.Series]
    expected: str
    may_be_missing: bool = False


_COUNT = partial(_whole_numbers, low=0, high=LARGEST)
_A_COUNT = f"a whole number from 0 to {LARGEST}"
_A_NUMBER = f"a number from 0 to {LARGEST}"

PASSENGER_ID = Column(
    "PassengerId",
    "int64",
    partial(_whole_numbers, low=0, high=LARGEST_ID),
    f"a whole number from 0 to {LARGEST_ID}",
)
SURVIVED = Column("Survived", "int64", partial(_whole_numbers, low=0, high=1), "0 or 1")
# An unknown port is welcome (it encodes as none of the known ones); an unknown sex is a mistake.
FEATURES = (
    Column("Pclass", "int64", partial(_whole_numbers, low=1, high=3), "1, 2 or 3"),
    Column("Name", "str", _anything, "a name"),
    Column("Sex", "str", partial(_words, allowed=("male", "female")), "male or female"),
    Column("Age", "float64", _numbers, f"{_A_NUMBER}, or nothing", may_be_missing=True),
    Column("SibSp", "int64", _COUNT, _A_COUNT),
    Column("Parch", "int64", _COUNT, _A_COUNT),
    Column("Ticket", "str", _anything, "a ticket"),
    Column("Fare", "float64", _numbers, f"{_A_NUMBER}, or nothing", may_be_missing=True),
    Column("Cabin", "str", _anything, "a cabin, or nothing", may_be_missing=True),
    Column("Embarked", "str", _anything, "a port, or nothing", may_be_missing=True),
)
TRAIN_COLUMNS = (PASSENGER_ID, SURVIVED, *FEATURES)
TEST_COLUMNS = (PASSENGER_ID, *FEATURES)


@dataclass(frozen=True, eq=False)
class CheckedTable:
    """A table that holds to the schema, and where it came from."""

    file: str
    table: pd.DataFrame  # columns and types as in the schema, rows numbered from 0
    lines: Lines  # (rows,): where in the file each row begins
    notes: tuple[str, ...]  # what was let pass, for the user to read
    sha256: str  # of the file's bytes, 64 hex digits


def read_passengers(path: Path, *, labelled: bool) -> CheckedTable:
    """Read a CSV file of passengers: with Survived if `labelled`, else without.

    Raises:
        DataError: the file cannot be read, or breaks the schema.
    """
    return check_passengers(read_bytes(path), file=str(path), labelled=labelled)


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        DataError: there is no such file, it is a folder, it may not be read, …
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file: {error.strerror}") from error


def check_passengers(content: bytes, *, file: str, labelled: bool) -> CheckedTable:
    """Check the bytes of a CSV file of passengers; messages call it `file`.

    Raises:
        DataError: the bytes break the schema, or all of the labelled passengers fared alike.
    """
    checked = check_table(content, file=file, columns=TRAIN_COLUMNS if labelled else TEST_COLUMNS)
    if labelled:
        labels = checked.table["Survived"].unique()
        if len(labels) == 1:
            raise DataError(
                f"{file}, column Survived: every passenger has {labels[0]}; expected both 0 and 1"
            )
    return checked


def read_in_parts(
    stream: BinaryIO, *, file: str, rows: int, columns: Sequence[Column] | None = None
) -> Iterator[CheckedTable]:
    """Check a CSV file as `check_table` does, so many passengers at a time, in bounded memory.

    Args:
        stream: the file, which is read once, from where it stands.
        file: what messages call it.
        rows: passengers of a part.
        columns: those of a test table by default, without PassengerId where the file has none.

    Raises:
        DataError: the first mistake found. Parts before it have been yielded.
    """
    header, header_lines, lines_before = b"", 0, 0
    # Sorted, with the line of each: 16 bytes a passenger are all that is kept.
    seen, seen_lines = np.empty(0, np.int64), np.empty(0, np.int64)
    for part in _parts(stream, rows):
        if columns is None:
            columns = TEST_COLUMNS if _has_ids(part) else FEATURES
        # Below the header, lines of the file that went before are left out.
        number = partial(_number, header=header_lines, left_out=lines_before - header_lines)
        checked = check_table(header + part, file=file, columns=columns, number=number)
        if PASSENGER_ID in columns:
            seen, seen_lines = _check_ids_new(checked, seen, seen_lines)
        if not header:
            header_lines = int(checked.lines[0]) - 1
            header = b"".join(part.splitlines(keepends=True)[:header_lines])
        lines_before += len(part.splitlines())
        yield checked


def _parts(stream: BinaryIO, rows: int) -> Iterator[bytes]:
    """Cut a CSV file between records, so many at a time; the first part has the header too."""
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in stream:
            taken.append(line)
            yield line.decode(errors="replace").replace("\t", " ")

    records = -1
    try:
        for fields in csv.reader(lines(), strict=True, skipinitialspace=True):
            records += bool(fields)
            if records == rows:
                yield b"".join(taken)
                taken.clear()
                records = 0
    except csv.Error:
        taken.append(stream.read())  # check_table finds out what is wrong, and says so
    if any(line.strip() for line in taken):
        yield b"".join(taken)


def _has_ids(content: bytes) -> bool:
    """Does the header name PassengerId?"""
    text = content.decode("utf-8-sig", errors="replace").replace("\t", " ")
    header = next((f for f in csv.reader(io.StringIO(text, newline="")) if f), [])
    return PASSENGER_ID.name in [name.strip() for name in header]


def _number(line: int, header: int, left_out: int) -> int:
    """A line's number in the file, of a part that has the header and what comes later."""
    return line if line <= header else line + left_out


def _check_ids_new(checked: CheckedTable, seen: Lines, seen_lines: Lines) -> tuple[Lines, Lines]:
    """Check that no earlier part has a PassengerId of this one; returns all, sorted, and lines."""
    order = checked.table[PASSENGER_ID.name].to_numpy().argsort()
    ids = checked.table[PASSENGER_ID.name].to_numpy()[order]
    place = seen.searchsorted(ids)
    if len(seen):
        again = seen[place.clip(max=len(seen) - 1)] == ids
        if again.any():
            first = int(np.where(again, checked.lines[order], LARGEST_ID).argmin())
            raise DataError(
                f"{checked.file}, line {checked.lines[order][first]}, column PassengerId: "
                f"{ids[first]} stands twice, first on line {seen_lines[place[first]]}"
            )
    return np.insert(seen, place, ids), np.insert(seen_lines, place, checked.lines[order])


def check_table(
    content: bytes,
    *,
    file: str,
    columns: Sequence[Column],
    number: Callable[[int], int] = lambda line: line,
) -> CheckedTable:
    """Check a CSV file's bytes against `columns`.

    Columns may come in any order; extra ones are dropped with a note.

    Args:
        content: the file's bytes.
        file: what messages call it.
        columns: what must be there.
        number: from a line of `content` to the file's line, where it is a part of the file.

    Raises:
        DataError: the first mistake found.
    """
    _check_encoding(content, file, number)
    # Python's csv finds the broken records and every record's line; pandas reads the values. The
    # two differ on one point, a tab before a quote, so tabs are made the blanks that they are.
    blanks = content.replace(b"\t", b" ")
    records = _records(blanks, file, number)
    header_line, header = next(records, (0, []))
    if not header:
        raise DataError(f"{file}: is empty; expected a CSV file with a header line")
    positions, notes = _match_header(header, columns, f"{file}, line {header_line}")
    lines = np.fromiter(_lines(records, len(header), file), dtype=np.int64)  # (rows,)
    if not len(lines):
        raise DataError(f"{file}: has a header but no passengers below it")

    texts = pd.read_csv(
        io.BytesIO(blanks),
        encoding="utf-8-sig",
        dtype=str,
        na_filter=False,
        skipinitialspace=True,
        index_col=False,
        header=0,
        names=range(len(header)),
        usecols=positions,
    )
    table = pd.DataFrame(
        {
            column.name: _parse(
                texts[position].str.strip(), column, lambda row: f"{file}, line {lines[row]}"
            )
            for column, position in zip(columns, positions, strict=True)
        }
    )
    if PASSENGER_ID.name in table:
        _check_ids_once(table, lines, file)
    digest = hashlib.sha256(content).hexdigest()
    return CheckedTable(file, table, lines, tuple(f"{file}: {note}" for note in notes), digest)


def check_frame(frame: pd.DataFrame, *, name: str, columns: Sequence[Column]) -> pd.DataFrame:
    """Check a DataFrame against `columns`, as a file is checked; messages call it `name`.

    Returns the columns in the schema's order and types, rows numbered from 0.

    Raises:
        DataError: the first mistake found, by column, row (from 0) and value.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{name}: is a {type(frame).__name__}; expected a pandas DataFrame in Kaggle's columns"
        )
    if not len(frame):
        raise DataError(f"{name}: has no passengers")
    positions, _ = _match_names([str(column) for column in frame.columns], columns, name)
    checked = {}
    for column, position in zip(columns, positions, strict=True):
        values = frame.iloc[:, position].reset_index(drop=True)
        if not pd.api.types.is_numeric_dtype(values):
            values = values.astype("str").where(values.notna(), "").str.strip()
        checked[column.name] = _parse(values, column, lambda row: f"{name}, row {row}")
    return pd.DataFrame(checked)


def check_pair(train: CheckedTable, test: CheckedTable) -> None:
    """Check that no passenger stands in both tables.

    Raises:
        DataError: a PassengerId of `test` is one of `train`'s.
    """
    shared = test.table["PassengerId"].isin(train.table["PassengerId"]).to_numpy()
    if shared.any():
        row = int(shared.argmax())
        passenger = test.table["PassengerId"].iloc[row]
        train_row = int((train.table["PassengerId"] == passenger).to_numpy().argmax())
        raise DataError(
            f"{test.file}, line {test.lines[row]}, column PassengerId: {passenger} also stands in "
            f"{train.file}, line {train.lines[train_row]}; a passenger belongs to one of them"
        )


def check_classes(train: pd.DataFrame, *, folds: int, file: str = "train.csv") -> None:
    """Check that each fold can have both a survivor and a victim.

    Raises:
        DataError: a class of Survived has fewer passengers than there are folds.
    """
    for label in (0, 1):
        size = int((train["Survived"] == label).sum())
        if size < folds:
            raise DataError(
                f"{file}, column Survived: {size} passengers have {label}, too few for {folds} "
                "folds; ask for fewer folds, or give more passengers"
            )


def _check_encoding(content: bytes, file: str, number: Callable[[int], int]) -> None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{file}, line 1: is UTF-16 text; save it as UTF-8")
    if (nul := content.find(0)) >= 0:
        raise DataError(
            f"{file}, line {number(_line_of(content, nul))}: holds a NUL byte; "
            "save it as UTF-8 text"
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = number(_line_of(content, error.start))
        byte = f"0x{content[error.start]:02x}"
        raise DataError(
            f"{file}, line {line}: the byte {byte} is not UTF-8; save the file as UTF-8"
        ) from error


def _line_of(content: bytes, position: int) -> int:
    return len((content[:position] + b".").splitlines())


def _records(
    content: bytes, file: str, number: Callable[[int], int]
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line it begins on, fields) of each record; empty lines are passed over."""
    # newline="" leaves line breaks to csv, which must see those within quotes as they are.
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True, skipinitialspace=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield number(line), fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{file}, line {number(line)}: not valid CSV ({error}); "
            "check the double quotes from there on"
        ) from error


def _lines(records: Iterator[tuple[int, list[str]]], width: int, file: str) -> Iterator[int]:
    """Yield the line of each record, once it is known to have `width` fields."""
    for line, fields in records:
        if len(fields) != width:
            raise DataError(
                f"{file}, line {line}: the record that begins with {shortened(fields[0])} has "
                f"{len(fields)} fields, the header has {width}; "
                "put double quotes around a field that holds a comma"
            )
        yield line


def _match_header(
    header: Sequence[str], columns: Sequence[Column], where: str
) -> tuple[list[int], list[str]]:
    """Find each column's position in the header; also return the notes."""
    if len(header) == 1:
        raise DataError(
            f"{where}: {shortened(header[0])} is a single field; expected names between commas"
        )
    return _match_names([name.strip() for name in header], columns, where)


def _match_names(
    found: Sequence[str], columns: Sequence[Column], where: str
) -> tuple[list[int], list[str]]:
    """Find each column's position among the names; also return the notes."""
    wanted = [column.name for column in columns]
    extra = [name for name in found if name not in wanted]
    for name in wanted:
        if name not in found:
            near = {candidate.lower(): candidate for candidate in extra}
            matches = difflib.get_close_matches(name.lower(), near, n=1)
            hint = f"; rename {near[matches[0]]!r}?" if matches else ""
            raise DataError(f"{where}: the column {name} is missing{hint}")
        if found.count(name) > 1:
            raise DataError(f"{where}: the column {name} stands {found.count(name)} times")
    notes = [f"the extra column {shortened(name)} was dropped" for name in extra]
    return [found.index(name) for name in wanted], notes


def _parse(text: pd.Series, column: Column, where: Callable[[int], str]) -> pd.Series:
    """Turn one column's text, or numbers, into its type; `where` names a row in a complaint."""
    missing = text.isin(MISSING) | text.isna()
    values = column.parse(text).mask(missing)
    refused = values.isna()
    if column.may_be_missing:
        refused &= ~missing
    if refused.any():
        row = int(refused.to_numpy().argmax())
        value = "the value is missing" if missing[row] else f"{_shown(text[row])} is not accepted"
        raise DataError(f"{where(row)}, column {column.name}: {value}; expected {column.expected}")
    # "str" stays as it is: in pandas 2 a cast would spell NaN out.
    return values if column.dtype == "str" else values.astype(column.dtype)


def _shown(value: object) -> str:
    """A value as a complaint quotes it: of NumPy's numbers the number alone."""
    return shortened(value.item() if isinstance(value, np.generic) else value)


def _check_ids_once(table: pd.DataFrame, lines: Lines, file: str) -> None:
    repeated = table["PassengerId"].duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        passenger = table["PassengerId"].iloc[row]
        first = int((table["PassengerId"] == passenger).to_numpy().argmax())
        raise DataError(
            f"{file}, line {lines[row]}, column PassengerId: {passenger} stands twice, "
            f"first on line {lines[first]}"
        )
