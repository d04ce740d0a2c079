"""Send a submission exactly once, whatever happens on the way; kernel_once.py sends kernels so.

The call that creates a submission may be cut, or this process killed, when Kaggle has the
submission, or is about to have it, and we do not know its ref. So:

1. An idempotency key is made from the file's SHA-256 and a count, "1a2b3c4d5e6f-1". The description
   that Kaggle keeps starts with it, so Kaggle's own list tells, even if the ledger is lost.
2. Under the ledger's lock, that list is searched for the key. What is there is not sent again.
3. If it isn't there, the file is uploaded. Then a row `pending`, without a ref, is written to the
   ledger, with the time: from now on a submission with this key may exist. Then it is created.
4. The ref in Kaggle's reply is written to the row. Without a reply (`UnknownOutcomeError`) the list
   is searched several times, since Kaggle may still be creating it.
5. A process that finds such a row searches until VISIBLE_AFTER seconds after its time, when a
   submission that was being created then must be in the list. Only then does it go on with step 3.

`--resend` takes the next count. Waiting for the score only asks, by ref. `Once` has the steps; what
is sent, and where it is searched, is its subclasses'.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from titanic_nn.errors import KaggleError, SubmissionError, TitanicError
from titanic_nn.escape import printable
from titanic_nn.kaggle.faults import TransientError, UnknownOutcomeError
from titanic_nn.kaggle.ledger import Entry, Ledger, LedgerOf, Row
from titanic_nn.kaggle.service import TRIES, Kaggle, Submission
from titanic_nn.runs.submissions import SubmissionFile

SEARCHES = 6  # of Kaggle's list, at least, for a submission that may be being created
# Seconds after which a submission that was being created is in Kaggle's list, if it was created at
# all. Kaggle names no limit. This is ten times as long as our own call waits for the answer, and
# for how long a web service commonly works on one request at most.
VISIBLE_AFTER = 300.0
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

R = TypeVar("R", bound=Row)
# From a description, and what to call just before the request to create it, to Kaggle's ref.
Create = Callable[[str, Callable[[], None]], int]


class Once(ABC, Generic[R]):
    """One thing that is sent exactly once."""

    what: str  # is sent, in a message

    def __init__(self, kaggle: Kaggle, ledger: LedgerOf[R]) -> None:
        """Calls nothing yet."""
        self.kaggle = kaggle
        self.ledger = ledger

    @abstractmethod
    def open_row(self) -> R:
        """The row to send or to find: one still open, one that Kaggle has, or a new one."""

    @abstractmethod
    def cut_off(self) -> R | None:
        """The row of an earlier try that Kaggle may have; it must be settled first."""

    @abstractmethod
    def find(self, row: R) -> R | None:
        """Search Kaggle, once, for what a row is about; what is found is recorded."""

    @abstractmethod
    def check(self) -> None:
        """Raise SubmissionError where Kaggle would take no more at present."""

    @abstractmethod
    def create(self, row: R, before_creation: Callable[[], None]) -> Mapping[str, str]:
        """Send it; returns the columns of its row that are known now, the ref among them.

        Raises UnknownOutcomeError if Kaggle may have it.
        """

    def send(self, on_state: Callable[[str], None], *, now: bool = False) -> R:
        """Return the row with its ref: found at Kaggle, or sent there now.

        If the last try was cut while Kaggle may have been creating it, wait until it would be
        visible (`seconds_left`) before sending again; with `now`, search only once.

        Raises:
            SubmissionError: Kaggle does not accept it, now or at all.
            KaggleError: Kaggle or the connection failed. Calling again is always safe.
            DataError: the ledger cannot be read or written.
        """
        ends: dict[str, float] = {}  # of the waits, by the row's time, which others may renew
        for number, pause in enumerate(self.kaggle.retry_policy.pauses(), start=1):
            # Not locked while waiting, so that others can send other things.
            with self.ledger.locked():
                row, cut_off = self.open_row(), self.cut_off()
                if row.ref:
                    return row
                if not cut_off:
                    return self._create(row)
                end = ends.setdefault(cut_off.time, time.monotonic() + seconds_left(cut_off))
                left = end - time.monotonic()
                if found := self.find(cut_off):
                    if found.idempotency_key == row.idempotency_key:
                        return found
                    continue
                if now:
                    return self._create(row, cut_off=cut_off)
                if left <= 0 and number >= SEARCHES:
                    if cut_off.idempotency_key != row.idempotency_key:
                        self.ledger.put(_changed(cut_off, status="failed", error="cut off"))
                    return self._create(row)
            on_state(f"searching for what the last try may have sent, {max(left, 0):.0f} s left")
            time.sleep(min(pause, left) if left > 0 else pause)
        raise AssertionError("the pauses do not end")

    def _create(self, row: R, *, cut_off: R | None = None) -> R:
        """Send what Kaggle does not have, and record it.

        `cut_off` is a row of an earlier try that may yet arrive; it is kept if this one fails.
        """

        def record_creation() -> None:
            nonlocal row
            row = _changed(row, time=f"{datetime.now(UTC):{TIME_FORMAT}}")
            self.ledger.put(row)

        for pause in (*islice(self.kaggle.retry_policy.pauses(), TRIES - 1), None):
            self.check()
            try:
                known = self.create(row, record_creation)
            except UnknownOutcomeError as error:
                if found := self._search(row):
                    return found
                raise KaggleError(
                    f"{error}; whether the {self.what} arrived is not known yet: "
                    "run the same command again, it searches before it sends"
                ) from None
            except TitanicError as error:
                self.ledger.put(cut_off or _changed(row, status="failed", error=str(error)))
                if not isinstance(error, TransientError) or pause is None:
                    raise
                self.kaggle.wait_to_retry(error, pause)
                if found := self.find(row):
                    return found
            else:
                row = _changed(row, **known)
                self.ledger.put(row)
                return row
        raise AssertionError("the last try returns or raises")

    def _search(self, row: R) -> R | None:
        """Search Kaggle several times, with growing pauses between searches."""
        for number, pause in enumerate(islice(self.kaggle.retry_policy.pauses(), SEARCHES), 1):
            if found := self.find(row):
                return found
            if number < SEARCHES:
                time.sleep(pause)
        return None


def seconds_left(row: Row) -> float:
    """For how long what was cut off may still appear at Kaggle."""
    try:
        created = datetime.strptime(row.time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:  # edited by hand
        return VISIBLE_AFTER
    # The row is in the future if the clock was set back since.
    age = max(0.0, (datetime.now(UTC) - created).total_seconds())
    return max(0.0, VISIBLE_AFTER - age)


def _changed(row: R, **columns: str) -> R:
    changed: R = replace(row, **columns)  # type: ignore[type-var]  # a protocol has no fields
    return changed


class SubmitOnce(Once[Entry]):
    """A submission, recognized in Kaggle's list by its description."""

    what = "submission"

    def __init__(
        self,
        new: Entry,
        create: Create,
        message: str,
        kaggle: Kaggle,
        ledger: Ledger,
        *,
        resend: bool = False,
    ) -> None:
        """`new` is its row, without a key; `create` sends it."""
        super().__init__(kaggle, ledger)
        self._new, self._send, self._message, self._resend = new, create, message, resend

    def cut_off(self) -> Entry | None:
        return self.ledger.cut_off(self._new.sha256, self.kaggle.competition)

    def open_row(self) -> Entry:
        if cut_off := self.cut_off():
            return cut_off
        rows = self.ledger.of(self._new.sha256, self.kaggle.competition)
        if rows and rows[-1].ref and not self._resend:
            return rows[-1]
        stem = self._new.sha256[:12]
        counts = {int(row.idempotency_key.rpartition("-")[2]): row.ref for row in rows if row.ref}
        # Sent from elsewhere, or before the ledger was lost?
        for submission in self.kaggle.submissions():
            if match := re.match(rf"\[titanic_nn {stem}-([0-9]+)\]", submission.description):
                count = int(match[1])
                if count not in counts:
                    counts[count] = str(submission.ref)
                    if not self._resend:
                        found = replace(self._new, idempotency_key=f"{stem}-{count}")
                        return _record(found, submission, self.ledger)
        return replace(self._new, idempotency_key=f"{stem}-{max(counts, default=0) + 1}")

    def find(self, row: Entry) -> Entry | None:
        return _find(row, self.kaggle, self.ledger)

    def check(self) -> None:
        if limit := self.kaggle.daily_limit_reached():
            raise SubmissionError(
                f"the daily limit of submissions is reached ({limit} today); "
                "it is reset at midnight UTC"
            )

    def create(self, row: Entry, before_creation: Callable[[], None]) -> Mapping[str, str]:
        return {"ref": str(self._send(_description(row, self._message), before_creation))}


