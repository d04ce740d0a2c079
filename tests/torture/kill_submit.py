"""`submit` with the real client of Kaggle, against a server on loopback: killed, cut off, lied to.

Each attack ends with the same command typed again, and the same questions: is it at the server
exactly once, is the ledger true, is anything left in the temporary folder, did a secret get out?
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import kaggle_server as server
from kaggle_server import KEY, USERNAME, Fault, KaggleServer, Stop
from kaggle_user import (
    files_in,
    kaggle_tables,
    leaks,
    let_pass,
    read_ledger,
    write_run_only,
    write_tables,
)
from torture.attack import Attack, command, environment, fault

from titanic_nn.kaggle.once import VISIBLE_AFTER

Done = Literal["never", "late", "before"]  # of what a call asks, as in kaggle_server.Stop

STAGES: list[tuple[str, Done]] = [
    ("ListSubmissions", "never"),
    ("GetSubmissionLimits", "never"),
    ("StartSubmissionUpload", "never"),
    ("upload", "never"),
    ("upload", "before"),
    ("CreateSubmission", "never"),
    ("CreateSubmission", "before"),
    ("CreateSubmission", "late"),
    ("GetSubmission", "never"),
]
# Name -> the call that it strikes, and what happens there.
FAULTS: dict[str, tuple[str, Fault]] = {
    "silence while it is created": ("CreateSubmission", server.stays_silent),
    "created, and said to have failed": ("CreateSubmission", server.fails_late),
    "created, and the reply is lost": ("CreateSubmission", server.loses_reply),
    "created, and the reply is garbage": ("CreateSubmission", server.garbles),
    "created, and led to another host": ("CreateSubmission", server.redirects),
    "the list is garbage": ("ListSubmissions", server.garbles),
    "the list is endless": ("ListSubmissions", server.floods),
    "the list fails": ("ListSubmissions", server.fails(500)),
    "the upload is cut": ("upload", server.resets),
    "secrets echoed by the list": ("ListSubmissions", server.echoes()),
    "secrets echoed by the creation": ("CreateSubmission", server.echoes(500)),
    "secrets echoed while polling": ("GetSubmission", server.echoes(500)),
}


@dataclass
class Scene:
    """A user's folder with tables and a run, and a server."""

    folder: Path
    kaggle: KaggleServer
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)  # by all commands

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Type `submit`, and these words."""
        return subprocess.Popen(
            command("submit", *words),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]", codes: Sequence[int] = (0, 2, 3)) -> str:
        """Wait for a command; what is wrong with how it ended."""
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        self.said += [out, err]
        finished = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        return fault(finished, codes)

    def run(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """Type `submit` and wait; what is wrong with how it ended."""
        return self.finish(self.start(*words), codes)

    def kill_at(self, call: str, stop: Stop) -> str:
        """SIGKILL `submit` while the server holds a call."""
        self.kaggle.inject(call, stop)
        process = self.start()
        reached = stop.reached.wait(60)
        process.kill()
        self.said += process.communicate()
        return "" if reached else f"{call} was not reached"

    def wrong(self) -> str:
        """What is wrong when all is said and done."""
        rows = read_ledger(self.folder)
        states = [(row["status"], row["ref"], row["public_score"]) for row in rows]
        temporary = [path.name for path in (self.folder / "temporary").iterdir()]
        written = [path.name for path in (self.folder / "submissions").iterdir()]
        strange = [name for name in written if not name.endswith((".csv", ".json", ".lock"))]
        secrets = leaks(*self.said, *files_in(self.folder), *self.kaggle.told)
        questions = {
            "at the server": (len(self.kaggle.submissions), 1),
            "in the ledger": (states, [("complete", "1001", "0.82057")]),
            "in the temporary folder": (temporary, []),
            "among the submissions": (strange, []),
            "secrets": (secrets, []),
            "errors of the server's own": (self.kaggle.mishaps, []),
        }
        return "; ".join(
            f"{what}: {found}" for what, (found, due) in questions.items() if found != due
        )


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    tables = kaggle_tables()
    write_tables(folder / "data/kaggle/titanic", tables)
    write_run_only(folder / "runs", "a-run", "downloaded", tables.test, tables.sex_rule)
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    kaggle = KaggleServer(tables.archive, tables.answers)
    clean = {
        name: value
        for name, value in environment().items()
        if not name.upper().startswith("KAGGLE_") and not name.lower().endswith("_proxy")
    }
    with kaggle.serving() as port:
        own = {
            **server.environment(port, folder / "home"),
            "KAGGLE_USERNAME": USERNAME,
            "KAGGLE_KEY": KEY,
            "TMPDIR": str(folder / "temporary"),
            "TITANIC_NN_CALL_TIMEOUT": "3",
            "TITANIC_NN_PAUSE": "0.02",
        }
        yield Scene(folder, kaggle, clean | own)


def attacks() -> list[Attack]:
    """All attempts, in a fixed order."""
    return [
        *(Attack(f"killed after {s} s", partial(_killed_early, seconds=s)) for s in (0.4, 0.8)),
        *(
            Attack(f"killed at {call}, done {done}", partial(_killed, call=call, done=done))
            for call, done in STAGES
        ),
        Attack("killed while it is created, which takes longer", partial(_created_late, kills=1)),
        Attack("killed twice while it is created", partial(_created_late, kills=2)),
        Attack("killed, then typed twice at once", partial(_twice_at_once, killed=True)),
        Attack("typed twice at once", partial(_twice_at_once, killed=False)),
        *(
            Attack(name, partial(_faulty, call=call, strikes=strikes))
            for name, (call, strikes) in FAULTS.items()
        ),
        Attack("the ledger is damaged meanwhile", _damaged_ledger),
    ]


def _killed_early(folder: Path, seconds: float) -> str:
    with scene(folder) as at:
        process = at.start()
        time.sleep(seconds)
        process.kill()
        at.said += process.communicate()
        return at.run() or at.wrong()


def _killed(folder: Path, call: str, done: Done) -> str:
    with scene(folder) as at:
        stop = Stop(done)
        if missed := at.kill_at(call, stop):
            return missed
        stop.go.set()
        if call == "CreateSubmission":
            let_pass(folder, VISIBLE_AFTER - 3)
        return at.run() or at.wrong()


def _created_late(folder: Path, kills: int) -> str:
    """What is created arrives while the command, typed again, has long begun to search."""
    with scene(folder) as at:
        stop = Stop("late")
        missed = at.kill_at("CreateSubmission", stop)
        if kills > 1:
            searched = Stop("before")
            missed = missed or at.kill_at("ListSubmissions", searched)
            searched.go.set()
        late = threading.Timer(4, stop.go.set)
        late.start()
        try:
            return missed or at.run() or at.wrong()
        finally:
            late.join()


def _twice_at_once(folder: Path, killed: bool) -> str:
    with scene(folder) as at:
        if killed:
            stop = Stop("never")
            if missed := at.kill_at("CreateSubmission", stop):
                return missed
            stop.go.set()
            let_pass(folder, VISIBLE_AFTER - 4)
        both = [at.start(), at.start()]
        ends = [at.finish(process, codes=(0,)) for process in both]
        return "".join(ends) or at.wrong()


def _faulty(folder: Path, call: str, strikes: Fault) -> str:
    with scene(folder) as at:
        at.kaggle.inject(call, strikes, strikes, strikes, strikes)
        if wrong := at.run(codes=(0, 2, 3)):
            return wrong
        at.kaggle.heal()
        if any(row["status"] == "pending" and not row["ref"] for row in read_ledger(folder)):
            let_pass(folder, VISIBLE_AFTER - 3)
        return at.run() or at.wrong()


def _damaged_ledger(folder: Path) -> str:
    """It is refused and kept, however it was damaged; put right, it is gone on with."""
    with scene(folder) as at:
        stop = Stop("before")
        if missed := at.kill_at("CreateSubmission", stop):
            return missed
        stop.go.set()
        ledger = folder / "submissions/ledger.csv"
        good = ledger.read_bytes()
        damages: list[Callable[[bytes], bytes]] = [
            lambda content: b"\0" * len(content),
            lambda content: content[:-20],
            lambda content: content + content.splitlines()[1] + b"\n",
        ]
        for damage in damages:
            bad = damage(good)
            ledger.write_bytes(bad)
            if wrong := at.run(codes=(2,)):
                return wrong
            if ledger.read_bytes() != bad:
                return "a damaged ledger was changed"
        ledger.write_bytes(good.replace(b"\n", b"\r\n"))
        return at.run() or at.wrong()
