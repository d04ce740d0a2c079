"""What a competition's tables must look like. An error names file, line, column and value.

A line is a line of the file, as an editor counts them; a record that spans several lines (a quoted
field may hold a line break) is named by its first. Blanks around a field are not part of it.
"""

import csv
import difflib
import gc
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from reprlib import repr as shortened
from typing import BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from titanic_nn.errors import ConfigError, DataError

Text: TypeAlias = "pd.Series[str]"
Lines: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Record: TypeAlias = tuple[int, list[str]]  # the line it begins on, and its fields

MISSING = ("", "NA", "NaN", "nan")
# No count or amount comes near it; without a bound, 1e300 would reach the nets as infinity.
LARGEST = 1_000_000
LONGEST_TEXT = 1000  # characters of a cell; the longest name on Kaggle has 82
LONGEST_LINE = 2**26  # bytes; without a bound, a file without line breaks would fill the memory
ROWS_AT_ONCE = 2**16  # of a file as lists of texts, which take more memory than its table
# Above it a float64, as which whole numbers are read, cannot tell neighbours apart.
LARGEST_ID = 2**53 - 1


def numbers(text: Text, low: float = 0, high: float = LARGEST) -> pd.Series:
    """Numbers from `low` to `high`; anything else becomes NaN."""
    values = pd.to_numeric(text, errors="coerce").astype("float64")
    return values.where(values.between(low, high))


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


