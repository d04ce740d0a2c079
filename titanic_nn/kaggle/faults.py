"""Errors of calls to Kaggle, each as one sentence without secrets.

The `kaggle` client passes the errors of `requests` on as they are: with signed URLs, or with a
message of the server that says neither whose fault it is nor what to do.
"""

import math
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests

from titanic_nn.errors import (
    CredentialsError,
    DataError,
    KaggleError,
    SubmissionError,
    TitanicError,
)
from titanic_nn.kaggle.credentials import SETTINGS_PAGE, Credentials
from titanic_nn.kaggle.masking import plain

PAGE = "https://www.kaggle.com/competitions"
TRY_LATER = "nothing is wrong on your side; try again later"


class TransientError(KaggleError):
    """A fault that may pass; the call had no effect, so it may be repeated."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds that Kaggle asks to wait


class UnknownOutcomeError(KaggleError):
    """A submission was sent and no answer came: Kaggle may have it, or not."""


def explain(error: Exception, competition: str, credentials: Credentials) -> TitanicError:
    """An error of the client as one clear line."""
    if isinstance(error, TitanicError):
        return error
    if isinstance(error, requests.HTTPError) and error.response is not None:
        # A message that `requests` made up holds the URL, and nothing of the server's.
        message = "" if " for url: " in str(error) else plain(str(error), credentials.secrets)
        # Kaggle's API is only sent POSTs; the rest goes to its file storage.
        if error.response.history or error.response.request.method != "POST":
            code = error.response.status_code
            kind = TransientError if code >= 500 or code == 429 else KaggleError
            return kind(f"Kaggle's file storage answered {code}; {TRY_LATER}")
        return _from_status(error.response, message, competition, credentials)
    if isinstance(error, requests.RequestException):
        return _from_connection(error)
    if isinstance(error, KeyError):
        status = plain(str(error.args[0]), credentials.secrets)
        return KaggleError(
            f"Kaggle answered {status!r}, which this version of its client does not know; "
            "try `pip install --upgrade kaggle`"
        )
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
        place = plain(str(error.filename), credentials.secrets) if error.filename else "the disk"
        return DataError(f"{place}: cannot be read or written: {error.strerror}")
    # Never its message: it could quote a header, or a signed URL.
    return KaggleError(f"the kaggle client failed ({type(error).__name__}); {TRY_LATER}")


def is_refusal(error: Exception) -> bool:
    """Did Kaggle answer that it did not do it? (A 408 may come after the fact.)"""
    response = error.response if isinstance(error, requests.HTTPError) else None
    return response is not None and response.status_code in {*range(400, 500)} - {408}


def _from_status(
    response: requests.Response, message: str, competition: str, credentials: Credentials
) -> TitanicError:
    status = response.status_code
    quote = f" (Kaggle says: {message})" if message else ""
    if re.search(r"(?i)allowance|submission limit|daily limit|submissions? (per|a) day", message):
        return SubmissionError(
            f"the daily limit of submissions is reached{quote}; it is reset at midnight UTC"
        )
    if status == 401:
        hidden = " and ".join(credentials.hidden)
        others = f"; it hides {hidden}: remove it to use that" if hidden else ""
        return CredentialsError(
            f"Kaggle does not accept the credentials from {credentials.source}{quote}; "
            f"make new ones on {SETTINGS_PAGE}{others}"
        )
    if status == 403:
        return SubmissionError(
            f"Kaggle refuses access to {competition}{quote}; accept its rules on "
            f"{PAGE}/{competition}/rules, logged in as the owner of {credentials.source}"
        )
    if status == 404:
        return SubmissionError(
            f"Kaggle knows no competition {competition!r}{quote}; "
            f"take its name from the address of its page, {PAGE}/<name>"
        )
    if status == 429:
        wait = _retry_after(response)
        return TransientError(
            f"Kaggle asks for fewer calls{quote}; try again in {wait:.0f} s", retry_after=wait
        )
    if status >= 500:
        return TransientError(f"Kaggle failed with status {status}{quote}; {TRY_LATER}")
    if status == 400:
        return SubmissionError(f"Kaggle refuses the call for {competition}{quote or ': no reason'}")
    return KaggleError(f"Kaggle answered with an unexpected status {status}{quote}")


def _retry_after(response: requests.Response) -> float:
    """Seconds that the Retry-After header asks for, a number or a date; 0 without one."""
    text = response.headers.get("Retry-After", "")
    try:
        wait = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        wait = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, wait) if math.isfinite(wait) else 0.0


def _from_connection(error: requests.RequestException) -> TitanicError:
    """A fault of the connection. Most specific first: many are ConnectionErrors."""
    causes = list(_causes(error))
    peer = _peer(error)
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return KaggleError(f"{peer} answered with something that is not JSON; {TRY_LATER}")
    if any(isinstance(cause, TimeoutError | requests.Timeout) for cause in causes):
        return KaggleError(f"{peer} does not answer; check the connection, or try again later")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return KaggleError(f"the name of {peer} cannot be found (DNS); check the connection")
    if isinstance(error, requests.exceptions.SSLError):
        return KaggleError(f"{peer} shows a certificate that is not trusted; check the connection")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return TransientError(f"{peer} refuses the connection; check that it is the right one")
    was_cut = TransientError(f"the connection to {peer} was cut; try again")
    if any(isinstance(cause, ConnectionError) for cause in causes):
        return was_cut
    if isinstance(error, requests.exceptions.ProxyError):
        return KaggleError(f"{peer} does not let the call through; check http(s)_proxy")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return was_cut
    return KaggleError(f"the call to {peer} failed ({type(error).__name__}); check the connection")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and everything it was raised from, in `reason` and `args` too, as in urllib3."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
            waiting += cause.args


def _peer(error: requests.RequestException) -> str:
    """Who should have answered: Kaggle, or a proxy, without its password."""
    url = str((error.request and error.request.url) or "https://api.kaggle.com")
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not proxy:
        return "Kaggle"
    address = urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc
    return f"the proxy {address.rpartition('@')[2]}"
