"""What a competition's tables must look like. An error names file, line, column and value.

A line is a line of the file, as an editor counts them; a record that spans several lines (a quoted
field may hold a line break) is named by its first. Blanks around a field are not part of it.
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
# No count or amount comes near it; without a bound, 1e300 would reach the nets as infinity.
LARGEST = 1_000_000
# Above it a float64, as which whole numbers are read, cannot tell neighbours apart.
LARGEST_ID = 2**53 - 1


def numbers(text: Text) -> pd.Series:
    """Numbers from 0 to LARGEST; anything else becomes NaN."""
    values = pd.to_numeric(text, errors="coerce").astype("float64")
    return values.where(values.between(0, LARGEST))


def whole_numbers(text: Text, low: int, high: int) -> pd.Series:
    """Whole numbers from `low` to `high`, "3.0" too; anything else becomes NaN."""
    values = pd.to_numeric(text, errors="coerce").astype("float64")
    return values.where((values % 1 == 0) & values.between(low, high))


def one_of(text: Text, allowed: Sequence[str]) -> Text:
    """One of the allowed values; anything else becomes NaN."""
    return text.where(text.isin(allowed))


def any_text(text: Text) -> Text:
    """Any text."""
    return text


def class_codes(text: Text, labels: Sequence[str]) -> pd.Series:
    """The codes 0, 1, ... of labels; anything else becomes NaN."""
    return text.map({label: code for code, label in enumerate(labels)}).astype("float64")


@dataclass(frozen=True)
class Column:
    """One column: its type, and what turns text or numbers into it."""

    name: str
    dtype: Literal["int64", "float64", "str"]
    # Turns what it does not accept into NaN, by which an error is found.
    parse: Callable[[Text], pd.Series]
    expected: str
    may_be_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """The columns of a competition's two tables.

    Attributes:
        id: a row's identifier, unique in both tables.
        target: what is predicted; it parses to the class codes 0 and 1.
        columns: the other columns, which both tables have.
        row_name: what a row is, in the singular, as messages call it: "patient".
        labels: how files write the classes 0 and 1.
        class_names: what the classes mean, in a word or two each: "healthy", "ill".
    """

    id: Column
    target: Column
    columns: tuple[Column, ...]
    row_name: str
    labels: tuple[str, str]
    class_names: tuple[str, str]

    @property
    def train_columns(self) -> tuple[Column, ...]:
        """The columns of a labelled table."""
        return (self.id, self.target, *self.columns)

    @property
    def test_columns(self) -> tuple[Column, ...]:
        """The columns of a table without labels."""
        return (self.id, *self.columns)

    @property
    def row_names(self) -> str:
        """The plural of `row_name`."""
        return f"{self.row_name}s"


@dataclass(frozen=True, eq=False)
class CheckedTable:
    """A table that holds to the schema, and where it came from."""

    file: str
    table: pd.DataFrame  # columns and types as in the schema, rows numbered from 0
    lines: Lines  # (rows,): where in the file each row begins
    notes: tuple[str, ...]  # what was tolerated, for the user to read
    sha256: str  # of the file's bytes, 64 hex digits


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        DataError: there is no such file, it is a folder, it may not be read, …
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file: {error.strerror}") from error


def check_labelled(content: bytes, *, file: str, schema: TableSchema) -> CheckedTable:
    """Check the bytes of a labelled CSV file; messages call it `file`.

    Raises:
        DataError: the bytes break the schema, or all rows have one label.
    """
    checked = check_table(content, file=file, columns=schema.train_columns, id=schema.id)
    codes = checked.table[schema.target.name].unique()
    if len(codes) == 1:
        raise DataError(
            f"{file}, column {schema.target.name}: every {schema.row_name} has "
            f"{schema.labels[codes[0]]}; expected both {' and '.join(schema.labels)}"
        )
    return checked


def read_in_parts(
    stream: BinaryIO, *, file: str, rows: int, schema: TableSchema
) -> Iterator[CheckedTable]:
    """Check a CSV file without labels, so many rows at a time, in bounded memory.

    Args:
        stream: the file, which is read once, from its current position.
        file: what messages call it.
        rows: rows per part.
        schema: the table's; the id column may be left out.

    Raises:
        DataError: the first mistake found. Parts before it have been yielded.
    """
    header, header_lines, lines_before = b"", 0, 0
    columns: Sequence[Column] = ()
    # Hashes of ids, sorted, with the line of each: 16 bytes per row are all that is kept.
    seen, seen_lines = np.empty(0, np.uint64), np.empty(0, np.int64)
    for part in _parts(stream, rows):
        if not columns:
            columns = schema.test_columns if _has_ids(part, schema.id) else schema.columns
        # Below the header, lines of the file that went before are left out.
        number = partial(_number, header=header_lines, left_out=lines_before - header_lines)
        checked = check_table(
            header + part, file=file, columns=columns, id=schema.id, number=number
        )
        if schema.id in columns:
            seen, seen_lines = _check_ids_new(checked, schema.id, seen, seen_lines)
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


def _has_ids(content: bytes, id: Column) -> bool:
    """Whether the header names the id column."""
    text = content.decode("utf-8-sig", errors="replace").replace("\t", " ")
    header = next((f for f in csv.reader(io.StringIO(text, newline="")) if f), [])
    return id.name in [name.strip() for name in header]


def _number(line: int, header: int, left_out: int) -> int:
    """A line's number in the file, of a part that has the header and what comes later."""
    return line if line <= header else line + left_out


