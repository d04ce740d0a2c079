"""A server on loopback that acts as Kaggle, for the unmodified `kaggle` client and for ours.

The client reaches it as its HTTP proxy, in the LOCALHOST environment (see `environment`). Every
call to another host is refused and remembered. Faults are put into its way one call at a time.
"""

import base64
import contextlib
import csv
import io
import json
import math
import socket
import struct
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

API, STORAGE = "localhost", "storage.localhost"
USERNAME, KEY, TOKEN = "ada", "0123456789abcdef0123456789abcdef", "KGAT_fedcba9876543210"
SIGNATURE = "X-Signature=5ec7e75ec7e7"
SECRETS = (KEY, TOKEN, SIGNATURE, f"{USERNAME}:{KEY}")
RULES_MESSAGE = "You must accept this competition's rules before you'll be able to continue."


def spellings(secret: str) -> dict[str, str]:
    """How a server may write what it was sent: a key or token, or a user name and a key."""
    encoded = base64.b64encode(secret.encode()).decode()
    every = "".join(f"%{ord(letter):02X}" for letter in secret)
    return {
        "raw": secret,
        "base64": encoded,
        "without-padding": encoded.rstrip("="),
        "urlsafe": base64.urlsafe_b64encode(secret.encode()).decode(),
        "base64-of-header": base64.b64encode(f"Bearer {secret}".encode()).decode(),
        "percent": quote(secret, safe=""),
        "percent-base64": quote(encoded, safe=""),
        "percent-every": every,
        "percent-twice": quote(every, safe=""),
        "url": f"https://ada:{secret}@kaggle.test/path/{secret}/{quote(encoded)}",
        "json": json.dumps(json.dumps({secret: encoded})),
        "json-codes": "".join(f"\\u{ord(letter):04x}" for letter in encoded),
        "upper": secret.upper(),
        "lower": secret.lower(),
        "upper-base64": encoded.upper(),
        "lower-base64": encoded.lower(),
        "blanks": "\n".join(encoded),
        "invisible": "\0".join(secret),
        "embedded": f"x{encoded}y",
    }


