"""The credentials that the `kaggle` client would use, and what is wrong with them; offline.

The client takes the first of: a notebook's own token; KAGGLE_API_TOKEN (a token or a file's path);
~/.kaggle/access_token[.txt]; KAGGLE_USERNAME and KAGGLE_KEY, each over kaggle.json's; and what
`kaggle auth login` left in ~/.kaggle/credentials.json. It ignores broken ones; this reports them.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from titanic_nn.errors import CredentialsError, DataError
from titanic_nn.escape import printable
from titanic_nn.files import read_bytes

SETTINGS_PAGE = "https://www.kaggle.com/settings/api"
LARGEST_FILE = 2**20  # bytes; a token has less than 2000


@dataclass(frozen=True)
class Credentials:
    """A user name and key, or a token; the secrets are left out of the repr."""

    source: str  # where they come from, in words for the user
    username: str | None = None
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)  # for which the client gets a token
    file: Path | None = None
    hidden: tuple[str, ...] = ()  # the sources of others, which these take precedence over

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed: all that is sent to Kaggle, or to a proxy on the way."""
        proxies = [_password(url) for url in getproxies().values()]
        secrets = (self.key, self.token, self.refresh_token, *proxies)
        return tuple(secret for secret in secrets if secret)

    @property
    def warning(self) -> str | None:
        """A line about a file that others can read, with the command that corrects it."""
        try:
            if self.file is None or os.name == "nt" or not self.file.stat().st_mode & 0o044:
                return None
        except OSError:  # it is gone
            return None
        return f"{self.file} can be read by other users of this machine: chmod 600 {self.file}"


def find_credentials() -> Credentials | None:
    """The credentials that the client would use, if there are any.

    Raises CredentialsError if a source is empty or broken; the client would ignore it.
    """
    found = _sources()
    first, hidden = next(found, None), []
    with suppress(CredentialsError):  # of a broken source, which would not be used anyway
        hidden += [other.source for other in found]
    return replace(first, hidden=tuple(hidden)) if first else None


def how_to_get_credentials(competition: str) -> str:
    """Three lines for a new user."""
    rules = f"https://www.kaggle.com/competitions/{competition}/rules"
    return (
        f"  1. Make a token: {SETTINGS_PAGE}, Generate New Token.\n"
        "  2. Put it into KAGGLE_API_TOKEN or ~/.kaggle/access_token; or an older key into "
        f"KAGGLE_USERNAME and KAGGLE_KEY, or as {printable(str(config_folder() / 'kaggle.json'))}; "
        "or run `kaggle auth login`.\n"
        f"  3. Accept the competition's rules, once: {rules}"
    )


def config_folder() -> Path:
    """Where the client looks for kaggle.json."""
    if chosen := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(chosen)
    if sys.platform.startswith("linux") and not os.path.exists(_dot_kaggle()):
        return Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "kaggle"
    return _dot_kaggle()


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # "~" where there is none, as in the client


def _dot_kaggle() -> Path:
    return _home() / ".kaggle"


def _sources() -> Iterator[Credentials]:
    """All credentials that there are, in the client's order."""
    environment = os.environ
    notebook = ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DATA_PROXY_URL", "KAGGLE_API_V1_TOKEN")
    if all(environment.get(name) for name in notebook):
        yield from _token_file("KAGGLE_API_V1_TOKEN", Path(environment["KAGGLE_API_V1_TOKEN"]))
    if given := environment.get("KAGGLE_API_TOKEN"):
        if os.path.exists(given):
            yield from _token_file("the file that KAGGLE_API_TOKEN names", Path(given))
        else:
            yield Credentials("KAGGLE_API_TOKEN", token=_usable(given, "KAGGLE_API_TOKEN"))
    for name in ("access_token", "access_token.txt"):
        path = _dot_kaggle() / name
        if os.path.exists(path):
            yield from _token_file(str(path), path)
    yield from _key()
    path = _dot_kaggle() / "credentials.json"
    if os.path.exists(path):
        token = _usable(_read_json(path).get("refresh_token"), f"refresh_token in {path}")
        yield Credentials(f"{path} (kaggle auth login)", refresh_token=token, file=path)


def _key() -> Iterator[Credentials]:
    """A user name and a key: from the environment, from kaggle.json, or one from each."""
    variables = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
    given = {name: os.environ[var] for name, var in variables.items() if var in os.environ}
    path = config_folder() / "kaggle.json"
    stored = _read_json(path) if len(given) < 2 and os.path.exists(path) else {}
    if not (given or {"username", "key"} & set(stored)):
        return
    username, key = (
        _usable(given[name], variable)
        if name in given
        else _usable(stored.get(name), f"{name} in {path}" if stored else variable)
        for name, variable in variables.items()
    )
    if "key" in given:
        yield Credentials("KAGGLE_USERNAME and KAGGLE_KEY", username=username, key=key)
    else:
        yield Credentials(str(path), username=username, key=key, file=path)


def _token_file(source: str, path: Path) -> Iterator[Credentials]:
    """The token in a file; nothing if it is empty, as in the client."""
    try:
        token = read_bytes(path, LARGEST_FILE).decode()
    except (DataError, UnicodeDecodeError):
        raise CredentialsError(f"{path}: cannot be read as a file with a Kaggle token") from None
    if token.strip():
        yield Credentials(source, token=_usable(token, str(path)), file=path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(read_bytes(path, LARGEST_FILE).decode())
    except (DataError, ValueError, RecursionError):  # its message could quote the file
        values = None
    if not isinstance(values, dict):
        raise CredentialsError(
            f"{path}: cannot be read as JSON; make a new one on {SETTINGS_PAGE}, or remove it"
        )
    return values


def _password(proxy: str) -> str | None:
    """The password in a proxy's URL."""
    with suppress(ValueError):
        return unquote(urlsplit(proxy if "//" in proxy else f"//{proxy}").password or "")
    return None


def _usable(secret: object, origin: str) -> str:
    """`secret` without blanks around it. An error does not show it."""
    text = secret.strip() if isinstance(secret, str) else ""
    if not text:
        raise CredentialsError(f"{origin} is missing or empty; set it, or remove it altogether")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise CredentialsError(f"{origin} holds blanks or odd characters; copy it once more")
    return text
