"""Ledgers: a row per thing that was sent to Kaggle, with its state there.

`Ledger` is submissions/ledger.csv, which `pd.read_csv("submissions/ledger.csv")` reads;
kernel_ledger.py has that of kernels. Each change writes the whole file to a new name and renames
it, under a lock, so that neither a kill nor a second process leaves it incomplete. Reading needs no
lock.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar, get_args

from filelock import FileLock, Timeout

from titanic_nn.errors import DataError
from titanic_nn.files import read_bytes, write_text, writing
from titanic_nn.runs.submissions import SUBMISSIONS

LEDGER = SUBMISSIONS / "ledger.csv"

# pending: without a ref, Kaggle may not have it; with one, it has it and is scoring.
# failed: it never reached Kaggle. error: Kaggle has it and could not score it.
Status = Literal["pending", "complete", "error", "failed"]


class Row(Protocol):
    """What a row of every ledger has; it is a dataclass. What is not known is an empty string."""

    @property
    def time(self) -> str:
        """UTC, just before the request to create it."""

    @property
    def sha256(self) -> str:
        """Of the content."""

    @property
    def place(self) -> str:
        """Where at Kaggle it is sent to; a key is unique there."""

    @property
    def idempotency_key(self) -> str:
        """The key by which it is recognized at Kaggle; see once.py."""

    @property
    def ref(self) -> str:
        """Kaggle's number for it; empty until it is known."""

    @property
    def status(self) -> str:
        """`pending` where Kaggle may have it, or not."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger. What is not known is an empty string."""

    time: str  # UTC, just before the request to create it
    file: str
    sha256: str  # of the file's bytes
    run: str
    model: str
    cv_log_loss: str
    cv_accuracy: str
    competition: str
    idempotency_key: str  # in the description at Kaggle too; see once.py
    ref: str = ""  # Kaggle's number for it
    status: Status
    public_score: str = ""  # as Kaggle writes it
    error: str = ""

    @property
    def place(self) -> str:
        """The competition: a key is unique in it."""
        return self.competition


COLUMNS = tuple(column.name for column in fields(Entry))
# Column -> what it must match, and that in words. The other columns hold any text.
Formats = Mapping[str, tuple[str, str]]
KEY_FORMAT = (".+-[0-9]{1,9}", "hex digits, a hyphen and a number")
NUMBER_FORMAT = ("[0-9]*", "a whole number, or nothing")
_FORMATS: Formats = {
    "status": ("|".join(get_args(Status)), ", ".join(get_args(Status))),
    "ref": NUMBER_FORMAT,
    "idempotency_key": KEY_FORMAT,
}
R = TypeVar("R", bound=Row)


class LedgerOf(Generic[R]):
    """The rows of a ledger file, oldest first."""

    def __init__(
        self, row: type[R], path: Path, formats: Formats, *, lock_timeout: float = 60.0
    ) -> None:
        """Reads nothing yet. `lock_timeout`: seconds to wait for another process."""
        self.path = path
        self._type = row
        self._columns = tuple(column.name for column in fields(row))  # type: ignore[arg-type]
        self._formats = formats
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=lock_timeout)

    def entries(self) -> list[R]:
        """All rows. Raises DataError if the file is not a ledger."""
        if not self.path.exists():
            return []
        try:
            text = read_bytes(self.path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: cannot be read ({error})") from None
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            self._check_columns(reader.fieldnames or (), line=1)
            entries = [self._entry(row, reader.line_num) for row in reader]
        except csv.Error as error:
            raise DataError(f"{self.path}, line {reader.line_num}: not CSV ({error})") from None
        keys = Counter((one.place, one.idempotency_key) for one in entries)
        for (_, key), number in keys.items():
            if number > 1:
                raise DataError(
                    f"{self.path}, column idempotency_key: {number} rows have {key}; keep one"
                )
        return entries

    def of(self, sha256: str, place: str) -> list[R]:
        """The rows about one content."""
        wanted = (sha256, place)
        return [one for one in self.entries() if (one.sha256, one.place) == wanted]

    def sent(self, sha256: str, place: str) -> R | None:
        """The newest row of a content, if Kaggle has it for sure."""
        rows = self.of(sha256, place)
        return rows[-1] if rows and rows[-1].ref else None

    def cut_off(self, sha256: str, place: str) -> R | None:
        """The newest row of a content, if Kaggle may have it: no answer was recorded."""
        rows = self.of(sha256, place)
        return rows[-1] if rows and is_open(rows[-1]) else None

    def put(self, entry: R) -> None:
        """Add a row, or replace the one with the same key and place."""
        with self.locked():
            rows = {(one.place, one.idempotency_key): one for one in self.entries()}
            rows[entry.place, entry.idempotency_key] = entry
            text = io.StringIO()
            writer = csv.DictWriter(text, self._columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in rows.values())  # type: ignore[call-overload]
            write_text(self.path, text.getvalue())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing; reentrant. Raises DataError if one keeps the lock."""
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock = self._lock.acquire()
            except Timeout:
                raise DataError(
                    f"{self.path}: another process is submitting; try again when it is done"
                ) from None
        with lock:
            yield

    def _check_columns(self, columns: Iterable[str | None], line: int) -> None:
        if set(columns) != set(self._columns):
            raise DataError(
                f"{self.path}, line {line}: expected the columns {', '.join(self._columns)}; "
                "correct it, or move it away to start a new ledger"
            )

    def _entry(self, row: dict[str, str], line: int) -> R:
        self._check_columns(row if None not in row.values() else (), line)
        for column, (pattern, expected) in self._formats.items():
            if not re.fullmatch(pattern, row[column]):
                raise DataError(
                    f"{self.path}, line {line}, column {column}: {row[column]!r} is not accepted; "
                    f"expected {expected}"
                )
        return self._type(**row)


class Ledger(LedgerOf[Entry]):
    """The ledger of submissions."""

    def __init__(self, path: Path = LEDGER, *, lock_timeout: float = 60.0) -> None:
        """Reads nothing yet. `lock_timeout`: seconds to wait for another process."""
        super().__init__(Entry, path, _FORMATS, lock_timeout=lock_timeout)


def is_open(row: Row) -> bool:
    """Whether Kaggle may have it, or not: no answer was recorded."""
    return row.status == "pending" and not row.ref
