"""Send a file exactly once, whatever happens on the way.

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

`--resend` takes the next count. Waiting for the score only asks, by ref.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from titanic_nn.errors import KaggleError, SubmissionError, TitanicError
from titanic_nn.escape import printable
from titanic_nn.kaggle.faults import TransientError, UnknownOutcomeError
from titanic_nn.kaggle.ledger import Entry, Ledger
from titanic_nn.kaggle.service import TRIES, Kaggle, Submission
from titanic_nn.runs.submissions import SubmissionFile

SEARCHES = 6  # of Kaggle's list, at least, for a submission that may be being created
# Seconds after which a submission that was being created is in Kaggle's list, if it was created at
# all. Kaggle names no limit. This is ten times as long as our own call waits for the answer, and
# for how long a web service commonly works on one request at most.
VISIBLE_AFTER = 300.0
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def send(
    file: SubmissionFile,
    message: str,
    kaggle: Kaggle,
    ledger: Ledger,
    on_state: Callable[[str], None],
    *,
    resend: bool = False,
    now: bool = False,
) -> Entry:
    """Return the file's ledger entry with its ref: found at Kaggle, or sent there now.

    If the last try was cut while Kaggle may have been creating the submission, wait until it would
    be in Kaggle's list (`seconds_left`) before sending again; with `now`, search only once.

    Raises:
        SubmissionError: Kaggle does not accept it, now or at all.
        KaggleError: Kaggle or the connection failed. Calling again is always safe.
        DataError: the ledger cannot be read or written.
    """
    ends: dict[str, float] = {}  # of the waits, by the row's time, which another process may renew
    for number, pause in enumerate(kaggle.retry_policy.pauses(), start=1):
        # Not locked while waiting, so that others can submit other files.
        with ledger.locked():
            entry = _open_entry(file, kaggle, ledger, resend=resend)
            if entry.ref:
                return entry
            cut_off = ledger.cut_off(file.sha256, kaggle.competition)
            if not cut_off:
                return _create(entry, file, message, kaggle, ledger)
            end = ends.setdefault(entry.time, time.monotonic() + seconds_left(entry))
            left = end - time.monotonic()
            if found := _search(entry, kaggle, searches=1):
                return _record(entry, found, ledger)
            if now:
                return _create(entry, file, message, kaggle, ledger, cut_off=cut_off)
            if left <= 0 and number >= SEARCHES:
                return _create(entry, file, message, kaggle, ledger)
        on_state(f"searching for what the last try may have sent, {max(left, 0):.0f} s left")
        time.sleep(min(pause, left) if left > 0 else pause)
    raise AssertionError("the pauses do not end")


def seconds_left(entry: Entry) -> float:
    """For how long a submission that was cut off may still appear in Kaggle's list."""
    try:
        created = datetime.strptime(entry.time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:  # edited by hand
        return VISIBLE_AFTER
    # The row is in the future if the clock was set back since.
    age = max(0.0, (datetime.now(UTC) - created).total_seconds())
    return max(0.0, VISIBLE_AFTER - age)


def _create(
    entry: Entry,
    file: SubmissionFile,
    message: str,
    kaggle: Kaggle,
    ledger: Ledger,
    *,
    cut_off: Entry | None = None,
) -> Entry:
    """Send what is not in Kaggle's list, and record it.

    `cut_off` is a row of an earlier try that may yet arrive; it is kept if this one fails.
    """

    def record_creation() -> None:
        nonlocal entry
        entry = replace(entry, time=f"{datetime.now(UTC):{TIME_FORMAT}}")
        ledger.put(entry)

    for pause in (*islice(kaggle.retry_policy.pauses(), TRIES - 1), None):
        if limit := kaggle.daily_limit_reached():
            raise SubmissionError(
                f"the daily limit of submissions is reached ({limit} today); "
                "it is reset at midnight UTC"
            )
        description = _description(entry, message)
        try:
            ref = kaggle.submit(file.content, file.path.name, description, record_creation)
        except UnknownOutcomeError as error:
            if found := _search(entry, kaggle, SEARCHES):
                return _record(entry, found, ledger)
            raise KaggleError(
                f"{error}; whether the submission arrived is not known yet: "
                "run the same command again, it searches before it sends"
            ) from None
        except TitanicError as error:
            ledger.put(cut_off or replace(entry, status="failed", error=str(error)))
            if not isinstance(error, TransientError) or pause is None:
                raise
            kaggle.wait_to_retry(error, pause)
            if found := _search(entry, kaggle, searches=1):
                return _record(entry, found, ledger)
        else:
            entry = replace(entry, ref=str(ref))
            ledger.put(entry)
            return entry
    raise AssertionError("the last try returns or raises")


def wait(entry: Entry, kaggle: Kaggle, ledger: Ledger, on_state: Callable[[str], None]) -> Entry:
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


def refresh(entry: Entry, kaggle: Kaggle, ledger: Ledger) -> Entry:
    """Update an entry with its present state at Kaggle; sends nothing."""
    if entry.ref:
        return _record(entry, kaggle.submission(int(entry.ref)), ledger)
    found = _search(entry, kaggle, searches=1)
    return _record(entry, found, ledger) if found else entry


def _open_entry(file: SubmissionFile, kaggle: Kaggle, ledger: Ledger, *, resend: bool) -> Entry:
    """The entry to send or to find: a row still open, one that Kaggle has, or a new one."""
    if cut_off := ledger.cut_off(file.sha256, kaggle.competition):
        return cut_off
    rows = ledger.of(file.sha256, kaggle.competition)
    if rows and rows[-1].ref and not resend:
        return rows[-1]
    stem = file.sha256[:12]
    counts = {int(row.idempotency_key.rpartition("-")[2]): row.ref for row in rows if row.ref}
    new = Entry(
        time=f"{datetime.now(UTC):{TIME_FORMAT}}",
        file=printable(str(file.path)),
        sha256=file.sha256,
        run=printable(Path(file.manifest.run).name) if file.manifest else "",
        model=file.manifest.model if file.manifest else "",
        cv_log_loss=file.score("log_loss"),
        cv_accuracy=file.score("accuracy"),
        competition=kaggle.competition,
        idempotency_key="",
        status="pending",
    )
    # Sent from elsewhere, or before the ledger was lost?
    for submission in kaggle.submissions():
        if match := re.match(rf"\[titanic_nn {stem}-([0-9]+)\]", submission.description):
            count = int(match[1])
            if count not in counts:
                counts[count] = str(submission.ref)
                if not resend:
                    entry = replace(new, idempotency_key=f"{stem}-{count}")
                    return _record(entry, submission, ledger)
    return replace(new, idempotency_key=f"{stem}-{max(counts, default=0) + 1}")


def _search(entry: Entry, kaggle: Kaggle, searches: int) -> Submission | None:
    """Search Kaggle's list for an entry's key, with growing pauses between searches."""
    key = _description(entry, "")
    for number, pause in enumerate(islice(kaggle.retry_policy.pauses(), searches), start=1):
        for submission in kaggle.submissions():
            if submission.description.startswith(key):
                return submission
        if number < searches:
            time.sleep(pause)
    return None


def _description(entry: Entry, message: str) -> str:
    """The description at Kaggle. The key comes first, so that shortening keeps it."""
    return " ".join(f"[titanic_nn {entry.idempotency_key}] {message}".split())


def _record(entry: Entry, submission: Submission, ledger: Ledger) -> Entry:
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
