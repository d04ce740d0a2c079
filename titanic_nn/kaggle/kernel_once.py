"""Push a kernel exactly once, follow it, and bring its run home; see once.py.

Kaggle keeps what was pushed as a version of the kernel, and shows the newest. The last cell of the
notebook has the idempotency key, so the newest version tells which push it is. A kernel gets no
further version while it is not known whether the last push has arrived.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from titanic_nn.errors import KaggleError, SubmissionError
from titanic_nn.files import write_text
from titanic_nn.kaggle.kernel_folder import Kernel
from titanic_nn.kaggle.kernel_ledger import FINISHED, KERNELS, KernelEntry, KernelLedger
from titanic_nn.kaggle.kernel_output import OUTPUT, bring_home, read_left
from titanic_nn.kaggle.kernel_service import Kernels, KernelVersion
from titanic_nn.kaggle.once import TIME_FORMAT, Once
from titanic_nn.runs.find import RUNS, Run

LARGEST_LEFT = 2**20  # bytes of output.json
_MARK = re.compile(r"\[titanic_nn ([0-9a-f]{12}-[0-9]{1,9})\]")


class PushOnce(Once[KernelEntry]):
    """A version of a kernel, recognized by the key in its notebook."""

    what = "kernel"

    def __init__(
        self, kernel: Kernel, kaggle: Kernels, ledger: KernelLedger, *, again: bool = False
    ) -> None:
        """Pushes nothing yet. `again`: push even what was pushed already."""
        super().__init__(kaggle, ledger)
        self._kernel, self._again = kernel, again
        self._kernels, self._rows = kaggle, ledger

    def cut_off(self) -> KernelEntry | None:
        newest = self._rows.newest(self._kernel.name)
        return newest if newest and newest.status == "pending" and not newest.version else None

    def open_row(self) -> KernelEntry:
        kernel = self._kernel
        cut_off = self.cut_off()
        if cut_off and cut_off.sha256 == kernel.sha256:
            return cut_off
        rows = self.ledger.of(kernel.sha256, kernel.name)
        if rows and rows[-1].version and not self._again:
            return rows[-1]
        stem = kernel.sha256[:12]
        new = KernelEntry(
            time=f"{datetime.now(UTC):{TIME_FORMAT}}",
            kernel=kernel.name,
            competition=self.kaggle.competition,
            machine=kernel.machine,
            sha256=kernel.sha256,
            idempotency_key="",
            status="pending",
        )
        counts = [int(row.idempotency_key.rpartition("-")[2]) for row in rows if row.version]
        if version := self._kernels.newest(kernel.name):
            key = _key(version)
            if not (key or self._rows.newest(kernel.name, at_kaggle=True)):
                raise SubmissionError(
                    f"{kernel.name} is at Kaggle, and this command did not push it; choose another "
                    "--name"
                )
            if key.startswith(f"{stem}-"):  # pushed from elsewhere, or before the ledger was lost
                count = int(key.rpartition("-")[2])
                if count not in counts:
                    counts.append(count)
                    if not self._again:
                        return self._record(replace(new, idempotency_key=key), version)
        return replace(new, idempotency_key=f"{stem}-{max(counts, default=0) + 1}")

    def find(self, row: KernelEntry) -> KernelEntry | None:
        version = self._kernels.newest(row.kernel)
        if version and _key(version) == row.idempotency_key:
            return self._record(row, version)
        return None

    def check(self) -> None:
        """Kaggle is not asked: it says so itself when there is no more quota."""

    def create(self, row: KernelEntry, before_creation: Callable[[], None]) -> Mapping[str, str]:
        folder = write_kernel(self._kernel, row.idempotency_key)
        pushed = self._kernels.push(row.kernel, folder, before_creation)
        return {
            "version": str(pushed.version),
            "url": pushed.url,
            "status": "invalid" if pushed.error else "queued",
            "error": pushed.error,
        }

    def _record(self, row: KernelEntry, version: KernelVersion) -> KernelEntry:
        found = replace(
            row,
            version=str(version.number),
            status="queued",
            url=f"https://www.kaggle.com/code/{row.kernel}",
        )
        self.ledger.put(found)
        return found


def write_kernel(kernel: Kernel, key: str) -> Path:
    """Write a kernel's folder, kernels/<name>, and return it."""
    folder = KERNELS / kernel.name.partition("/")[2]
    for name, text in kernel.files(key).items():
        write_text(folder / name, text)
    return folder


def refresh(row: KernelEntry, kaggle: Kernels, ledger: KernelLedger) -> KernelEntry:
    """Ask Kaggle how a kernel's newest version fares, and record it.

    Raises SubmissionError if a row is not of its kernel's newest version: Kaggle shows no other.
    """
    newest = ledger.newest(row.kernel)
    if newest and newest.idempotency_key != row.idempotency_key:
        raise SubmissionError(
            f"{row.kernel} version {row.version} is not its newest, and Kaggle shows no other; see "
            f"{row.url}"
        )
    status, message = kaggle.state(row.kernel)
    if status in ("error", "cancelled"):
        message = kaggle.reason(kaggle.output(row.kernel).log) or message or "no reason is given"
    updated = replace(row, status=status, error=message)
    if updated != row:
        ledger.put(updated)
    return updated


def follow(
    row: KernelEntry, kaggle: Kernels, ledger: KernelLedger, on_state: Callable[[str], None]
) -> KernelEntry:
    """Poll until a version has finished; record its state.

    Raises KaggleError if it has not in time.
    """
    start, total = time.monotonic(), kaggle.retry_policy.total
    for pause in kaggle.retry_policy.pauses():
        updated = refresh(row, kaggle, ledger)
        if updated.status in FINISHED:
            return updated
        waited = time.monotonic() - start
        if waited >= total:
            break
        on_state(f"{row.kernel} version {row.version} is {updated.status}, {waited:.0f} s")
        time.sleep(min(pause, total - waited))
    raise KaggleError(
        f"{row.kernel} version {row.version} is still {updated.status} after {total:g} s: "
        "`titanic-nn kernel output` goes on waiting, `titanic-nn kernel status` asks once"
    )


def fetch_run(row: KernelEntry, kaggle: Kernels, ledger: KernelLedger) -> tuple[KernelEntry, Run]:
    """Bring the run of a complete version home, into runs/<name>-v<version>, and record where.

    Raises KaggleError where it is not whole, or is another version's.
    """
    name = row.kernel.partition("/")[2]
    output = kaggle.output(row.kernel)
    lacks = KaggleError(f"{row.kernel} version {row.version} left no {OUTPUT}; see {row.url}")
    if OUTPUT not in output.urls:
        raise lacks
    left = read_left(kaggle.fetch(output.urls[OUTPUT], LARGEST_LEFT))
    if left.idempotency_key != row.idempotency_key:
        raise KaggleError(
            f"what Kaggle has of {row.kernel} is another version's than {row.version}; try again "
            "later"
        )

    def fetch(path: str, largest: int) -> bytes:
        if path not in output.urls:
            raise KaggleError(f"{path}: the kernel left it, and Kaggle does not list it; try again")
        return kaggle.fetch(output.urls[path], largest)

    home = RUNS / f"{name}-v{row.version}"
    run = bring_home(left, row.competition, home, fetch, row.url)
    updated = replace(row, run=str(home))
    ledger.put(updated)
    return updated, run


def _key(version: KernelVersion) -> str:
    """The key of the push that made a version; "" where it has none."""
    found = _MARK.findall(version.source)
    return str(found[-1]) if found else ""
