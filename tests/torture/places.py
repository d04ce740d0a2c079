"""Places that cannot be written to: one line, as early as it can be known, nothing half-written.

What needs a mount (a small or read-only disk) makes it in a mount namespace of its own, which
ends with the process; where that is not allowed, these attacks are made with a folder of /proc.
"""

import os
import resource
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from torture.attack import QUICK, Attack, command, environment, fault, run
from torture.finished import HIDDEN, give_run, names

TRAIN = ("train", *QUICK)
ASK = ("importance", *QUICK)
TUNE = ("tune", "--model", "linear", "--trials", "2", "--folds", "2", "--repeats", "1", "--quiet")
PREDICT = ("predict", "runs/earlier", "--input", "rows.csv", "--output")
EXPORT = ("export", "runs/earlier", "--onnx")
DOWNLOAD = ("download",)
KEYS = {"KAGGLE_USERNAME": "nobody", "KAGGLE_KEY": "0" * 32}
NOWHERE = "/proc/nowhere"  # not even root can write there
Done = subprocess.CompletedProcess[str]


def attacks() -> list[Attack]:
    """34 attacks."""
    refused: list[
        tuple[str, Callable[[Path], object], Sequence[str]]
    ] = [  # name, what is prepared, the command's words
        ("train --out .", _nothing, (*TRAIN, "--out", ".")),
        ("train --out '', in a folder with a run", give_run, (*TRAIN, "--out", "")),
        ("train --out ..", _nothing, (*TRAIN, "--out", "..")),
        ("train --out LINK to a folder", _link, (*TRAIN, "--out", "link")),
        ("train --out LINK to nothing", _dangling, (*TRAIN, "--out", "link")),
        ("train --out FILE", _file, (*TRAIN, "--out", "file")),
        ("train --out FILE/new", _file, (*TRAIN, "--out", "file/new")),
        ("train --out LINK/new, to nothing", _dangling, (*TRAIN, "--out", "link/new")),
        ("train --out in /proc", _nothing, (*TRAIN, "--out", f"{NOWHERE}/new")),
        ("train --out in /sys", _nothing, (*TRAIN, "--out", "/sys/new")),
        ("train --out a name of 300 letters", _nothing, (*TRAIN, "--out", "a" * 300)),
        ("train, runs is a file", partial(_touch, "runs"), TRAIN),
        ("train, submissions is a file", partial(_touch, "submissions"), TRAIN),
        ("importance --out FILE/new", _file, (*ASK, "--out", "file/new")),
        ("tune, runs/studies is a file", partial(_touch, "runs/studies"), TUNE),
        ("predict --output in /proc", _rows, (*PREDICT, f"{NOWHERE}/p.csv")),
        ("predict --output LINK to nothing", _rows, (*PREDICT, "link")),
        ("export --onnx FILE/new", _rows, (*EXPORT, "file/new.onnx")),
        ("report, report.html is a folder", _page, ("report",)),
        ("download, data is a file", partial(_touch, "data"), DOWNLOAD),
    ]
    limited = [  # name, the command's words: no file may grow beyond a block
        ("train", TRAIN),
        ("report", ("report",)),
        ("misclassified", ("misclassified",)),
        ("importance RUN", ("importance", "runs/earlier", "--quiet")),
        ("tune", TUNE),
        ("predict", (*PREDICT, "p.csv")),
        ("export", (*EXPORT, "p.onnx")),
    ]
    return [
        *(Attack(name, partial(_refused, make, words)) for name, make, words in refused),
        *(Attack(f"{n} with ulimit -f 1", partial(_limited, words)) for n, words in limited),
        Attack("train on a disk of 1 MB", partial(_on_a_disk, "size=1m")),
        Attack("train on a read-only disk", partial(_on_a_disk, "ro")),
        Attack("train, its disk full as it writes the run", partial(_full, "runs/" + HIDDEN)),
        Attack("train, its disk full after the run", partial(_full, "runs/new")),
        Attack("train, --out taken meanwhile", _taken),
        Attack("train, two at one --out", partial(_two, ("new", "new"))),
        Attack("train, two of one name", partial(_two, ("a/new", "b/new"))),
    ]


def _nothing(folder: Path) -> None:
    pass