@dataclass(frozen=True)
class Reply:
    """What goes back over the line."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    # The version makes the client print a warning.
    always = {"Content-Type": "application/json", "X-Kaggle-APIVersion": "99.0"}
    return Reply(status, json.dumps(value).encode(), always | headers)


def refusal(status: int, message: str = "", **headers: str) -> Reply:
    """An error as Kaggle words it; `Retry_After="7"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return as_json({"code": status, "message": message}, status, **named)


# A fault gets the connection and a function that does what was asked and returns the reply.
Fault = Callable[["Connection", Callable[[], Reply]], None]


def answers(reply: Reply) -> Fault:
    """Answer this, and do nothing."""
    return lambda connection, proceed: connection.send(reply)


def fails(status: int, message: str = "", **headers: str) -> Fault:
    return answers(refusal(status, message, **headers))


def echoes(status: int = 403) -> Fault:
    """Refuse, and quote what the call was authorized by in every spelling."""

    def fault(connection: "Connection", proceed: Callable[[], Reply]) -> None:
        secret = connection.headers["Authorization"].partition(" ")[2]
        with contextlib.suppress(ValueError):  # else it is a token
            secret = base64.b64decode(secret, validate=True).decode()
        connection.send(refusal(status, " ; ".join(spellings(secret).values())))

    return fault


def resets(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Cut the connection, and do nothing."""
    connection.reset()


def loses_reply(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Do what was asked, and cut the connection."""
    proceed()
    connection.reset()


def stays_silent(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Say nothing for as long as the server lives."""
    connection.kaggle.closing.wait(30)
    connection.reset()


def redirects(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Do what was asked, and lead the caller to another host, to be told it all again."""
    proceed()
    connection.send(Reply(307, b"", {"Location": "http://elsewhere.test/"}))


def garbles(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Do what was asked, and answer with what is almost JSON."""
    reply = proceed()
    connection.send(Reply(200, reply.body[:-1] + b"\0", {"Content-Type": "application/json"}))


def fails_late(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Do what was asked, and say that it failed."""
    proceed()
    connection.send(refusal(500, "Oops"))


def floods(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Answer with more than anyone can hold, until the caller hangs up."""
    connection.send(Reply(200, b"[", {"Content-Type": "application/json", "Content-Length": "inf"}))
    with contextlib.suppress(OSError):
        while not connection.kaggle.closing.is_set():
            connection.wfile.write(b"1," * 100_000)


def cuts_body(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Announce the whole, send half, and hang up."""
    reply = proceed()
    length = {"Content-Length": str(len(reply.body))}
    connection.send(Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers | length))


def stalls(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Announce the whole, send half, and say no more."""
    cuts_body(connection, proceed)
    stays_silent(connection, proceed)


def halves_file(connection: "Connection", proceed: Callable[[], Reply]) -> None:
    """Announce half, send half, and make nothing of it."""
    reply = proceed()
    connection.send(Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers))


class Stop:
    """A fault that holds a call until it is let go.

    `done`: what was asked is done "never", "late" (when let go), or "before" the call is held.
    """

    def __init__(self, done: Literal["never", "late", "before"]) -> None:
        self.done = done
        self.reached, self.go, self.over = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, connection: "Connection", proceed: Callable[[], Reply]) -> None:
        if self.done == "before":
            proceed()
        self.reached.set()
        self.go.wait(30)
        if self.done == "late":
            proceed()
        self.over.set()
        connection.reset()


class KaggleServer:
    """The state of a Kaggle with one competition and one user."""

    def __init__(self, archive: bytes, answers: dict[str, str], competition: str = "titanic"):
        self.archive = archive  # what DownloadDataFiles leads to
        self.header = ["PassengerId", "Survived"]
        self.answers = answers  # id: label, as the files write them
        self.competition = competition
        self.submissions: list[dict[str, Any]] = []  # oldest first, in the API's words
        self.uploads: dict[str, bytes] = {}  # token: content
        self.calls: list[str] = []
        self.foreign: list[str] = []  # hosts that were asked for, and must not be
        self.told: list[str] = []  # what those were told
        self.mishaps: list[object] = []  # errors of this server's own
        self.polls_to_score = 2  # how often GetSubmission says PENDING
        self.verdict: dict[str, Any] = {}  # overrides what scoring would say
        self.limits = {"numToday": 1, "numTotal": 1, "numAllowedNow": 9}
        self.closing = threading.Event()
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._polls: dict[int, int] = defaultdict(int)
        self._lock = threading.Lock()

    def inject(self, call: str, *faults: Fault) -> None:
        """Let the next calls of an RPC, of "upload" or of "storage" meet these, one each."""
        self._faults[call].extend(faults)

    def heal(self) -> None:
        """Forget all faults that did not strike yet."""
        self._faults.clear()

    def fault(self, call: str) -> Fault | None:
        with self._lock:
            self.calls.append(call)
            return self._faults[call].popleft() if self._faults[call] else None

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """Answer on a free port of loopback, which is yielded."""
        http = Loopback(self)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield http.server_address[1]
        finally:
            self.closing.set()
            http.shutdown()
            thread.join()
            http.server_close()

    def storage(self, content: bytes | None, token: str) -> Reply:
        """The storage of files: a GET of the archive, or a PUT of an upload."""
        if content is None:
            return Reply(200, self.archive, {"Content-Type": "application/zip"})
        self.uploads[token] = content
        return Reply(200)

    def rpc(self, name: str, asked: dict[str, Any]) -> Reply:
        competition = asked.get("competitionName", self.competition)
        if competition != self.competition:
            return refusal(404, f"Competition {competition} was not found")
        with self._lock:
            reply: Reply = getattr(self, f"_{name}")(asked)
            return reply

    def _DownloadDataFiles(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        return Reply(302, b"", {"Location": f"http://{STORAGE}/archive.zip?{SIGNATURE}"})

    def _StartSubmissionUpload(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        assert asked["contentLength"] > 0
        token = f"token-{len(self.calls)}"
        return as_json({"token": token, "createUrl": f"http://{STORAGE}/{token}?{SIGNATURE}"})

    def _CreateSubmission(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        ref = 1001 + len(self.submissions)
        content = self.uploads[asked["blobFileTokens"]]
        self.submissions.append(
            {
                "ref": ref,
                "date": "2026-05-04T03:02:01.123",
                "description": asked.get("submissionDescription", ""),
                "fileName": "submission.csv",
                **self._score(content),
                **self.verdict,
            }
        )
        return as_json({"message": "Successfully submitted to Titanic", "ref": ref})

    def _ListSubmissions(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        size = asked.get("pageSize", 20)
        start = (max(1, asked.get("page", 1)) - 1) * size  # -1 is the default of older clients
        newest_first = self.submissions[::-1][start : start + size]
        return as_json({"submissions": [self._as_seen(one) for one in newest_first]})

    def _GetSubmission(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        self._polls[asked["ref"]] += 1
        return as_json(self._as_seen(self.submissions[asked["ref"] - 1001]))

    def _GetSubmissionLimits(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        return as_json({name: value for name, value in self.limits.items() if value})

    def _GenerateAccessToken(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        if asked["refreshToken"] != "refresh-me":
            return refusal(401, "Unauthorized")
        return as_json({"token": TOKEN, "expiresIn": 3600, "userName": USERNAME})

    def _as_seen(self, submission: dict[str, Any]) -> dict[str, Any]:
        """A submission is PENDING, a default that goes unsaid, until it was asked for often."""
        if self._polls[submission["ref"]] > self.polls_to_score:
            return submission
        return {name: submission[name] for name in ("ref", "date", "description", "fileName")}

    def _score(self, content: bytes) -> dict[str, str]:
        header, *rows = csv.reader(io.StringIO(content.decode()))
        given = {row[0]: row[1] for row in rows if len(row) == 2}
        if header != self.header or not {*given.values()} <= {*self.answers.values()}:
            return {"status": "ERROR", "errorDescription": "Could not parse the submission"}
        if given.keys() != self.answers.keys():
            return {"status": "ERROR", "errorDescription": "Solution and submission ids differ"}
        right = sum(given[id] == label for id, label in self.answers.items())
        # Cut, not rounded, to five digits.
        score = math.floor(1e5 * right / len(self.answers)) / 1e5
        return {"status": "COMPLETE", "publicScore": f"{score:.5f}"}


class Loopback(ThreadingHTTPServer):
    """Listens on a free port; remembers what went wrong within a call."""

    def __init__(self, kaggle: KaggleServer) -> None:
        self.kaggle = kaggle
        super().__init__(("127.0.0.1", 0), Connection)

    def handle_error(self, *_: Any) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # a caller that was killed is none of ours
            self.kaggle.mishaps.append(error)


class Connection(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"

    @property
    def kaggle(self) -> KaggleServer:
        assert isinstance(self.server, Loopback)
        return self.server.kaggle

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        self.kaggle.foreign.append(self.path)
        self.send(Reply(403))

    def do_GET(self) -> None:
        self._answer(None)

    def do_PUT(self) -> None:
        self._answer(self._body())

    def do_POST(self) -> None:
        self._answer(self._body())

    def _answer(self, body: bytes | None) -> None:
        url = urlsplit(self.path)
        service, _, name = url.path.removeprefix("/api/v1/").partition("/")
        proceed: Callable[[], Reply]
        if url.hostname == API and "." in service and self.command == "POST":
            proceed = partial(self._authorized, service, name, json.loads(body or b"{}"))
        elif url.hostname == STORAGE and url.query == SIGNATURE:
            name = "upload" if self.command == "PUT" else "storage"
            assert "Authorization" not in self.headers, "storage needs no credentials"
            proceed = partial(self.kaggle.storage, body, url.path.strip("/"))
        else:
            self.kaggle.foreign.append(url.hostname or self.path)
            self.kaggle.told.append(f"{self.path} {self.headers} {(body or b'').decode()}")
            self.send(Reply(403))
            return
        fault = self.kaggle.fault(name)
        if fault:
            fault(self, proceed)
        else:
            self.send(proceed())

    def _authorized(self, service: str, name: str, asked: dict[str, Any]) -> Reply:
        basic = "Basic " + base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        if service != "users.AccountService" and self.headers.get("Authorization") not in (
            basic,
            f"Bearer {TOKEN}",
        ):
            return refusal(401, "Unauthenticated")
        return self.kaggle.rpc(name, asked)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, reply: Reply) -> None:
        self.close_connection = True
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def reset(self) -> None:
        """Hang up so that the other side sees a reset."""
        self.close_connection = True
        no_linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()


def environment(port: int, home: Path) -> dict[str, str]:
    """What leads the client to the server on `port`, and nowhere else, without credentials."""
    proxy = f"http://127.0.0.1:{port}"
    return {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "http_proxy": proxy,
        "https_proxy": proxy,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "KAGGLE_CONFIG_DIR": str(home / "config"),
    }