def as_targets(codes: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Class codes (rows,) as nets and metrics take them: of more than two classes one-hot.

    One-hot targets are (rows, classes); codes of two classes are returned as they are.
    """
    return codes if classes == 2 else (codes[:, None] == np.arange(classes)).astype(np.int64)


@dataclass(frozen=True)
class Column:
    """One column: its type, and what turns text or numbers into it."""

    name: str
    dtype: Literal["int64", "float64", "str"]
    # Turns what it does not accept into NaN, by which an error is found.
    parse: Callable[[Text], pd.Series]
    expected: str
    may_be_missing: bool = False
    named_by: str = ""  # the file that names it, if a user's does; messages name that too


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """The columns of a competition's two tables."""

    id: Column  # a row's identifier, unique in both tables
    target: Column  # what is predicted; it parses to the class codes 0, 1, ...
    columns: tuple[Column, ...]  # the others, which both tables have
    ignored: tuple[str, ...] = ()  # further columns, which are dropped without a note
    row_name: str  # what a row is, in the singular, as messages call it: "patient"
    labels: tuple[str, ...]  # how files write the classes 0, 1, ...; two or more
    class_names: tuple[str, ...]  # what they mean, in a word or two each: "healthy", "ill"
    # What a submission states of each row: the likeliest class's label; or probabilities, of two
    # classes that of class 1, under the target's name, of more a column per label.
    submission: Literal["labels", "probabilities"] = "labels"

    def __post_init__(self) -> None:
        if self.id.name in self.submission_columns:
            raise ConfigError(
                f"a submission has the columns {', '.join(self.submission_columns)} and the id's, "
                f"{self.id.name}: choose another name"
            )

    @property
    def train_columns(self) -> tuple[Column, ...]:
        """The columns of a labelled table."""
        return (self.id, self.target, *self.columns)

    @property
    def test_columns(self) -> tuple[Column, ...]:
        """The columns of a table without labels."""
        return (self.id, *self.columns)

    @property
    def submission_columns(self) -> tuple[str, ...]:
        """The columns of a submission after the id."""
        of_labels = self.submission == "probabilities" and len(self.labels) > 2
        return self.labels if of_labels else (self.target.name,)

    @property
    def meanings(self) -> dict[str, str]:
        """What each label means."""
        return dict(zip(self.labels, self.class_names, strict=True))

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


def check_labelled(content: bytes, *, file: str, schema: TableSchema) -> CheckedTable:
    """Check a labelled CSV file as `check_table` does, and that its rows have several labels."""
    checked = check_table(
        content, file=file, columns=schema.train_columns, id=schema.id, ignored=schema.ignored
    )
    codes = checked.table[schema.target.name].unique()
    if len(codes) == 1:
        expected = "both " if len(schema.labels) == 2 else ""
        raise DataError(
            f"{file}, column {schema.target.name}: every {schema.row_name} has "
            f"{schema.labels[codes[0]]}; expected {expected}{' and '.join(schema.labels)}"
        )
    return checked


def check_table(
    content: bytes,
    *,
    file: str,
    columns: Sequence[Column],
    id: Column,
    ignored: Sequence[str] = (),
) -> CheckedTable:
    """Check a CSV file's bytes against `columns`.

    Columns may come in any order; extra ones are dropped with a note.

    Args:
        content: the file's bytes.
        file: what messages call it.
        columns: the columns that must be there.
        id: the one among them whose values must be unique.
        ignored: extra columns that are dropped without a note.

    Raises:
        DataError: the first mistake found.
    """
    with _without_collection():
        parts = list(_parts(io.BytesIO(content), file, columns, id, ROWS_AT_ONCE, ignored=ignored))
    if len(parts) == 1:
        return parts[0]
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return CheckedTable(file, table, np.concatenate([p.lines for p in parts]), parts[0].notes)


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection: it would search millions of texts, none of which is in a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_in_parts(
    stream: BinaryIO, *, file: str, rows: int | None, schema: TableSchema
) -> Iterator[CheckedTable]:
    """Check a CSV file without labels, which may lack the id column, so many rows at a time.

    Memory is bounded, unless `rows` is None: then all are read at once. The file is read once, from
    the stream's current position.

    Raises:
        DataError: the first mistake found. Parts before it have been yielded.
    """
    columns, ignored = schema.test_columns, schema.ignored
    return _parts(stream, file, columns, schema.id, rows, may_lack_id=True, ignored=ignored)


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
    for column, at in zip(columns, positions, strict=True):
        values = frame.iloc[:, at].reset_index(drop=True)
        if column.dtype == "str" or not pd.api.types.is_any_real_numeric_dtype(values):
            values = _as_text(values)
        checked[column.name] = _parse(values, column, f"{name}, row", range(len(frame)))
    return pd.DataFrame(checked)


def _as_text(values: pd.Series) -> Text:
    """Values as a file would have them: blanks taken off, "" where one is missing."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # what pandas makes of whole numbers beside a missing one
    return values.astype("str").where(values.notna(), "").str.strip()


def check_pair(train: CheckedTable, test: CheckedTable, schema: TableSchema) -> None:
    """Check that no row is in both tables. Raises DataError where an id is."""
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


def column_names(content: bytes, *, file: str) -> list[str]:
    """The names in a CSV file's header. Raises DataError where it has none."""
    return _header(_records(io.BytesIO(content), file), file)[1]


def text_table(content: bytes, *, file: str) -> tuple[pd.DataFrame, Lines]:
    """A CSV file's cells as text, NaN where one is missing, and the line of each row.

    Raises DataError where it is not CSV, has no rows, or has a column twice.
    """
    records = _records(io.BytesIO(content), file)
    line, header = _header(records, file)
    for name in header:
        if name and header.count(name) > 1:
            raise DataError(
                f"{file}, line {line}: the column {name} stands {header.count(name)} times"
            )
    rows = list(records)
    if not rows:
        raise DataError(f"{file}: has a header but no rows below it")
    texts = zip(*(fields for _, fields in rows), strict=True)  # (columns, rows)
    columns = [pd.Series(text, dtype=str) for text in texts]
    table = pd.concat([text.mask(text.isin(MISSING)) for text in columns], axis=1)
    return table.set_axis(header, axis=1), np.array([line for line, _ in rows], np.int64)


def _text(stream: BinaryIO, file: str) -> Iterator[str]:
    """Yield a file's lines, each with its line break, once they are known to be UTF-8."""
    blocks = iter(lambda: stream.readline(LONGEST_LINE), b"")
    lines = (line for block in blocks for line in block.splitlines(keepends=True))
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{file}, line 1: is UTF-16 text; save it as UTF-8")
        if b"\0" in line:
            raise DataError(f"{file}, line {number}: holds a NUL byte; save it as UTF-8 text")
        if len(line) == LONGEST_LINE:
            raise DataError(f"{file}, line {number}: has {LONGEST_LINE} bytes and more")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}, line {number}: the byte 0x{error.object[error.start]:02x} is not UTF-8; "
                "save the file as UTF-8"
            ) from error
        yield text.replace("\t", " ")  # csv passes over blanks, not tabs, before a quote


def _records(stream: BinaryIO, file: str) -> Iterator[Record]:
    """Yield the header's record and all others, which must be as wide; empty lines are left out."""
    reader = csv.reader(_text(stream, file), strict=True, skipinitialspace=True)
    line, width = 1, 0
    try:
        for fields in reader:
            width = width or len(fields)
            if fields and len(fields) != width:
                raise DataError(
                    f"{file}, line {line}: the record that begins with {shortened(fields[0])} has "
                    f"{len(fields)} fields, the header has {width}; "
                    "put double quotes around a field that holds a comma"
                )
            if fields:
                yield line, [field.strip() for field in fields]
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{file}, line {line}: not valid CSV ({error}); check the double quotes from there on"
        ) from error


def _header(records: Iterator[Record], file: str) -> Record:
    """A file's first record, which holds the columns' names."""
    line, header = next(records, (0, []))
    if not header:
        raise DataError(f"{file}: is empty; expected a CSV file with a header line")
    if len(header) == 1:
        raise DataError(
            f"{file}, line {line}: {shortened(header[0])} is a single field; expected names "
            "between commas"
        )
    return line, header


