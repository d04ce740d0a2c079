"""The only module that imports the `kaggle` package.

Importing it authenticates, prints, may call the network, and creates a folder. Its calls have no
timeout and read answers of any length; a download that was cut is appended to the file that is
there; and signed URLs are printed to stdout. `open_client` returns the package's own `KaggleApi`
without these faults. Its method to submit reports a failed upload like a success;
`create_submission` makes the same calls.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from titanic_nn.errors import CredentialsError, KaggleError, TitanicError
from titanic_nn.kaggle.credentials import Credentials, config_folder
from titanic_nn.kaggle.faults import TRY_LATER, is_refusal
from titanic_nn.tables.sources import LARGEST_UNPACKED

LARGEST_ANSWER = 8 * 2**20  # bytes of a message: a kernel's has its notebook, or its log


def open_client(credentials: Credentials, *, timeout: float) -> tuple[Any, Credentials]:
    """Make a client whose calls time out; also return the credentials that it uses.

    Call it, and what it returns, with stdout redirected: the client prints. `timeout`: seconds.

    Raises:
        TitanicError: the package cannot be imported.
        CredentialsError: a login with `kaggle auth login` has expired.
        requests.RequestException: such a login could not be renewed.
    """
    package = _import_kaggle()
    # urllib3 writes every URL into its log.
    logging.getLogger("urllib3").setLevel(logging.ERROR)

    api = package.KaggleApi()
    # Without --verbose, which VERBOSE=1 may have set: it prints the Authorization header.
    local = os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST"
    api.args = ["--local"] if local else []
    api.config_values = {}
    build, download = api.build_kaggle_client, api.download_file

    def build_with_timeout() -> Any:
        client = build()
        http = client.http_client()
        http._init_session()
        _set_limits(http._session, timeout)
        return client

    def download_once(*args: Any, **_: Any) -> Any:
        return download(*args, max_retries=0, timeout=timeout)

    api.build_kaggle_client = build_with_timeout
    api.download_file = download_once

    if credentials.refresh_token:
        credentials = replace(credentials, token=_oauth_token(api, credentials))
    api.config_values = {name: getattr(credentials, name) for name in ("username", "key", "token")}
    return api, credentials


def get_submission(api: Any, ref: int) -> Any:
    """One submission by its ref, for which `KaggleApi` has no method."""
    types = import_module("kagglesdk.competitions.types.competition_api_service")
    request = types.ApiGetSubmissionRequest()
    request.ref = ref
    with api.build_kaggle_client() as kaggle:
        return kaggle.competitions.competition_api_client.get_submission(request)


def create_submission(
    api: Any,
    competition: str,
    content: bytes,
    name: str,
    description: str,
    *,
    timeout: float,
    before_creation: Callable[[], None],
) -> Any:
    """Upload a file's content and create a submission from it, as `KaggleApi` does from a path.

    `before_creation` is called between the two: until then Kaggle can have no submission. Raises
    what the calls raise; none is repeated.
    """
    types = import_module("kagglesdk.competitions.types.competition_api_service")
    with api.build_kaggle_client() as kaggle, requests.Session() as storage:
        calls = kaggle.competitions.competition_api_client
        start = types.ApiStartSubmissionUploadRequest()
        start.competition_name = competition
        start.file_name = name
        start.content_length = len(content)
        start.last_modified_epoch_seconds = int(time.time())
        upload = calls.start_submission_upload(start)

        _set_limits(storage, timeout)
        response = storage.put(upload.create_url, data=content)
        response.raise_for_status()
        if response.status_code not in (200, 201):
            raise KaggleError(f"Kaggle's file storage answered {response.status_code}")

        creation = types.ApiCreateSubmissionRequest()
        creation.competition_name = competition
        creation.blob_file_tokens = upload.token
        creation.submission_description = description
        before_creation()
        return calls.create_submission(creation)


def token_owner(api: Any, token: str) -> str:
    """The user name that a token belongs to; "" if the token is not accepted."""
    types = import_module("kagglesdk.security.types.oauth_service")
    request = types.IntrospectTokenRequest()
    request.token = token
    with api.build_kaggle_client() as kaggle:
        reply = kaggle.security.oauth_client.introspect_token(request)
    return str(reply.username or "") if reply.active else ""


def get_kernel(api: Any, kernel: str) -> Any:
    """The newest version of a kernel, <owner>/<slug>: its metadata, and its notebook as a blob."""
    return _of_kernel(api, "get_kernel", "ApiGetKernelRequest", kernel)


def get_kernel_status(api: Any, kernel: str) -> Any:
    """How the newest version of a kernel fares.

    `KaggleApi.kernels_status` makes the same call; of a refusal it drops what Kaggle says.
    """
    return _of_kernel(api, "get_kernel_session_status", "ApiGetKernelSessionStatusRequest", kernel)


def list_kernel_output(api: Any, kernel: str, *, page_size: int, page_token: str) -> Any:
    """A page of what the newest version of a kernel left, with its log.

    `KaggleApi.kernels_output` writes whatever is listed, wherever its name leads.
    """
    paging = {"page_size": page_size, **({"page_token": page_token} if page_token else {})}
    name = "ApiListKernelSessionOutputRequest"
    return _of_kernel(api, "list_kernel_session_output", name, kernel, **paging)


def fetch_output(url: str, largest: int, *, timeout: float) -> bytes:
    """A file that a kernel left, from Kaggle's storage; `url` is signed.

    Raises KaggleError if it has more than `largest` bytes.
    """
    with requests.Session() as storage:
        _set_limits(storage, timeout)
        with storage.get(url, stream=True) as response:
            response.raise_for_status()
            content = bytearray()
            for chunk in response.iter_content(2**16):
                content += chunk
                if len(content) > largest:
                    raise KaggleError(f"a file of the kernel has over {largest} bytes; {TRY_LATER}")
            return bytes(content)


def _of_kernel(api: Any, call: str, request_type: str, kernel: str, **values: Any) -> Any:
    types = import_module("kagglesdk.kernels.types.kernels_api_service")
    request = getattr(types, request_type)()
    request.user_name, request.kernel_slug = kernel.split("/")
    for name, value in values.items():
        setattr(request, name, value)
    with api.build_kaggle_client() as kaggle:
        return getattr(kaggle.kernels.kernels_api_client, call)(request)


def _set_limits(session: requests.Session, timeout: float) -> None:
    """Give a session's calls a default timeout in seconds, and their answers a largest size."""

    class LimitedAdapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs["timeout"] = kwargs.get("timeout") or timeout
            response = super().send(*args, **kwargs)
            largest = LARGEST_UNPACKED if kwargs.get("stream") else LARGEST_ANSWER
            read = response.iter_content

            def read_limited(*args: Any, **kwargs: Any) -> Iterator[bytes]:
                size = 0
                for chunk in read(*args, **kwargs):
                    size += len(chunk)
                    if size > largest:
                        response.close()
                        raise KaggleError(f"Kaggle answered with over {largest} bytes; {TRY_LATER}")
                    yield chunk

            response.iter_content = read_limited  # type: ignore[method-assign]
            return response

    for scheme in ("http://", "https://"):
        session.mount(scheme, LimitedAdapter())


