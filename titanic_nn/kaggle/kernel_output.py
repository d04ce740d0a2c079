"""What a kernel leaves, described on its machine by `leave`, and brought home and checked here.

Kaggle's list of a kernel's output has names and addresses, no sizes and no hashes, and is always
that of its newest version. So the notebook's last cell writes output.json, with the key of its push
and the SHA-256 of each file of the run. Nothing that is not in it is fetched, and no run appears in
runs/ before all of its files are there, and are the ones that were left.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from titanic_nn.competitions.competition import name_of
from titanic_nn.errors import DataError, KaggleError, WriteError
from titanic_nn.escape import printable
from titanic_nn.files import hidden_folder, move, write_text
from titanic_nn.runs.find import RUNS, Run, read_run

OUTPUT = "output.json"
SUBMISSION = "submission.csv"  # what `kernel submit`, and the button on a kernel's page, send
LARGEST_RUN = 256 * 2**20  # bytes of a run that are brought home; it has about 1 MB
MOST_FILES = 1000  # of a run; it has about 40
PART = re.compile(r"\w[\w.-]{0,99}")  # of a path: no "..", no drive, nothing hidden


@dataclass(frozen=True)
class LeftFile:
    """A file that a kernel left."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Left:
    """What a kernel left: by path below its working folder."""

    idempotency_key: str
    files: Mapping[str, LeftFile]


def leave(key: str) -> None:
    """Describe the runs and the submission that are here; the last cell of a kernel calls it."""
    files = {}
    for path in sorted([*RUNS.rglob("*"), *Path().glob(SUBMISSION)]):
        if path.is_file() and not any(part.startswith(".") for part in path.parts):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            files[path.as_posix()] = LeftFile(path.stat().st_size, digest)
    left = Left(key, files)
    write_text(Path(OUTPUT), f"{json.dumps(asdict(left), indent=1)}\n")
    size = sum(file.bytes for file in files.values()) / 1e6
    print(f"{OUTPUT}: {len(files)} files, {size:.1f} MB, of push {key}")


def read_left(content: bytes) -> Left:
    """An output.json as it was fetched. Raises KaggleError where it is none."""
    try:
        return TypeAdapter(Left).validate_json(content)
    except ValidationError:
        raise KaggleError(f"the kernel's {OUTPUT} is damaged; try again") from None


def bring_home(
    left: Left, competition: str, home: Path, fetch: Callable[[str, int], bytes], url: str
) -> Run:
    """Fetch the run that a kernel left, check it, and give it its name, `home`.

    Args:
        left: what it left.
        competition: the slug of the competition that it was pushed for.
        home: the run's folder, which must not exist.
        fetch: fetches a file by its path, of at most so many bytes.
        url: the kernel's page, for messages.

    Raises:
        KaggleError: it left no run, or too much, or what is fetched is not what it left.
        WriteError: the folder cannot be written.
    """
    runs = [
        PurePosixPath(name).parent
        for name in left.files
        if re.fullmatch(rf"{RUNS.name}/[^/]+/summary\.json", name)
    ]
    if len(runs) != 1:
        raise KaggleError(f"the kernel left {len(runs) or 'no'} runs in {RUNS}/; see {url}")
    (run,) = runs
    files = {
        str(PurePosixPath(name).relative_to(run)): file
        for name, file in left.files.items()
        if PurePosixPath(name).is_relative_to(run)
    }
    for name in files:
        if not all(PART.fullmatch(part) for part in name.split("/")):
            raise KaggleError(f"the kernel left a file named {printable(name)!r}; see {url}")
    size = sum(file.bytes for file in files.values())
    if size > LARGEST_RUN or len(files) > MOST_FILES:
        raise KaggleError(
            f"the kernel's run has {len(files)} files of {size} bytes, more than the {MOST_FILES} "
            f"of {LARGEST_RUN} that are fetched; fetch what you need from {url}"
        )
    with hidden_folder(home) as new:
        for name, file in files.items():
            content = fetch(f"{run}/{name}", file.bytes)
            if hashlib.sha256(content).hexdigest() != file.sha256:
                raise KaggleError(f"{run}/{name}: is not what the kernel left; try again")
            path = new / home.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            found = read_run(new / home.name)
        except DataError as error:
            raise KaggleError(f"the kernel left no whole run ({error}); see {url}") from None
        if slug_of(found) != competition:
            named = printable(name_of(found.competition))
            raise KaggleError(f"the kernel's run is of {named}, not {competition}; see {url}")
        if home.exists():
            raise WriteError(f"{home}: is there already; move it away")
        move(new / home.name, home)
    return read_run(home)


def slug_of(run: Run) -> str:
    """The slug of a run's competition; "" if it has none."""
    reference = run.competition
    return str(reference.get("slug", "") if isinstance(reference, Mapping) else reference)
