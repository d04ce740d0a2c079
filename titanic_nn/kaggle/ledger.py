"""The ledger: submissions/ledger.csv, a row per submission with its state at Kaggle.

`pd.read_csv("submissions/ledger.csv")` reads it. Each change writes the whole file to a new name
and renames it, under a lock, so that neither a kill nor a second process leaves it incomplete.
Reading needs no lock.
"""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from titanic_nn.errors import DataError
from titanic_nn.files import write_text, writing
from titanic_nn.runs.submissions import SUBMISSIONS

LEDGER = SUBMISSIONS / "ledger.csv"

# pending: without a ref, Kaggle may not have it; with one, it has it and is scoring.
# failed: it never reached Kaggle. error: Kaggle has it and could not score it.
Status = Literal["pending", "complete", "error", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger. What is not known is an empty string."""

    time: str  # UTC, just before it was sent
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


class Ledger:
    """The rows of a ledger file, oldest first."""

    def __init__(self, path: Path = LEDGER, *, lock_timeout: float = 60.0) -> None:
        """Reads nothing yet. `lock_timeout`: seconds to wait for another process."""
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=lock_timeout)

    def entries(self) -> list[Entry]:
        """All rows. Raises DataError if the file is not a ledger."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path}: cannot be read ({error})") from None
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise DataError(f"{self.path}, line {reader.line_num}: not CSV ({error})") from None
        return [self._entry(row, line) for line, row in rows]

    def of(self, sha256: str, competition: str) -> list[Entry]:
        """The rows about one file's contents."""
        wanted = (sha256, competition)
        return [one for one in self.entries() if (one.sha256, one.competition) == wanted]

    def sent(self, sha256: str, competition: str) -> Entry | None:
        """The newest row of a file that Kaggle has for sure."""
        rows = self.of(sha256, competition)
        return rows[-1] if rows and rows[-1].ref else None

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

    def _entry(self, row: dict[str, str], line: int) -> Entry:
        if set(row) != set(COLUMNS) or None in row.values():
            raise DataError(
                f"{self.path}, line {line}: expected the columns {', '.join(COLUMNS)}; "
                "correct it, or move it away to start a new ledger"
            )
        if row["status"] not in get_args(Status):
            raise DataError(
                f"{self.path}, line {line}, column status: {row['status']!r} is not accepted; "
                f"expected {', '.join(get_args(Status))}"
            )
        return Entry(**row)  # type: ignore[arg-type]  # its status was checked just now