def _touch(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("the user's")


_file = partial(_touch, "file")


def _link(folder: Path) -> None:
    (folder / "target").mkdir()
    (folder / "link").symlink_to("target")


def _dangling(folder: Path) -> None:
    (folder / "link").symlink_to("missing")


def _rows(folder: Path) -> None:
    give_run(folder)
    _file(folder)
    _dangling(folder)
    (folder / "rows.csv").write_text(
        "Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked\n"
        + '3,"Kelly, Mr. James",male,34.5,0,0,330911,7.8292,,Q\n' * 100
    )


def _page(folder: Path) -> None:
    page = give_run(folder) / "report.html"
    page.unlink()
    page.mkdir()


def _refused(make: Callable[[Path], object], words: Sequence[str], folder: Path) -> str:
    """The command says one line with exit code 2, and leaves everything as it was."""
    make(folder)
    before = names(folder)
    return _unchanged(folder, before, run(folder, *words, env=KEYS))


def _unchanged(folder: Path, before: set[str], done: Done) -> str:
    if bad := fault(done, codes=(2,)):
        return bad
    if before != (after := names(folder)):
        return f"changed: {sorted(before ^ after)}"
    return "" if done.stderr.startswith("error: ") else done.stderr


def _limited(words: Sequence[str], folder: Path) -> str:
    _rows(folder)
    before = names(folder)
    return _unchanged(folder, before, _shell(folder, f"ulimit -f 1; exec {_line(words)}"))


def _line(words: Sequence[str]) -> str:
    return shlex.join(command(*words))


def _shell(folder: Path, script: str, *unshared: str) -> Done:
    return subprocess.run(
        [*unshared, "sh", "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@cache
def _may_mount() -> bool:
    try:
        tried = subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return tried.returncode == 0


def _on_a_disk(options: str, folder: Path) -> str:
    if not _may_mount():
        return fault(run(Path("/proc"), *TRAIN), codes=(2,))
    script = f"mount -t tmpfs -o {options} none . && cd {shlex.quote(str(folder))} && "
    return _unchanged(
        folder, names(folder), _shell(folder, f"{script}exec {_line(TRAIN)}", "unshare", "-m")
    )


def _start(folder: Path, out: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*TRAIN, "--out", out),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait(process: "subprocess.Popen[str]", folder: Path, moment: str) -> None:
    while process.poll() is None and next(folder.glob(moment), None) is None:
        time.sleep(0.0005)


def _end(process: "subprocess.Popen[str]") -> Done:
    out, error = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def _full(moment: str, folder: Path) -> str:
    """From a moment on, no file can grow beyond 300 bytes: as a full disk, one line says so."""
    with _start(folder, "runs/new") as process:
        _wait(process, folder, moment)
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (300, 300))
        done = _end(process)
    if bad := fault(done, codes=(2,)):
        return bad
    if moment != "runs/new":
        return f"left: {left}" if (left := names(folder)) else ""
    if "the run is written: runs/new; " not in done.stderr:
        return done.stderr
    run(folder, "submit", "--dry-run")
    run(folder, "report")
    needed = ("runs/new/report.html", "submissions/new-linear.csv", "submissions/new-linear.json")
    if missing := {*needed} - names(folder):
        return f"missing: {missing}"
    hidden = list(folder.rglob(HIDDEN))
    return f"left: {hidden}" if hidden else ""


def _taken(folder: Path) -> str:
    """What another program puts at --out stays; the run is kept beside it."""
    with _start(folder, "runs/new") as process:
        _wait(process, folder, f"runs/{HIDDEN}/room")
        _touch("runs/new", folder)
        done = _end(process)
    if bad := fault(done, codes=(2,)):
        return bad
    if (folder / "runs/new").read_text() != "the user's":
        return "the user's file is gone"
    if "kept in runs/new-2" not in done.stderr or not (folder / "runs/new-2/oof.csv").is_file():
        return done.stderr
    return fault(run(folder, "report", "new-2"), codes=(0,))


def _two(outs: Sequence[str], folder: Path) -> str:
    """At one place the second is refused at once; of one name, each has its own submissions."""
    with _start(folder, outs[0]) as first:
        _wait(first, folder, f"{os.path.dirname(outs[0]) or '.'}/{HIDDEN}")
        second, one = run(folder, *TRAIN, "--out", outs[1], "--seed", "7"), _end(first)
    if bad := fault(one, codes=(0,)) or fault(second):
        return bad
    same = outs[0] == outs[1]
    if bool(second.returncode) != same:
        return f"the second ended with {second.returncode}: {second.stderr}"
    found = {path for path in names(folder) if path.endswith("-linear.csv")}
    expected = {"submissions/new-linear.csv"} | (
        set() if same else {"submissions/new-2-linear.csv"}
    )
    return "" if found == expected else f"submissions: {found}"
