"""The ledger of kernels: kernels/ledger.csv, a row per version that was pushed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from titanic_nn.kaggle.ledger import KEY_FORMAT, NUMBER_FORMAT, LedgerOf

KERNELS = Path("kernels")
LEDGER = KERNELS / "ledger.csv"

# pending: Kaggle may not have it. failed: it never reached Kaggle. invalid: Kaggle has it, without
# what it needs. error: it ran, and failed.
KernelStatus = Literal[
    "pending", "failed", "invalid", "queued", "running", "complete", "error", "cancelled"
]
FINISHED = ("complete", "error", "cancelled")


@dataclass(frozen=True, kw_only=True)
class KernelEntry:
    """A row of the ledger. What is not known is an empty string."""

    time: str  # UTC, just before the request to create it
    kernel: str  # <owner>/<slug>
    competition: str
    machine: str  # "cpu", or the machine_shape
    sha256: str  # of what was pushed, without the key
    idempotency_key: str  # in the notebook at Kaggle too; see kernel_once.py
    version: str = ""  # Kaggle's number for it
    status: KernelStatus
    url: str = ""
    run: str = ""  # where its output was brought to
    error: str = ""

    @property
    def place(self) -> str:
        """The kernel: a key is unique in it."""
        return self.kernel

    @property
    def ref(self) -> str:
        """The version."""
        return self.version


class KernelLedger(LedgerOf[KernelEntry]):
    """The ledger of kernels."""

    def __init__(self, path: Path = LEDGER, *, lock_timeout: float = 60.0) -> None:
        """Reads nothing yet. `lock_timeout`: seconds to wait for another process."""
        formats = {
            "status": ("|".join(get_args(KernelStatus)), ", ".join(get_args(KernelStatus))),
            "version": NUMBER_FORMAT,
            "idempotency_key": KEY_FORMAT,
            "kernel": (r"[\w-]+/[\w-]+", "an owner, a slash and a name"),
        }
        super().__init__(KernelEntry, path, formats, lock_timeout=lock_timeout)

    def newest(self, kernel: str, *, at_kaggle: bool = False) -> KernelEntry | None:
        """A kernel's newest row, whatever became of it; or the newest that Kaggle has for sure."""
        rows = [row for row in self.entries() if row.kernel == kernel]
        rows = [row for row in rows if row.version] if at_kaggle else rows
        return rows[-1] if rows else None
