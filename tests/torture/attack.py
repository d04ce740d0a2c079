"""What an attack is: one attempt to make the package lose data, lie, hang or fail unhandled."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
# Small settings for a run of a few seconds.
QUICK = ("--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1", "--quiet")


@dataclass(frozen=True)
class Attack:
    """One attempt.

    Attributes:
        name: what is tried, in a few words.
        attempt: makes the attempt in an empty folder, and returns what went wrong: "" if the
            package withstood it. An exception is a failure too.
    """

    name: str
    attempt: Callable[[Path], str]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with which the package of this checkout is found everywhere."""
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


def command(*words: str | Path) -> list[str]:
    """A command of the package, as a list for subprocess."""
    return [sys.executable, "-m", "titanic_nn", *map(str, words)]


def run(
    folder: Path, *words: str | Path, timeout: float = 120, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the package in a folder; raises TimeoutExpired where it hangs."""
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(**env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


def fault(finished: "subprocess.CompletedProcess[str]", codes: Sequence[int] = (0, 2, 3)) -> str:
    """What is wrong with the way in which a command ended; "" if nothing is.

    It ends with one of these exit codes; unless that is 0, with one line on stderr, and never with
    a traceback.
    """
    lines = finished.stderr.splitlines()
    if "Traceback" in finished.stderr:
        return f"traceback: {lines[-1]}"
    if finished.returncode not in codes:
        return f"exit code {finished.returncode}: {finished.stderr[-300:]}"
    if finished.returncode and len(lines) != 1:
        return f"{len(lines)} lines on stderr: {finished.stderr[-300:]}"
    return ""
