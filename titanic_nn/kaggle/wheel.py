"""The installed package as a wheel, made from its own files: the same content for the same package.

Without the bundled table: where a competition's input is missing, nothing else may be trained on.
"""

import io
import zipfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from titanic_nn.errors import TitanicError

PACKAGE = Path(__file__).parents[1]
LEFT_OUT = ("__pycache__", "bundled")
WHEEL = "Wheel-Version: 1.0\nGenerator: titanic_nn\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


@dataclass(frozen=True)
class Wheel:
    """A wheel's file name, its bytes, and a digest of what it holds.

    The bytes may differ between machines, by their zlib.
    """

    name: str
    content: bytes
    sha256: str


@cache
def package_wheel() -> Wheel:
    """Pack the package that is running. Raises TitanicError where it is not installed."""
    try:
        installed = distribution("titanic-nn")
    except PackageNotFoundError:
        raise TitanicError(
            "titanic_nn runs from a folder and is not installed, so what it requires is not "
            "known; try `pip install -e .` there"
        ) from None
    # Without the README below it.
    headers = (installed.read_text("METADATA") or "").partition("\n\n")[0]
    stem = f"titanic_nn-{installed.version}"
    files = {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and not any(map(_is_left_out, path.relative_to(PACKAGE).parts))
    }
    files[f"{stem}.dist-info/METADATA"] = f"{headers}\n".encode()
    files[f"{stem}.dist-info/WHEEL"] = WHEEL.encode()
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},{_record(content)}\n" for name, content in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, LONG_AGO)
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    digest = sha256(files[record]).hexdigest()
    return Wheel(f"{stem}-py3-none-any.whl", packed.getvalue(), digest)


def _is_left_out(part: str) -> bool:
    return part in LEFT_OUT or part.startswith(".")


def _record(content: bytes) -> str:
    """A file's hash and size, as RECORD has them."""
    digest = urlsafe_b64encode(sha256(content).digest()).decode().rstrip("=")
    return f"sha256={digest},{len(content)}"