def new_entry(file: SubmissionFile, competition: str) -> Entry:
    """A file's row in the ledger, without a key."""
    return Entry(
        time=f"{datetime.now(UTC):{TIME_FORMAT}}",
        file=printable(str(file.path)),
        sha256=file.sha256,
        run=printable(Path(file.manifest.run).name) if file.manifest else "",
        model=file.manifest.model if file.manifest else "",
        cv_log_loss=file.score("log_loss"),
        cv_accuracy=file.score("accuracy"),
        competition=competition,
        idempotency_key="",
        status="pending",
    )


def wait(
    entry: Entry, kaggle: Kaggle, ledger: LedgerOf[Entry], on_state: Callable[[str], None]
) -> Entry:
    """Poll until the submission is complete or an error; record its state.

    Raises KaggleError if it is neither in time, or Kaggle cannot be asked.
    """
    start = time.monotonic()
    for pause in kaggle.retry_policy.pauses():
        submission = kaggle.submission(int(entry.ref))
        updated = _record(entry, submission, ledger)
        if updated.status != "pending":
            return updated
        waited = time.monotonic() - start
        left = kaggle.retry_policy.total - waited
        if left <= 0:
            break
        on_state(f"submission {entry.ref} is {submission.status}, {waited:.0f} s")
        time.sleep(min(pause, left))
    raise KaggleError(
        f"no score within {kaggle.retry_policy.total:g} s; submission {entry.ref} is at Kaggle: "
        "the same command goes on waiting, `--list` asks once"
    )


