"""Send a file exactly once, whatever happens on the way.

The call that creates a submission may be cut, or this process killed, when Kaggle has the
submission and we do not know its ref. So:

1. An idempotency key is made from the file's SHA-256 and a count, "1a2b3c4d5e6f-1". The description
   that Kaggle keeps starts with it, so Kaggle's own list tells, even if the ledger is lost.
2. Under the ledger's lock, that list is searched for the key. What is there is not sent again.
3. If it isn't there, a row `pending`, without a ref, is written to the ledger: from now on a
   submission with this key may exist. Then the file is uploaded and the submission created.
4. The ref in Kaggle's reply is written to the row. Without a reply (`UnknownOutcomeError`) the list
   is searched several times, since Kaggle may still be creating it.
5. A process that finds such a row starts at step 2 with its key, and searches as often.

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

SEARCHES = 6  # of Kaggle's list, for a submission that may be being created


def send(
    file: SubmissionFile, message: str, kaggle: Kaggle, ledger: Ledger, *, resend: bool = False
) -> Entry:
    """Return the file's ledger entry with its ref: found at Kaggle, or sent there now.

    Raises:
        SubmissionError: Kaggle does not accept it, now or at all.
        KaggleError: Kaggle or the connection failed. Calling again is always safe.
    """
    with ledger.locked():
        entry = _open_entry(file, kaggle, ledger, resend=resend)
        if entry.ref:
            return entry
        # For a new entry the list was searched just now.
        searches = SEARCHES if entry in ledger.entries() else 0
        for pause in (*islice(kaggle.retry_policy.pauses(), TRIES - 1), None):
            if found := _search(entry, kaggle, searches):
                return _record(entry, found, ledger)
            if limit := kaggle.daily_limit_reached():
                raise SubmissionError(
                    f"the daily limit of submissions is reached ({limit} today); "
                    "it is reset at midnight UTC"
                )
            ledger.put(entry)
            try:
                ref = kaggle.submit(file.content, file.path.name, _description(entry, message))
            except UnknownOutcomeError as error:
                if found := _search(entry, kaggle, SEARCHES):
                    return _record(entry, found, ledger)
                raise KaggleError(
                    f"{error}; whether the submission arrived is not known yet: "
                    "run the same command again, it searches before it sends"
                ) from None
            except TitanicError as error:
                ledger.put(replace(entry, status="failed", error=str(error)))
                if not isinstance(error, TransientError) or pause is None:
                    raise
                kaggle.wait_to_retry(error, pause)
                searches = 1
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
    if rows := ledger.of(file.sha256, kaggle.competition):
        may_be_there = rows[-1].status == "pending" and not rows[-1].ref
        if may_be_there or (rows[-1].ref and not resend):
            return rows[-1]
    stem = file.sha256[:12]
    counts = {int(row.idempotency_key.rpartition("-")[2]): row.ref for row in rows if row.ref}
    new = Entry(
        time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
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
        if match := re.search(rf"\[titanic_nn {stem}-([0-9]+)\]", submission.description):
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
            if key in submission.description:
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
