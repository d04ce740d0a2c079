"""Serves the app: Gradio behind a gate that lets through what the page needs, and nothing else.

Gradio's routes for files, its API and their documentation, recordings and monitoring are closed;
bodies are bounded; an answer that is an error has one line of ours. A header forbids the page to
ask any other host for anything.
"""

import asyncio
import errno
import json
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

import uvicorn

from titanic_nn.app.model import LARGEST_FILE, AppModel
from titanic_nn.app.page import gradio_app
from titanic_nn.errors import ConfigError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL, PUBLIC = "127.0.0.1", "0.0.0.0"
PORT = 7860  # Gradio's, and the one that Hugging Face Spaces expects
LARGEST_BODY = LARGEST_FILE * 4 // 3 + 2**16  # a file in base64, and what is around it
SECONDS_TO_SEND = 30  # for a whole body
LONGEST_SESSION = 64  # characters of the name that a page gives itself
CONNECTIONS = 100  # at a time; a page holds two

ROUTES = {
    "GET": re.compile(
        r"/|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)(/\w[\w.-]*)+"
        r"|/gradio_api/(startup-events|queue/data|heartbeat/\w+)"
    ),
    "POST": re.compile(r"/gradio_api/queue/join"),
}
ROUTES["HEAD"] = ROUTES["GET"]
LINES = {
    400: "this request is not one of the page's",
    403: "this address is not the app's",
    404: "there is nothing here",
    408: "the request did not arrive in time",
    413: f"the request is too large; a file may have {LARGEST_FILE} bytes",
    503: "too many requests are waiting; try again in a minute",
}
# Scripts and styles stand in Gradio's page itself.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'none'; "
    "base-uri 'self'; frame-ancestors {embedders}"
)


def open_port(port: int | None, host: str = LOCAL) -> socket.socket:
    """A socket that listens on a port, by default PORT; 0 is any that is free.

    Raises ConfigError where it cannot be had.
    """
    port = PORT if port is None else port
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port {port}: choose one from 0 to 65535; 0 is any that is free")
    try:
        return socket.create_server((host, port))
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        raise ConfigError(f"--port {port}: {why}; choose another one") from None


def serve(model: AppModel, listening: socket.socket) -> None:
    """Serve the app on a socket until the process is interrupted. Raises KeyboardInterrupt."""
    local = listening.getsockname()[0] == LOCAL
    app, inputs = gradio_app(model)
    config = uvicorn.Config(
        Gate(app, inputs, local=local),
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,  # pages keep a connection open
    )
    uvicorn.Server(config).run(sockets=[listening])


class Gate:
    """Lets requests through to an app that are on ROUTES; see this module's docstring.

    Args:
        app: Gradio's.
        inputs: how many values each of its events takes, by the event's number.
        local: whether the app is for this machine's user only. Then a request must name it by a
            local host name, so that no other site's page can ask it under its own name (DNS
            rebinding).
    """

    def __init__(self, app: Asgi, inputs: Mapping[int, int], *, local: bool) -> None:
        self.app, self.inputs, self.local = app, inputs, local
        embedders = "'none'" if local else "https://huggingface.co https://*.hf.space"
        self.headers = [
            (b"content-security-policy", POLICY.format(embedders=embedders).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").partition(":")[0]
        if self.local and host not in (LOCAL, "localhost"):
            await self._refuse(send, 403)
            return
        if not (route := ROUTES.get(scope["method"])) or not route.fullmatch(scope["path"]):
            await self._refuse(send, 404)
            return
        if scope["method"] == "POST":
            try:
                body = await asyncio.wait_for(_body(headers, receive), SECONDS_TO_SEND)
            except TimeoutError:
                await self._refuse(send, 408)
                return
            if body is None:
                await self._refuse(send, 413)
                return
            if not self._is_question(body):
                await self._refuse(send, 400)
                return
            receive = _again(body, receive)
        await self._pass(scope, receive, send)

    def _is_question(self, body: bytes) -> bool:
        """Whether a body is what the page sends when a button is pressed."""
        try:
            question = json.loads(body)
            values, event = question["data"], question["fn_index"]
            session = question["session_hash"]
            return (
                isinstance(session, str)
                and len(session) <= LONGEST_SESSION
                and isinstance(values, list)
                and len(values) == self.inputs.get(event)
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            return False

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the app answer; of an error only its status is kept."""
        status = 0

        async def checked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400:
                    return
                headers = [*message["headers"], *self.headers]
                await send({**message, "headers": headers})
            elif status < 400:
                await send(message)

        try:
            await self.app(scope, receive, checked)
        except Exception:  # of a request that is none of the page's
            if 0 < status < 400:  # a part of the answer has gone
                raise
            status = max(status, 400)
        if status >= 400:
            await self._refuse(send, status)

    async def _refuse(self, send: Send, status: int) -> None:
        """One line instead of an answer."""
        status = status if status in LINES else 400
        body = json.dumps({"detail": LINES[status]}).encode()
        headers = [(b"content-type", b"application/json"), *self.headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """A request's body; None if it is too large."""
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit() or int(stated) > LARGEST_BODY:
        return None
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(parts)
        parts += message.get("body", b"")
        if len(parts) > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive a body that was read, then what follows."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
