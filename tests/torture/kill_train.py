"""`train`, killed at a chosen moment: nothing half-written is taken for a run, nothing is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torture.attack import QUICK, Attack, command, environment
from torture.finished import HIDDEN, give_run
from torture.forked import call

# A name of the moment -> the path whose appearance is waited for.
IN_TRAINING = f"runs/{HIDDEN}/room"
MOMENTS = {
    "while it trains": IN_TRAINING,
    "at its first file": f"runs/{HIDDEN}/new/new/settings.toml",
    "at summary.json": f"runs/{HIDDEN}/new/new/summary.json",
    "at its test predictions": f"runs/{HIDDEN}/new/new/test_predictions.csv",
    "at its models": f"runs/{HIDDEN}/new/new/models",
    "as the run gets its name": "runs/new",
    "at the first manifest": "submissions/new-linear.json",
    "at the first submission": "submissions/new-linear.csv",
    "at the report": f"runs/new/{HIDDEN}/new/report.html",
}
SIGNALS = (signal.SIGKILL, signal.SIGINT)
# As the next commands of a user, in one process: without an argument they take the newest run.
NEXT = """
import sys
from pathlib import Path
from titanic_nn.cli import report, submit
from titanic_nn.files import check_place, reserved
from titanic_nn.runs.find import find_run
print(find_run(None))
report.main([])
try:
    submit.main(["--dry-run"])
except SystemExit:
    pass  # the bundled table's submissions are written, and not sent
with reserved(Path("runs/next")):
    check_place(Path("submissions"))  # as train begins
"""


def attacks() -> list[Attack]:
    """20 attacks."""
    chosen = [(moment, sent) for moment in MOMENTS for sent in SIGNALS]
    chosen += [(moment, signal.SIGTERM) for moment in ("while it trains", "at summary.json")]
    return [
        Attack(f"{sent.name} {moment}", partial(_attempt, MOMENTS[moment], sent, i % 10 == 0))
        for i, (moment, sent) in enumerate(chosen)
    ]


def _attempt(moment: str, sent: signal.Signals, train_again: bool, folder: Path) -> str:
    give_run(folder)
    said = _killed(folder, moment, sent)
    new = folder / "runs/new"
    kept = new.exists()
    if "Traceback" in said or len(said.splitlines()) > 1:
        return f"said {said!r}"
    if "nothing was written" in said and kept:
        return f"a run is there, and it said {said!r}"
    if "the run is written" in said and not kept:
        return f"no run is there, and it said {said!r}"
    before = _contents(new) if kept else {}
    if train_again:
        again = call(folder, "train", *QUICK, "--out", "runs/again")
        if again.returncode:
            return f"training again: {again.stderr}"
        (folder / "runs/again").rename(folder / "runs-again")  # not the newest one
    return _next(folder, "runs/new" if kept else "runs/earlier") or _changed(new, before)


def _killed(folder: Path, moment: str, sent: signal.Signals) -> str:
    """Train, and send the signal when the path of this moment is there; what it said."""
    with subprocess.Popen(
        command("train", *QUICK, "--out", "runs/new"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None and next(folder.glob(moment), None) is None:
            time.sleep(0.0005)
        if moment == IN_TRAINING:
            time.sleep(0.2)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    return said


def _next(folder: Path, expected: str) -> str:
    """Report and submit: what is missing is made, for this run, and leftovers are gone."""
    done = subprocess.run(
        [sys.executable, "-c", NEXT],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        return done.stderr
    if done.stdout.splitlines()[0] != expected:
        return f"the newest run is {done.stdout.splitlines()[0]}, not {expected}"
    stem = Path(expected).name
    needed: Sequence[str] = (
        f"{expected}/report.html",
        f"submissions/{stem}-linear.csv",
        f"submissions/{stem}-linear.json",
    )
    if missing := [path for path in needed if not (folder / path).is_file()]:
        return f"missing: {missing}"
    if left := list(folder.rglob(HIDDEN)):
        return f"left: {left}"
    return ""


def _contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def _changed(run: Path, before: dict[Path, bytes]) -> str:
    """What the next commands changed of what the killed run had."""
    changed = [
        path
        for path, content in before.items()
        if ".titanic_nn-" not in str(path) and path.read_bytes() != content
    ]
    return f"changed: {changed}" if [path for path in changed if path.suffix != ".html"] else ""