def _parts(
    stream: BinaryIO,
    file: str,
    columns: Sequence[Column],
    id: Column,
    rows: int | None = None,
    *,
    may_lack_id: bool = False,
    ignored: Sequence[str] = (),
) -> Iterator[CheckedTable]:
    """Check a file, so many rows at a time or, by default, all at once."""
    records = _records(stream, file)
    header_line, header = _header(records, file)
    where = f"{file}, line {header_line}"
    if may_lack_id and id.name not in header:
        columns = [column for column in columns if column != id]
    positions, extra = _match_names(header, columns, where)
    notes = tuple(
        f"{file}: the extra column {shortened(name)} was dropped"
        for name in extra
        if name not in ignored
    )
    # Hashes of ids, sorted, with the line of each: 16 bytes per row are all that is kept.
    seen = np.empty(0, np.uint64), np.empty(0, np.int64)
    part = list(islice(records, rows))
    if not part:
        raise DataError(f"{file}: has a header but no rows below it")
    while part:
        lines = np.array([line for line, _ in part], np.int64)  # (rows,)
        texts = list(zip(*(fields for _, fields in part), strict=True))  # (fields, rows)
        table = pd.DataFrame(
            {
                column.name: _parse(
                    pd.Series(_shared(texts[at]), dtype=str), column, f"{file}, line", lines
                )
                for column, at in zip(columns, positions, strict=True)
            }
        )
        if id in columns:
            seen = _check_ids(table[id.name], lines, file, *seen)
        yield CheckedTable(file, table, lines, notes)
        part = list(islice(records, rows))


def _shared(texts: Sequence[str]) -> list[str]:
    """The same texts, equal ones as one object: a column with few values takes little memory."""
    known: dict[str, str] = {}
    return [known.setdefault(text, text) for text in texts]


def _check_ids(
    ids: pd.Series, lines: Lines, file: str, seen: Hashes, seen_lines: Lines
) -> tuple[Hashes, Lines]:
    """Check that each id is a new one; returns the hashes of all, sorted, and their lines."""
    hashes = np.concatenate([seen, pd.util.hash_pandas_object(ids, index=False).to_numpy()])
    all_lines = np.concatenate([seen_lines, lines])
    order = hashes.argsort(kind="stable")
    hashes, all_lines = hashes[order], all_lines[order]
    repeated = np.flatnonzero(hashes[1:] == hashes[:-1])
    if len(repeated):
        first = repeated[all_lines[repeated + 1].argmin()]
        line = all_lines[first + 1]
        raise DataError(
            f"{file}, line {line}, column {ids.name}: {ids.iloc[lines.searchsorted(line)]} stands "
            f"twice, first on line {all_lines[first]}"
        )
    return hashes, all_lines


def _match_names(
    found: Sequence[str], columns: Sequence[Column], where: str
) -> tuple[list[int], list[str]]:
    """Find each column's position among the names; also return the names of extra columns."""
    wanted = [column.name for column in columns]
    extra = [name for name in found if name not in wanted]
    for name, column in zip(wanted, columns, strict=True):
        if name not in found:
            near = {other.lower(): other for other in extra}
            matches = difflib.get_close_matches(name.lower(), near, n=1)
            hint = f"; rename {near[matches[0]]!r}?" if matches else ""
            by = f", which {column.named_by} names," if column.named_by else ""
            raise DataError(f"{where}: the column {name}{by} is missing{hint}")
        if found.count(name) > 1:
            raise DataError(f"{where}: the column {name} stands {found.count(name)} times")
    return [found.index(name) for name in wanted], extra


def _parse(text: pd.Series, column: Column, where: str, rows: Sequence[int] | Lines) -> pd.Series:
    """Turn one column's text, or numbers, into its type; a complaint names a row of `rows`."""
    missing = text.isin(MISSING) | text.isna()
    values = column.parse(text).mask(missing)
    refused = values.isna()
    if column.may_be_missing:
        refused &= ~missing
    expected = column.expected
    if column.dtype == "str":
        too_long = text.str.len() > LONGEST_TEXT
        refused |= too_long
        if too_long.any():
            expected += f", at most {LONGEST_TEXT} characters"
    if refused.any():
        row = int(refused.to_numpy().argmax())
        shown = shortened(text[[row]].tolist()[0])  # of NumPy's numbers the number alone
        value = "the value is missing" if missing[row] else f"{shown} is not accepted"
        raise DataError(f"{where} {rows[row]}, column {column.name}: {value}; expected {expected}")
    # "str" stays as it is: in pandas 2 a cast would spell NaN out.
    return values if column.dtype == "str" else values.astype(column.dtype)
