"""Several workers on a real PostgreSQL server: one is killed, one suspended and continued."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, text
from studies import finish, make_study

from titanic_nn.tuning import storage as storages

TOTAL = 40
# A worker with a short heartbeat interval, a name that the test knows, and sleep in place of
# training, which would only make the test longer.
WORKER = """
import sys, time, uuid
from contextlib import closing
from pathlib import Path
from studies import finish, make_study
from titanic_nn.tuning import storage as storages
number, total, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
storages.HEARTBEAT, storages.GRACE = 1, 3
storages.uuid4 = lambda: uuid.UUID(int=number << 96)
with closing(storages.open_storage(url, Path("unused"))) as storage:
    study = make_study(storage)
    while study.finished() < total:
        trials = study.take(5, total)
        with study.running(trials):
            time.sleep(1)
            finish(study, trials)
"""


def binaries() -> Path | None:
    """Where PostgreSQL's programs are; Debian keeps them off the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max((p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of our own, on 127.0.0.1 only."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    # It refuses to be run by root.
    user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, **user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "tuner", "-A", "trust", "--no-sync"],
        check=True,
        **options,
    )
    listening = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
    process = subprocess.Popen([programs / "postgres", "-D", data, *listening], **options)
    ready: list[str | Path] = [
        programs / "pg_isready",
        "-q",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-t",
        "1",
    ]
    try:
        while subprocess.run(ready, check=False).returncode:
            assert process.poll() is None
            time.sleep(0.1)
        yield f"postgresql://tuner:nobody-sees-this@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(folder)


def start(number: int, url: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(number), str(TOTAL), url],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PGAPPNAME": f"worker {number}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trials_of(study: optuna.Study, number: int, state: TrialState) -> list[FrozenTrial]:
    """The trials of one worker."""
    name = f"{number:08x}" + 24 * "0"
    trials = study.get_trials(deepcopy=False, states=[state])
    return [trial for trial in trials if trial.user_attrs["worker"] == name]


def wait_for(study: optuna.Study, number: int, state: TrialState) -> list[FrozenTrial]:
    for _ in range(1200):
        if trials := trials_of(study, number, state):
            return trials
        time.sleep(0.05)
    raise AssertionError(f"worker {number} never had a trial that is {state}")


def signal_while_running(
    storage: RDBStorage,
    study: optuna.Study,
    number: int,
    worker: "subprocess.Popen[str]",
    sign: signal.Signals,
) -> list[FrozenTrial]:
    """Send a signal to a worker between two transactions; returns the trials that it was at."""
    while True:
        wait_for(study, number, TrialState.RUNNING)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(0.2)  # what it has under way at the server comes to its end
        trials = trials_of(study, number, TrialState.RUNNING)
        if trials and not in_transaction(storage, number):
            worker.send_signal(sign)
            return trials
        worker.send_signal(signal.SIGCONT)


def in_transaction(storage: RDBStorage, number: int) -> bool:
    """Whether a worker has a transaction open, by its connections' states."""
    states = text("select state from pg_stat_activity where application_name = :name")
    with storage.engine.connect() as connection:
        found = connection.execute(states, {"name": f"worker {number}"}).scalars()
        return any(state != "idle" for state in found)


def test_no_trial_is_lost_or_counted_twice(server: str, tmp_path: Path) -> None:
    storage = RDBStorage(server.replace("://", "+psycopg://"))
    try:
        _four_workers(server, storage, tmp_path)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _four_workers(server: str, storage: RDBStorage, tmp_path: Path) -> None:
    workers = {number: start(number, server, tmp_path) for number in (1, 2, 3, 4)}
    try:
        for _ in range(600):
            if optuna.get_all_study_names(storage):
                break
            time.sleep(0.1)
        study = optuna.load_study(study_name="s", storage=storage)

        killed = signal_while_running(storage, study, 1, workers[1], signal.SIGKILL)
        signal_while_running(storage, study, 2, workers[2], signal.SIGSTOP)
        early = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
        asleep = wait_for(study, 2, TrialState.FAIL)  # others took it for dead
        workers[2].send_signal(signal.SIGCONT)
        said = {number: worker.communicate(timeout=120) for number, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()

    codes = {number: worker.returncode for number, worker in workers.items()}
    assert codes == {1: -signal.SIGKILL, 2: 0, 3: 0, 4: 0}, said
    finished = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
    assert len(finished) == TOTAL
    assert not study.get_trials(states=[TrialState.RUNNING])
    # What was finished before stayed as it was.
    now = {trial.number: trial.values for trial in finished}
    assert {trial.number: trial.values for trial in early}.items() <= now.items()
    # What the two left failed, and was queued again. (Some of it may still wait for a larger total:
    # in the moment between the two, another worker can propose something new in its place.)
    failed = {trial.number for trial in study.get_trials(states=[TrialState.FAIL])}
    assert failed >= {trial.number for trial in (*killed, *asleep)}
    again = {trial.system_attrs.get("failed_trial") for trial in study.get_trials()}
    assert again >= {trial.number for trial in (*killed, *asleep)}
    rates = [trial.params["learning_rate"] for trial in finished]
    assert len(set(rates)) == TOTAL
    assert not any("nobody-sees-this" in text for texts in said.values() for text in texts)


# Opens studies in databases that are still empty, at the same moments as others like it.
STARTS = """
import sys, time
from contextlib import closing
from pathlib import Path
from studies import make_study
from titanic_nn.tuning.storage import open_storage
print("ready", flush=True)
for url in sys.argv[1:]:
    sys.stdin.readline()
    with closing(open_storage(url, Path("unused"))) as storage:
        print(make_study(storage).optuna._study_id, flush=True)
"""


def test_workers_may_all_start_on_an_empty_database(server: str) -> None:
    urls = [server.replace("/postgres", f"/empty{number}") for number in range(3)]
    for number in range(3):
        run_sql(server, f"create database empty{number}")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", STARTS, *urls],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                )
            )
            for _ in range(4)
        ]
        for _ in ("ready", *urls):
            assert len({worker.stdout.readline() for worker in workers if worker.stdout}) == 1
            for worker in workers:
                if worker.stdin:
                    worker.stdin.write("\n")
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]


def test_a_transaction_of_a_suspended_worker_does_not_stop_the_others(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "GRACE", 1)
    run_sql(server, "create database suspended")
    url = server.replace("/postgres", "/suspended")
    with (
        closing(storages.open_storage(url, tmp_path)) as suspended,
        closing(storages.open_storage(url, tmp_path)) as other,
    ):
        study = make_study(other)
        assert isinstance(suspended.optuna, RDBStorage)
        with suspended.optuna.engine.connect() as connection:
            connection.execute(text("select * from studies for update"))
            start = time.monotonic()
            finish(study, study.take(3, total=3))  # proposes trials, for which it locks the study
            assert 0.5 < time.monotonic() - start < 30
            connection.invalidate()
        assert study.finished() == 3


def run_sql(server: str, statement: str) -> None:
    """Run a statement that is not allowed in a transaction."""
    engine = create_engine(server.replace("://", "+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
