"""Send a file exactly once, whatever happens on the way.

The one dangerous moment is the creation of a submission at Kaggle: the call may be cut, or this
process killed, after Kaggle has it and before we know. So:

1. A mark is made from the file's SHA-256 and a count, "1a2b3c4d5e6f-1". It opens the description
   that Kaggle keeps, so that a submission can be recognised among Kaggle's own list, even if the
   ledger is lost.
2. Under the ledger's lock, which two processes never hold at once, Kaggle's list is searched for
   the mark. What is there already is never sent again.
3. If it isn't there, a row `pending`, without a ref, goes into the ledger: from now on a submission
   with this mark may exist. Then the file is uploaded and the submission created.
4. Kaggle's reply has the ref; the row gets it. Without a reply (`UnclearError`) the list is
   searched again, several times, since a call that was cut may still be at work at Kaggle's.
5. A process that finds a row `pending` without a ref starts at step 2 with that row's mark, and
   searches as patiently before it sends.

`--again` takes the next count. Waiting for the score needs no care: it only asks, by ref.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from titanic_nn.errors import KaggleError, SubmissionError, TitanicError
from titanic_nn.runs.find import Candidate
from titanic_nn.kaggle.faults import PassingError, UnclearError
from titanic_nn.kaggle.ledger import Entry, Ledger
from titanic_nn.kaggle.service import TRIES, Kaggle, Submission

SEARCHES = 6  # of Kaggle's list, for a submission that may be on its way


def send(
    candidate: Candidate, message: str, kaggle: Kaggle, ledger: Ledger, *, again: bool = False
) -> Entry:
    """Return the file's ledger entry with its ref: found at Kaggle, or sent there now.

    Raises:
        SubmissionError: Kaggle does not take it, now or at all.
        KaggleError: Kaggle or the way there failed. Calling again is always safe.
    """
    with ledger.locked():
        entry = _open_entry(candidate, kaggle, ledger, again=again)
        if entry.ref:
            return entry
        # For a new entry the list was searched just now.
        searches = SEARCHES if entry in ledger.entries() else 0
        for pause in (*islice(kaggle.patience.pauses(), TRIES - 1), None):
            if found := _search(entry, kaggle, searches):
                return _record(entry, found, ledger)
            if limit := kaggle.daily_limit_reached():
                raise SubmissionError(
                    f"the daily limit of submissions is reached ({limit} today); "
                    "it starts afresh at midnight UTC"
                )
            ledger.put(entry)
            try:
                ref = kaggle.submit(candidate.content, candidate.path.name, _text(entry, message))
            except UnclearError as error:
                if found := _search(entry, kaggle, SEARCHES):
                    return _record(entry, found, ledger)
                raise KaggleError(
                    f"{error}; whether the submission arrived is not known yet: "
                    "run the same command again, it looks before it sends"
                ) from None
            except TitanicError as error:
                ledger.put(replace(entry, status="failed", error=str(error)))
                if not isinstance(error, PassingError) or pause is None:
                    raise
                kaggle.sit_out(error, pause)
                searches = 1
            else:
                entry = replace(entry, ref=str(ref))
                ledger.put(entry)
                return entry
        raise AssertionError("the last try returns or raises")


def wait(entry: Entry, kaggle: Kaggle, ledger: Ledger, on_state: Callable[[str], None]) -> Entry:
    """Ask until the submission is complete or an error, with growing pauses; record what it is.

    Raises:
        KaggleError: it is neither in time, or Kaggle cannot be asked.
    """
    start = time.monotonic()
    for pause in kaggle.patience.pauses():
        submission = kaggle.submission(int(entry.ref))
        updated = _record(entry, submission, ledger)
        if updated.status != "pending":
            return updated
        waited = time.monotonic() - start
        left = kaggle.patience.total - waited
        if left <= 0:
            break
        on_state(f"submission {entry.ref} is {submission.status}, {waited:.0f} s")
        time.sleep(min(pause, left))
    raise KaggleError(
        f"no score within {kaggle.patience.total:g} s; submission {entry.ref} is at Kaggle: "
        "the same command waits on, `--list` looks once"
    )


def refresh(entry: Entry, kaggle: Kaggle, ledger: Ledger) -> Entry:
    """Bring an entry up to date with what Kaggle says now; sends nothing."""
    if entry.ref:
        return _record(entry, kaggle.submission(int(entry.ref)), ledger)
    found = _search(entry, kaggle, searches=1)
    return _record(entry, found, ledger) if found else entry


def _open_entry(candidate: Candidate, kaggle: Kaggle, ledger: Ledger, *, again: bool) -> Entry:
    """The entry to send or to find: a row still open, one that Kaggle has, or a new one."""
    rows = ledger.of(candidate.sha256, kaggle.competition)
    if rows and (_may_be_at_kaggle(rows[-1]) or (rows[-1].ref and not again)):
        return rows[-1]
    stem = candidate.sha256[:12]
    counts = {_count(row.mark): row.ref for row in rows if row.ref}
    new = Entry(
        time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        file=str(candidate.path),
        sha256=candidate.sha256,
        run=candidate.run.name if candidate.run else "",
        model=candidate.model,
        cv_log_loss=candidate.cv("log_loss"),
        cv_accuracy=candidate.cv("accuracy"),
        competition=kaggle.competition,
        mark="",
        status="pending",
    )
    # Sent from elsewhere, or before the ledger was lost?
    for submission in kaggle.submissions():
        if marked := re.search(rf"\[titanic_nn {stem}-([0-9]+)\]", submission.description):
            count = int(marked[1])
            if count not in counts:
                counts[count] = str(submission.ref)
                if not again:
                    entry = replace(new, mark=f"{stem}-{count}")
                    return _record(entry, submission, ledger)
    return replace(new, mark=f"{stem}-{max(counts, default=0) + 1}")


def _may_be_at_kaggle(entry: Entry) -> bool:
    return entry.status == "pending" and not entry.ref


def _search(entry: Entry, kaggle: Kaggle, searches: int) -> Submission | None:
    """Look for an entry's mark in Kaggle's list, with growing pauses between searches."""
    mark = _text(entry, "")
    for number, pause in enumerate(islice(kaggle.patience.pauses(), searches), start=1):
        for submission in kaggle.submissions():
            if mark in submission.description:
                return submission
        if number < searches:
            time.sleep(pause)
    return None


def _text(entry: Entry, message: str) -> str:
    """The description at Kaggle. The mark comes first, where no shortening would reach it."""
    return " ".join(f"[titanic_nn {entry.mark}] {message}".split())


def _count(mark: str) -> int:
    return int(mark.rpartition("-")[2])


def _record(entry: Entry, submission: Submission, ledger: Ledger) -> Entry:
    """Write down what Kaggle says. Complete without a score is not complete yet."""
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
