"""The server of kaggle_server.py, with kernels: it keeps versions, and "runs" the newest."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from kaggle_server import SIGNATURE, STORAGE, TOKEN, USERNAME, KaggleServer, Reply, as_json, refusal

Files = dict[str, bytes]
RUN = "runs/titanic-nets"


def log_of(*lines: str) -> str:
    """A log as Kaggle keeps that of a finished version."""
    parts = [
        json.dumps({"stream_name": "stderr", "time": i / 10, "data": f"{line}\n"})
        for i, line in enumerate(lines)
    ]
    return "[" + "\n,".join(parts) + "\n]"


def key_in(notebook: str) -> str:
    """The key that the last cell of a notebook has."""
    (found,) = re.findall(
        r'leave\("([^"]*)"\)', "".join(json.loads(notebook)["cells"][-1]["source"])
    )
    return str(found)


def described(key: str, files: Files) -> bytes:
    """The output.json that describes these files."""
    left = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    return json.dumps({"idempotency_key": key, "files": left}).encode()


class KaggleWithKernels(KaggleServer):
    """Kernels of one user, by slug: a list of versions, what was asked for each."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kernels: dict[str, list[dict[str, Any]]] = {}
        self.run_files: Files = {}  # what a version leaves
        self.left: Files = {}  # what the newest version left, with its output.json
        self.states = ["QUEUED", "RUNNING", "COMPLETE"]  # of a version, one each time it is asked
        self.failure = ""  # what GetKernelSessionStatus says of an error
        self.log = log_of("[NbConvertApp] Writing 12345 bytes to __notebook__.ipynb")
        self.save_reply: dict[str, Any] = {}  # overrides what SaveKernel would say
        self.page = 20  # files in a page, at most
        self.submitted: list[dict[str, Any]] = []  # by CreateCodeSubmission
        self.machine: Callable[[str], Files] = self._leaves_run
        self._asked = 0

    @property
    def pushed(self) -> list[dict[str, Any]]:
        """All versions of all kernels, as they were asked for."""
        return [version for versions in self.kernels.values() for version in versions]

    def storage(self, content: bytes | None, token: str) -> Reply:
        if content is None and token.startswith("output/"):
            file = self.left.get(token.removeprefix("output/"))
            return refusal(404) if file is None else Reply(200, file)
        return super().storage(content, token)

    def _leaves_run(self, notebook: str) -> Files:
        return {**self.run_files, "output.json": described(key_in(notebook), self.run_files)}

    def _SaveKernel(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        owner, _, slug = asked["slug"].partition("/")
        if owner != USERNAME:
            return refusal(403, "Permission 'kernels.update' was denied")
        notebook = json.loads(asked["text"])
        assert notebook["metadata"]["kernelspec"]["name"]  # papermill needs it
        assert all(isinstance(cell["source"], str) for cell in notebook["cells"])
        assert asked["newTitle"].lower().replace(" ", "-") == slug
        assert (asked["language"], asked["kernelType"]) == ("python", "notebook")
        if "error" not in self.save_reply:
            self.kernels.setdefault(slug, []).append(asked)
            self.left = self.machine(asked["text"])
            self._asked = 0
        said = {
            "ref": f"/code/{owner}/{slug}",
            "url": f"https://www.kaggle.com/code/{owner}/{slug}",
            "versionNumber": len(self.kernels.get(slug, [])),
            "kernelId": 7,
            **self.save_reply,
        }
        return as_json(said)

    def _GetKernel(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        versions = self._versions(asked)
        if not versions:
            return refusal(403, "Permission 'kernels.get' was denied")
        slug, version = asked["kernelSlug"], versions[-1]
        metadata = {"id": 7, "slug": slug, "currentVersionNumber": len(versions)}
        return as_json(
            {
                "metadata": metadata,
                "blob": {"source": version["text"], "language": "python", "slug": slug},
            }
        )

    def _GetKernelSessionStatus(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        if not self._versions(asked):
            return refusal(404, "Not found")
        state = self.states[min(self._asked, len(self.states) - 1)]
        self._asked += 1
        said = {} if state == "QUEUED" else {"status": state}  # a default goes unsaid
        return as_json(said | ({"failureMessage": self.failure} if self.failure else {}))

    def _ListKernelSessionOutput(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        if not self._versions(asked):
            return refusal(404, "Not found")
        names = [*self.left]
        start = int(asked.get("pageToken", 0))
        end = start + min(self.page, asked.get("pageSize", 20))
        files = [
            {"fileName": name, "url": f"http://{STORAGE}/output/{quote(name)}?{SIGNATURE}"}
            for name in names[start:end]
        ]
        more = {"nextPageToken": str(end)} if end < len(names) else {}
        return as_json({"files": files, "log": self.log, **more})

    def _CreateCodeSubmission(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        assert asked["kernelOwner"] == USERNAME
        assert asked["kernelVersion"] <= len(self.kernels[asked["kernelSlug"]])
        self.submitted.append(asked)
        self.uploads["code"] = self.left[asked["fileName"]]
        return self._CreateSubmission({**asked, "blobFileTokens": "code"})

    def _IntrospectToken(self, asked: dict[str, Any]) -> Reply:  # noqa: N802
        return as_json({"active": True, "username": USERNAME} if asked["token"] == TOKEN else {})

    def _versions(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return self.kernels.get(asked["kernelSlug"], []) if asked["userName"] == USERNAME else []
