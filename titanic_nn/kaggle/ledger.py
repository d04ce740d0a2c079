"""The ledger: submissions/ledger.csv, a row per submission with its state at Kaggle.

`pd.read_csv("submissions/ledger.csv")` reads it. Each change writes the whole file to a new name
and renames it, under a lock, so that neither a kill nor a second process leaves it incomplete.
Reading needs no lock.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from titanic_nn.errors import DataError
from titanic_nn.files import read_bytes, write_text, writing
from titanic_nn.runs.submissions import SUBMISSIONS

LEDGER = SUBMISSIONS / "ledger.csv"

# pending: without a ref, Kaggle may not have it; with one, it has it and is scoring.
# failed: it never reached Kaggle. error: Kaggle has it and could not score it.
Status = Literal["pending", "complete", "error", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger. What is not known is an empty string."""

    time: str  # UTC, just before Kaggle was told to create it
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


COLUMNS = tuple(column.name for column in fields(Entry))
# Column -> what it must match, and that in words. The other columns hold any text.
_FORMATS = {
    "status": ("|".join(get_args(Status)), ", ".join(get_args(Status))),
    "ref": ("[0-9]*", "a whole number, or nothing"),
    "idempotency_key": (".+-[0-9]{1,9}", "hex digits, a hyphen and a number"),
}


class Ledger:
    """The rows of a ledger file, oldest first."""

    def __init__(self, path: Path = LEDGER, *, lock_timeout: float = 60.0) -> None:
        """Reads nothing yet. `lock_timeout`: seconds to wait for another process."""
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=lock_timeout)

    def entries(self) -> list[Entry]:
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
        keys = Counter((one.competition, one.idempotency_key) for one in entries)
        for (_, key), number in keys.items():
            if number > 1:
                raise DataError(
                    f"{self.path}, column idempotency_key: {number} rows have {key}; keep one"
                )
        return entries

    def of(self, sha256: str, competition: str) -> list[Entry]:
        """The rows about one file's contents."""
        wanted = (sha256, competition)
        return [one for one in self.entries() if (one.sha256, one.competition) == wanted]

    def sent(self, sha256: str, competition: str) -> Entry | None:
        """The newest row of a file, if Kaggle has it for sure."""
        rows = self.of(sha256, competition)
        return rows[-1] if rows and rows[-1].ref else None

    def cut_off(self, sha256: str, competition: str) -> Entry | None:
        """The newest row of a file, if Kaggle may have it: no answer was recorded."""
        rows = self.of(sha256, competition)
        return rows[-1] if rows and rows[-1].status == "pending" and not rows[-1].ref else None

    def put(self, entry: Entry) -> None:
        """Add a row, or replace the one with the same key and competition."""
        with self.locked():
            rows = {(one.competition, one.idempotency_key): one for one in self.entries()}
            rows[entry.competition, entry.idempotency_key] = entry
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in rows.values())
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
        if set(columns) != set(COLUMNS):
            raise DataError(
                f"{self.path}, line {line}: expected the columns {', '.join(COLUMNS)}; "
                "correct it, or move it away to start a new ledger"
            )

    def _entry(self, row: dict[str, str], line: int) -> Entry:
        self._check_columns(row if None not in row.values() else (), line)
        for column, (pattern, expected) in _FORMATS.items():
            if not re.fullmatch(pattern, row[column]):
                raise DataError(
                    f"{self.path}, line {line}, column {column}: {row[column]!r} is not accepted; "
                    f"expected {expected}"
                )
        return Entry(**row)  # type: ignore[arg-type]  # its status was checked just now