def refresh(entry: Entry, kaggle: Kaggle, ledger: LedgerOf[Entry]) -> Entry:
    """Update an entry with its present state at Kaggle; sends nothing."""
    if entry.ref:
        return _record(entry, kaggle.submission(int(entry.ref)), ledger)
    return _find(entry, kaggle, ledger) or entry


def _find(entry: Entry, kaggle: Kaggle, ledger: LedgerOf[Entry]) -> Entry | None:
    """Search Kaggle's list for an entry's key, and record what is found."""
    key = _description(entry, "")
    for submission in kaggle.submissions():
        if submission.description.startswith(key):
            return _record(entry, submission, ledger)
    return None


def _description(entry: Entry, message: str) -> str:
    """The description at Kaggle. The key comes first, so that shortening keeps it."""
    return " ".join(f"[titanic_nn {entry.idempotency_key}] {message}".split())


def _record(entry: Entry, submission: Submission, ledger: LedgerOf[Entry]) -> Entry:
    """Record Kaggle's state. Complete without a score is still pending."""
    scored = submission.status != "complete" or submission.public_score
    status = submission.status if scored else "pending"
    updated = replace(
        entry,
        ref=str(submission.ref),
        status=status,
        public_score=submission.public_score,
        error=submission.error if status == "error" else "",
    )
    if updated != entry:
        ledger.put(updated)
    return updated
