"""Kaggle's service: each call returns in time, or raises an error of one clear line."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import requests

from titanic_nn.errors import CredentialsError, KaggleError
from titanic_nn.kaggle.client import create_submission, get_submission, open_client
from titanic_nn.kaggle.credentials import find_credentials, how_to_get_credentials
from titanic_nn.kaggle.faults import TransientError, UnknownOutcomeError, explain, is_refusal
from titanic_nn.kaggle.masking import plain
from titanic_nn.kaggle.retry import RetryPolicy

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
    """One competition at Kaggle, for the user that the credentials belong to."""

    def __init__(self, competition: str, retry_policy: RetryPolicy) -> None:
        """Find credentials; nothing is called yet. Raises CredentialsError without good ones."""
        found = find_credentials()
        if found is None:
            error = CredentialsError("no credentials for Kaggle were found")
            error.help = how_to_get_credentials(competition)
            raise error
        self.credentials = found
        self.competition = competition
        self.retry_policy = retry_policy
        self._deadline = time.monotonic() + retry_policy.total
        self._opened: Any = None

    def submissions(self) -> Iterator[Submission]:
        """The user's submissions, newest first."""
        seen: set[int] = set()
        for page in range(1, PAGES + 1):
            listed = self._with_retries(partial(self._list, page=page))
            new = [one for one in listed if one.ref not in seen]
            seen.update(one.ref for one in new)
            yield from new
            if len(new) < PAGE_SIZE:
                return

    def submission(self, ref: int) -> Submission:
        """One submission in its present state."""
        return self._with_retries(lambda api: self._submission(get_submission(api, ref)))

    def daily_limit_reached(self) -> int | None:
        """How many were submitted today if no more are allowed; else, or if unknown, None."""
        try:
            with self._client() as api:
                limits = api.competition_get_submission_limits(self.competition)
        except Exception:  # not needed to go on
            return None
        # Before the user has joined, both numbers are 0.
        return int(limits.num_today) if limits.num_today and not limits.num_allowed_now else None

    def submit(
        self, content: bytes, name: str, description: str, before_creation: Callable[[], None]
    ) -> int:
        """Upload a file, create a submission from it, and return its ref. Repeats nothing.

        `before_creation` is called when the file is uploaded: from now on Kaggle may have a
        submission.

        Raises:
            UnknownOutcomeError: it was sent, but whether Kaggle has it is not known.
            TitanicError: there is no submission, for the reason given.
        """

        def create(api: Any, announce: Callable[[], None]) -> tuple[int, str]:
            reply = create_submission(
                api,
                self.competition,
                content,
                name,
                description,
                timeout=self.retry_policy.call_timeout,
                before_creation=announce,
            )
            return int(reply.ref or 0), reply.message

        return self._submitted(create, before_creation)

    def _submitted(
        self,
        create: Callable[[Any, Callable[[], None]], tuple[int, str]],
        before_creation: Callable[[], None],
    ) -> int:
        """The ref of a submission; `create` returns it with Kaggle's message."""
        ref, message = self._created(create, before_creation)
        if not ref:
            answer = plain(message, self.credentials.secrets)
            raise UnknownOutcomeError(f"Kaggle named no submission (it says: {answer})")
        return ref

    def _created(
        self,
        create: Callable[[Any, Callable[[], None]], T],
        before_creation: Callable[[], None],
    ) -> T:
        """Let `create` create something; it calls its second argument just before it does."""
        may_exist = False

        def announce() -> None:
            nonlocal may_exist
            before_creation()
            may_exist = True

        try:
            with self._client() as api:
                return create(api, announce)
        except Exception as error:
            fault = explain(error, self.competition, self.credentials)
            if may_exist and not is_refusal(error):
                raise UnknownOutcomeError(str(fault)) from None
            raise fault from None

    def download(self, folder: Path) -> Path:
        """Fetch the competition's zip file into an empty `folder`; its contents aren't checked."""

        def fetch(api: Any) -> Path:
            try:
                # Without force, the client appends to a file that is there.
                api.competition_download_files(self.competition, str(folder), force=True)
            except ValueError as error:
                if isinstance(error, requests.RequestException):
                    raise
                raise TransientError("the download does not have the announced length") from None
            path = folder / f"{self.competition}.zip"
            if not path.is_file():
                raise KaggleError("Kaggle did not send a zip file")
            return path

        return self._with_retries(fetch)

    def _with_retries(self, call: Callable[[Any], T]) -> T:
        """Make a call that changes nothing; repeat it while its fault may pass."""
        for pause in (*islice(self.retry_policy.pauses(), TRIES - 1), None):
            try:
                with self._client() as api:
                    return call(api)
            except Exception as error:
                fault = explain(error, self.competition, self.credentials)
                if not isinstance(fault, TransientError) or pause is None:
                    raise fault from None
                self.wait_to_retry(fault, pause)
        raise AssertionError("the last try returns or raises")

    def wait_to_retry(self, fault: TransientError, pause: float) -> None:
        """Wait before another try; raises `fault` if Kaggle asks for longer than is left."""
        wait = max(pause, fault.retry_after)
        if time.monotonic() + wait > self._deadline:
            raise fault from None
        time.sleep(wait)

    def _list(self, api: Any, page: int) -> list[Submission]:
        listed = api.competition_submissions(
            self.competition, page_number=page, page_size=PAGE_SIZE
        )
        return [self._submission(one) for one in listed or [] if one is not None]

    def _submission(self, reply: Any) -> Submission:
        secrets = self.credentials.secrets
        return Submission(
            ref=int(reply.ref),
            status=reply.status.name.lower(),
            public_score=plain(reply.public_score, secrets),
            error=plain(reply.error_description, secrets),
            description=reply.description or "",
        )

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """The client; its prints are discarded, since they hold signed URLs."""
        with redirect_stdout(io.StringIO()):
            if self._opened is None:
                self._opened, self.credentials = open_client(
                    self.credentials, timeout=self.retry_policy.call_timeout
                )
            yield self._opened