def _import_kaggle() -> Any:
    """Import the client, without it authenticating, printing, calling, or making a folder."""
    try:
        if "kaggle" not in sys.modules:
            _import_masked()
        # By name: to a type checker, "kaggle" could also be tests/kaggle.
        return import_module("kaggle.api.kaggle_api_extended")
    except (ImportError, OSError, SystemExit) as error:
        raise TitanicError(
            f"the kaggle package cannot be imported ({type(error).__name__}); "
            "try `pip install --force-reinstall kaggle six`"
        ) from None


def _import_masked() -> None:
    """Import the client in an environment in which it finds credentials that need no call."""
    mask = {
        "KAGGLE_API_TOKEN": os.devnull,  # an empty file, before any other token
        "KAGGLE_API_V1_TOKEN": "",
        "KAGGLE_USERNAME": "nobody",
        "KAGGLE_KEY": "nothing",
        "KAGGLE_CONFIG_DIR": str(Path(__file__).parent),  # a folder that need not be made
        "VERBOSE": "",  # else it would log every call
        "VERBOSE_OUTPUT": "",
    }
    before = {name: os.environ[name] for name in mask if name in os.environ}
    os.environ.update(mask)
    try:
        kaggle = import_module("kaggle")
    finally:
        for name in mask:
            del os.environ[name]
        os.environ.update(before)
    # As without the mask, for other users of the package in this process.
    kaggle.KaggleApi.config_dir = str(config_folder())
    kaggle.KaggleApi.config = str(config_folder() / "kaggle.json")
    kaggle.api.config_values = {}


def _oauth_token(api: Any, credentials: Credentials) -> str:
    """Exchange the refresh token of `kaggle auth login` for an access token."""
    login = import_module("kagglesdk.kaggle_creds").KaggleCredentials
    failed = CredentialsError(f"{credentials.source} is no longer valid: run `kaggle auth login`")
    with api.build_kaggle_client() as client:
        try:
            token = login.load(client=client).get_access_token()
        except requests.RequestException as error:
            if is_refusal(error):
                raise failed from None
            raise
        except (AttributeError, TypeError, ValueError):
            raise failed from None
    if not token:
        raise failed
    return str(token)
