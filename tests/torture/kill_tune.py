"""A study's worker, killed or out of disk: the next one loses no trial and counts none twice."""

import resource
import signal
import subprocess
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from torture.attack import Attack, command, environment, fault
from torture.forked import call

from titanic_nn.tuning.storage import open_storage

# Nets of four epochs: a batch of ten takes a part of a second.
SPACE = "[linear]\nepochs = 4\n"
WORDS = ("tune", "--model", "linear", "--space", "space.toml", "--folds", "2", "--repeats", "2")
STUDY = Path("runs/studies/s-linear")
TOTAL = 30


def attacks() -> list[Attack]:
    """Kills at growing sizes of the journal, which aims at each stage; disks that fill up there."""
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    sizes = range(0, 26000, 1300)
    return [
        *(
            Attack(f"{sign.name} at {size} bytes", partial(killed, size=size, sign=sign))
            for sign, size in zip(signals * len(sizes), sizes, strict=False)
        ),
        *(
            Attack(f"disk full at {size} bytes", partial(disk_full, size=size))
            for size in range(100, 26000, 6000)
        ),
    ]


def words(folder: Path) -> list[str]:
    (folder / "space.toml").write_text(SPACE)
    return [*WORDS, "--study", "s", "--batch", "10", "--trials", str(TOTAL), "--quiet"]


def killed(folder: Path, size: int, sign: signal.Signals) -> str:
    """Send a signal to a worker when the journal has this size."""
    journal = folder / STUDY / "journal.log"
    typed = words(folder)
    with subprocess.Popen(
        command(*typed),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        end = time.monotonic() + 60
        while not journal.exists() or journal.stat().st_size < size:
            if worker.poll() is not None or time.monotonic() > end:
                break
            time.sleep(0.002)
        worker.send_signal(sign)
        try:
            _, said = worker.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            worker.kill()
            return f"still there 30 s after {sign.name}"
    before = finished(folder)
    if "Traceback" in said:
        return f"traceback: {said[-300:]}"
    if "nothing was written" in said and before:
        return f"said {said!r}, with {len(before)} trials finished"
    return goes_on(folder, typed, before)


def disk_full(folder: Path, size: int) -> str:
    """Let a worker's files grow to this size only."""
    typed = words(folder)
    limited = subprocess.run(
        command(*typed),
        cwd=folder,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return fault(limited) or goes_on(folder, typed, finished(folder))


def finished(folder: Path) -> dict[int, FrozenTrial]:
    """The study's finished trials; opening it must succeed, whatever was left."""
    if not (folder / STUDY / "journal.log").exists():
        return {}
    with closing(open_storage(None, folder / STUDY)) as storage:
        for study in storage.optuna.get_all_studies():
            trials = storage.optuna.get_all_trials(study._study_id)
            done = (TrialState.COMPLETE, TrialState.PRUNED)
            return {trial.number: trial for trial in trials if trial.state in done}
    return {}


def goes_on(folder: Path, typed: list[str], before: dict[int, FrozenTrial]) -> str:
    """Run the same command again: it must finish the study, and keep what was finished."""
    if wrong := fault(call(folder, *typed), codes=(0,)):
        return f"afterwards: {wrong}"
    after = finished(folder)
    if len(after) != TOTAL:
        return f"{len(after)} trials instead of {TOTAL}"
    if any(after[number].values != trial.values for number, trial in before.items()):
        return "a finished trial was changed"
    if len({str(trial.params) for trial in after.values()}) != TOTAL:
        return "a trial was counted twice"
    if not (folder / STUDY / "best.toml").exists():
        return "no best.toml"
    left = [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]
    return f"left behind: {left}" if left else ""
