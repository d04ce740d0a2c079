"""Kaggle's service for kernels: each call returns in time, or raises an error of one clear line."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests

from titanic_nn.errors import CredentialsError, KaggleError, SubmissionError
from titanic_nn.kaggle.client import (
    fetch_output,
    get_kernel,
    get_kernel_status,
    list_kernel_output,
    token_owner,
)
from titanic_nn.kaggle.faults import PAGE
from titanic_nn.kaggle.kernel_ledger import KernelStatus
from titanic_nn.kaggle.masking import plain
from titanic_nn.kaggle.service import Kaggle

T = TypeVar("T")

OUTPUT_PAGE, OUTPUT_PAGES = 100, 50  # files in a page, and pages that are read at most
# Kaggle's word for a state -> the ledger's.
STATES: dict[str, KernelStatus] = {
    "QUEUED": "queued",
    "NEW_SCRIPT": "queued",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_REQUESTED": "cancelled",
    "CANCEL_ACKNOWLEDGED": "cancelled",
}
# How a line of a log begins that says why a notebook failed.
_REASON = re.compile(r"error: |(?!SystemExit)[A-Za-z_][\w.]*(Error|Exception|Interrupt)\b")
_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class KernelVersion:
    """The newest version of a kernel, as Kaggle has it."""

    number: int
    source: str  # its notebook, as JSON


@dataclass(frozen=True)
class Pushed:
    """What Kaggle says of a version that it has made."""

    version: int
    url: str
    error: str = ""  # why it cannot work


@dataclass(frozen=True)
class Output:
    """What the newest version of a kernel left."""

    urls: dict[str, str]  # signed, by path
    log: str


class Kernels(Kaggle):
    """The kernels of the user that the credentials belong to."""

    def owner(self) -> str:
        """The user's name, which a kernel's begins with."""
        if self.credentials.username:
            return self.credentials.username

        def ask(api: Any) -> str:
            return token_owner(api, self.credentials.token or "")

        owner = self._with_retries(ask)
        if not owner:
            raise CredentialsError(
                f"Kaggle does not know whom the token from {self.credentials.source} belongs to"
            )
        return owner

    def newest(self, kernel: str) -> KernelVersion | None:
        """The newest version of a kernel; None if the user has no such kernel."""

        def ask(api: Any) -> KernelVersion | None:
            try:
                reply = get_kernel(api, kernel)
            except requests.HTTPError as error:
                if _status(error) in (403, 404):  # Kaggle does not tell the two apart
                    return None
                raise
            number = int(reply.metadata.current_version_number or 1) if reply.metadata else 1
            return KernelVersion(number, str(reply.blob.source or "") if reply.blob else "")

        return self._with_retries(ask)

    def push(self, kernel: str, folder: Path, before_creation: Callable[[], None]) -> Pushed:
        """Make a version of a kernel from its folder, which runs at once. Repeats nothing.

        Raises:
            UnknownOutcomeError: it was sent, but whether Kaggle has it is not known.
            TitanicError: there is no such version, for the reason given.
        """

        def create(api: Any, announce: Callable[[], None]) -> Any:
            announce()
            try:
                return api.kernels_push(str(folder))
            except requests.HTTPError as error:
                if _status(error) in (400, 403, 404, 409):
                    return str(error) or "no reason"
                raise

        reply = self._created(create, before_creation)
        refused = reply if isinstance(reply, str) else reply.error
        if refused:
            raise self._refusal(kernel, plain(refused, self.credentials.secrets))
        say = partial(plain, secrets=self.credentials.secrets)
        errors = []
        if reply.invalid_competition_sources:
            errors.append(
                f"Kaggle did not attach the tables of {self.competition}: accept its rules on "
                f"{PAGE}/{self.competition}/rules, and push again with --again"
            )
        if reply.invalid_dataset_sources:
            named = say(", ".join(map(str, reply.invalid_dataset_sources)))
            errors.append(f"Kaggle knows no dataset {named}: correct --dataset")
        slug = str(reply.ref or kernel).rstrip("/").rpartition("/")[2]
        if slug != kernel.partition("/")[2]:
            errors.append(f"Kaggle named it {say(slug)}; choose another --name")
        return Pushed(int(reply.version_number or 1), say(reply.url), "; ".join(errors))

    def state(self, kernel: str) -> tuple[KernelStatus, str]:
        """How the newest version of a kernel fares, and why it failed if Kaggle says so."""
        reply = self._of(kernel, lambda api: get_kernel_status(api, kernel))
        message = plain(reply.failure_message, self.credentials.secrets)
        return STATES[reply.status.name], message

    def output(self, kernel: str) -> Output:
        """What the newest version of a kernel left. Raises KaggleError where that is too much."""
        urls: dict[str, str] = {}
        log, token = "", ""
        for _ in range(OUTPUT_PAGES):
            call = partial(
                list_kernel_output, kernel=kernel, page_size=OUTPUT_PAGE, page_token=token
            )
            page = self._of(kernel, call)
            urls |= {str(file.file_name): str(file.url) for file in page.files or [] if file}
            log, token = log or str(page.log or ""), str(page.next_page_token or "")
            if not token:
                return Output(urls, log)
        raise KaggleError(
            f"{kernel} left over {OUTPUT_PAGES * OUTPUT_PAGE} files, too many to list"
        )

    def fetch(self, url: str, largest: int) -> bytes:
        """A file that a kernel left, of at most so many bytes."""
        timeout = self.retry_policy.call_timeout
        return self._with_retries(lambda _: fetch_output(url, largest, timeout=timeout))

    def submit_version(
        self,
        kernel: str,
        version: int,
        file: str,
        description: str,
        before_creation: Callable[[], None],
    ) -> int:
        """Submit a file that a version of a kernel left, and return the submission's ref."""

        def create(api: Any, announce: Callable[[], None]) -> tuple[int, str]:
            announce()
            reply = api.competition_submit_code(
                file, description, self.competition, kernel, version, quiet=True
            )
            return int(reply.ref or 0), reply.message

        return self._submitted(create, before_creation)

    def reason(self, log: str) -> str:
        """The line of a log that says why a notebook failed; its last line if none does."""
        lines = [line.strip() for line in _CODES.sub("", _text(log)).splitlines()]
        found = [line for line in lines if _REASON.match(line)] or [line for line in lines if line]
        return plain(found[-1], self.credentials.secrets) if found else ""

    def _of(self, kernel: str, ask: Callable[[Any], T]) -> T:
        """Make a call about a kernel that must be there."""

        def call(api: Any) -> T:
            try:
                return ask(api)
            except requests.HTTPError as error:
                if _status(error) in (403, 404):
                    raise SubmissionError(
                        f"Kaggle has no kernel {kernel}, or it is not yours; push it with "
                        "`titanic-nn kernel push`"
                    ) from None
                raise

        return self._with_retries(call)

    def _refusal(self, kernel: str, message: str) -> SubmissionError:
        quote = f"(Kaggle says: {message})"
        if re.search(r"(?i)quota|session count|accelerator", message):
            return SubmissionError(
                f"Kaggle runs no more kernels of yours at present {quote}; wait until one ends or "
                "the quota is renewed, or push it without --gpu"
            )
        if re.search(r"(?i)already in use|not found|denied|permission|forbidden", message):
            return SubmissionError(
                f"the name {kernel} is taken, or not yours {quote}; choose another with --name"
            )
        return SubmissionError(f"Kaggle refuses the kernel {kernel} {quote}")


def _status(error: requests.HTTPError) -> int:
    return int(error.response.status_code) if error.response is not None else 0


def _text(log: str) -> str:
    """The text of a log: of a finished version, a JSON list of what it printed."""
    try:
        return "".join(str(part["data"]) for part in json.loads(log))
    except (ValueError, TypeError, KeyError, RecursionError):
        return log
