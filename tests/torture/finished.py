"""A finished run for attacks that need one, trained once."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from torture.attack import QUICK
from torture.forked import call

HIDDEN = ".titanic_nn-*"  # what is being written, or what a killed process has left
_lock = Lock()


@cache
def _trained() -> "TemporaryDirectory[str]":
    home = TemporaryDirectory(prefix="torture-run-")
    done = call(Path(home.name), "train", *QUICK, "--out", "runs/earlier")
    assert done.returncode == 0, done.stderr
    return home


def give_run(folder: Path) -> Path:
    """Put a finished run and its submissions into a folder: `runs/earlier`."""
    with _lock:  # two attacks at a time
        home = _trained()
    shutil.copytree(home.name, folder, dirs_exist_ok=True)
    return folder / "runs/earlier"


def names(folder: Path) -> set[str]:
    """Every path in a folder, locks of names aside."""
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {path for path in paths if not path.endswith(".lock")}