def _check_ids_new(
    checked: CheckedTable, id: Column, seen: npt.NDArray[np.uint64], seen_lines: Lines
) -> tuple[npt.NDArray[np.uint64], Lines]:
    """Check that no earlier part has an id of this one; returns all hashes, sorted, and lines."""
    hashes = pd.util.hash_pandas_object(checked.table[id.name], index=False).to_numpy()
    order = hashes.argsort()
    hashes = hashes[order]
    at = seen.searchsorted(hashes)
    if len(seen):
        again = seen[at.clip(max=len(seen) - 1)] == hashes
        if again.any():
            first = int(np.where(again, checked.lines[order], LARGEST_ID).argmin())
            raise DataError(
                f"{checked.file}, line {checked.lines[order][first]}, column {id.name}: "
                f"{checked.table[id.name].iloc[order[first]]} stands twice, first on line "
                f"{seen_lines[at[first]]}"
            )
    return np.insert(seen, at, hashes), np.insert(seen_lines, at, checked.lines[order])


def check_table(
    content: bytes,
    *,
    file: str,
    columns: Sequence[Column],
    id: Column,
    number: Callable[[int], int] = lambda line: line,
) -> CheckedTable:
    """Check a CSV file's bytes against `columns`.

    Columns may come in any order; extra ones are dropped with a note.

    Args:
        content: the file's bytes.
        file: what messages call it.
        columns: the columns that must be there.
        id: the one among them, if it is, whose values must be unique.
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
        raise DataError(f"{file}: has a header but no rows below it")

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
    if id in columns:
        _check_ids_once(table[id.name], lines, file)
    digest = hashlib.sha256(content).hexdigest()
    return CheckedTable(file, table, lines, tuple(f"{file}: {note}" for note in notes), digest)


def check_frame(frame: pd.DataFrame, *, name: str, columns: Sequence[Column]) -> pd.DataFrame:
    """Check a DataFrame against `columns`, as a file is checked; messages call it `name`.

    Returns the columns in the schema's order and types, rows numbered from 0.

    Raises:
        DataError: the first mistake found, by column, row (from 0) and value.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{name}: is a {type(frame).__name__}; expected a pandas DataFrame")
    if not len(frame):
        raise DataError(f"{name}: has no rows")
    positions, _ = _match_names([str(column) for column in frame.columns], columns, name)
    checked = {}
    for column, position in zip(columns, positions, strict=True):
        values = frame.iloc[:, position].reset_index(drop=True)
        if not pd.api.types.is_numeric_dtype(values):
            values = values.astype("str").where(values.notna(), "").str.strip()
        checked[column.name] = _parse(values, column, lambda row: f"{name}, row {row}")
    return pd.DataFrame(checked)


def check_pair(train: CheckedTable, test: CheckedTable, schema: TableSchema) -> None:
    """Check that no row is in both tables.

    Raises:
        DataError: an id of `test` is one of `train`'s.
    """
    ids, train_ids = test.table[schema.id.name], train.table[schema.id.name]
    shared = ids.isin(train_ids).to_numpy()
    if shared.any():
        row = int(shared.argmax())
        train_row = int((train_ids == ids.iloc[row]).to_numpy().argmax())
        raise DataError(
            f"{test.file}, line {test.lines[row]}, column {schema.id.name}: {ids.iloc[row]} also "
            f"stands in {train.file}, line {train.lines[train_row]}; a {schema.row_name} belongs "
            "to one of them"
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


def _check_ids_once(ids: pd.Series, lines: Lines, file: str) -> None:
    repeated = ids.duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        first = int((ids == ids.iloc[row]).to_numpy().argmax())
        raise DataError(
            f"{file}, line {lines[row]}, column {ids.name}: {ids.iloc[row]} stands twice, "
            f"first on line {lines[first]}"
        )
