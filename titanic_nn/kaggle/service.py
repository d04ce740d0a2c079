"""Kaggle, as the rest of this package knows it: it answers in time, or raises one clear line."""

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import requests

from titanic_nn.errors import CredentialsError, KaggleError, TitanicError
from titanic_nn.kaggle.client import get_submission, open_client
from titanic_nn.kaggle.credentials import find_credentials, how_to_get_credentials
from titanic_nn.kaggle.faults import PassingError, UnclearError, explain, is_refusal, plain
from titanic_nn.kaggle.retry import Patience

T = TypeVar("T")

TRIES = 4  # of a call that may be repeated
PAGES = 5  # of the list of submissions, newest first: ten a day are allowed, a page holds 20
PAGE_SIZE = 20


@dataclass(frozen=True)
class Submission:
    """A submission as Kaggle has it."""

    ref: int
    status: Literal["pending", "complete", "error"]
    public_score: str  # as Kaggle writes it, cut to five digits; empty until there is one
    error: str  # why Kaggle could not score it
    description: str


class Kaggle:
    """Kaggle's answers about one competition, for the user that the credentials belong to."""

    def __init__(self, competition: str, patience: Patience) -> None:
        """Find credentials; nothing is asked yet.

        Raises:
            CredentialsError: there are none, or broken ones.
        """
        found = find_credentials()
        if found is None:
            raise CredentialsError(
                "no credentials for Kaggle were found, so it was not asked\n"
                + how_to_get_credentials(competition)
            )
        self.credentials, self._hidden = found
        self.competition = competition
        self.patience = patience
        self._deadline = time.monotonic() + patience.total
        self._uploaded = False
        self._opened: Any = None

    def submissions(self) -> Iterator[Submission]:
        """The user's submissions, newest first."""
        seen: set[int] = set()
        for page in range(1, PAGES + 1):
            listed = self._patiently(partial(self._page, page))
            new = [one for one in listed or [] if one is not None and one.ref not in seen]
            seen.update(one.ref for one in new)
            yield from map(self._submission, new)
            if len(new) < PAGE_SIZE:
                return

    def _page(self, page: int, api: Any) -> Any:
        return api.competition_submissions(self.competition, page_number=page, page_size=PAGE_SIZE)

    def submission(self, ref: int) -> Submission:
        """One submission, as it stands now."""
        return self._submission(self._patiently(lambda api: get_submission(api, ref)))

    def daily_limit_reached(self) -> int | None:
        """How many were submitted today if no more are allowed; else, or if it isn't said, None."""
        try:
            with self._quietly() as api:
                limits = api.competition_get_submission_limits(self.competition)
        except Exception:  # an answer that can be done without
            return None
        # For who has not joined yet, both numbers are 0.
        return int(limits.num_today) if limits.num_today and not limits.num_allowed_now else None

    def submit(self, content: bytes, name: str, description: str) -> int:
        """Upload a file, create a submission from it, and return its ref. Repeats nothing.

        Raises:
            UnclearError: it was sent off, but whether Kaggle has it is not known.
            TitanicError: there is no submission, for the reason given.
        """
        self._uploaded = False
        try:
            # A copy, so that what is sent is what was checked.
            with tempfile.TemporaryDirectory() as folder, self._quietly() as api:
                path = Path(folder) / name
                path.write_bytes(content)
                reply = api.competition_submit(str(path), description, self.competition, quiet=True)
            ref = int(reply.ref or 0)
        except Exception as error:
            fault = self._explain(error)
            if self._uploaded and not is_refusal(error):
                raise UnclearError(str(fault)) from None
            raise fault from None
        if not ref:
            said = plain(reply.message, self.credentials.secrets)
            raise UnclearError(f"Kaggle named no submission (it says: {said})")
        return ref

    def download(self, folder: Path) -> Path:
        """Fetch the competition's zip file into an empty `folder`; its contents aren't checked."""

        def fetch(api: Any) -> Path:
            try:
                # With force, since else the client goes on at the end of what it finds.
                api.competition_download_files(self.competition, str(folder), force=True)
            except ValueError as error:
                if isinstance(error, requests.RequestException):
                    raise
                raise PassingError("the download does not have the announced length") from None
            path = folder / f"{self.competition}.zip"
            if not path.is_file():
                raise KaggleError("Kaggle sent something else than a zip file")
            return path

        return self._patiently(fetch)

    def _patiently(self, call: Callable[[Any], T]) -> T:
        """Make a call that changes nothing, and again while its fault may pass."""
        for pause in (*islice(self.patience.pauses(), TRIES - 1), None):
            try:
                with self._quietly() as api:
                    return call(api)
            except Exception as error:
                fault = self._explain(error)
                if not isinstance(fault, PassingError) or pause is None:
                    raise fault from None
                self.sit_out(fault, pause)
        raise AssertionError("the last try returns or raises")

    def sit_out(self, fault: PassingError, pause: float) -> None:
        """Wait before another try; raises `fault` where Kaggle asks for more than is left."""
        wait = max(pause, fault.retry_after)
        if time.monotonic() + wait > self._deadline:
            raise fault from None
        time.sleep(wait)

    def _submission(self, reply: Any) -> Submission:
        secrets = self.credentials.secrets
        return Submission(
            ref=int(reply.ref),
            status=reply.status.name.lower(),
            public_score=plain(reply.public_score, secrets),
            error=plain(reply.error_description, secrets),
            description=reply.description or "",
        )

    def _explain(self, error: Exception) -> TitanicError:
        return explain(error, self.competition, self.credentials, self._hidden)

    @contextmanager
    def _quietly(self) -> Iterator[Any]:
        """The client; what it prints goes nowhere, since it prints signed URLs."""
        with redirect_stdout(io.StringIO()):
            if self._opened is None:
                self._opened, self.credentials = open_client(
                    self.credentials,
                    silence=self.patience.silence,
                    on_uploaded=self._note_upload,
                )
            yield self._opened

    def _note_upload(self) -> None:
        self._uploaded = True
