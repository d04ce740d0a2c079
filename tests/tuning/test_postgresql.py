"""Several workers on a real PostgreSQL server: one is killed, one suspended and continued."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from preloaded import preloaded
from sqlalchemy import create_engine, text
from studies import finish, make_study
from tuning_workers import open_studies, work

from titanic_nn.tuning import storage as storages

TOTAL = 40


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


def start(number: int, url: str, folder: Path) -> ForkServerProcess:
    arguments = (number, TOTAL, url, folder / f"{number}.txt")
    worker = preloaded().Process(target=work, args=arguments)
    worker.start()
    return worker


def send(worker: ForkServerProcess, sign: signal.Signals) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, sign)


def trials_of(study: optuna.Study, number: int, state: TrialState) -> list[FrozenTrial]:
    """The trials of one worker."""
    name = f"{number:08x}" + 24 * "0"
    trials = study.get_trials(deepcopy=False, states=[state])
    return [trial for trial in trials if trial.user_attrs["worker"] == name]


def wait_for(study: optuna.Study, number: int, state: TrialState) -> list[FrozenTrial]:
    for _ in range(600):
        if trials := trials_of(study, number, state):
            return trials
        time.sleep(0.1)
    raise AssertionError(f"worker {number} never had a trial that is {state}")


def signal_while_running(
    storage: RDBStorage,
    study: optuna.Study,
    number: int,
    worker: ForkServerProcess,
    sign: signal.Signals,
) -> list[FrozenTrial]:
    """Send a signal to a worker between two transactions; returns the trials that it was at."""
    while True:
        wait_for(study, number, TrialState.RUNNING)
        send(worker, signal.SIGSTOP)
        time.sleep(0.2)  # what it has under way at the server comes to its end
        trials = trials_of(study, number, TrialState.RUNNING)
        if trials and not in_transaction(storage, number):
            send(worker, sign)
            return trials
        send(worker, signal.SIGCONT)


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
    # The first two are struck before the others start: the study cannot be over by then.
    workers = {number: start(number, server, tmp_path) for number in (1, 2)}
    try:
        for _ in range(600):
            if optuna.get_all_study_names(storage):
                break
            time.sleep(0.1)
        study = optuna.load_study(study_name="s", storage=storage)

        killed = signal_while_running(storage, study, 1, workers[1], signal.SIGKILL)
        signal_while_running(storage, study, 2, workers[2], signal.SIGSTOP)
        workers |= {number: start(number, server, tmp_path) for number in (3, 4)}
        wait_for(study, 3, TrialState.COMPLETE)
        early = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
        asleep = wait_for(study, 2, TrialState.FAIL)  # others took it for dead
        send(workers[2], signal.SIGCONT)
        for worker in workers.values():
            worker.join(120)
        codes = {number: worker.exitcode for number, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.kill()
            worker.join()

    said = {number: (tmp_path / f"{number}.txt").read_text() for number in workers}
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
    # One that is run again, and fails too, is in the history of the next.
    again = {n for trial in study.get_trials() for n in trial.system_attrs.get("retry_history", [])}
    assert again >= {trial.number for trial in (*killed, *asleep)}
    rates = [trial.params["learning_rate"] for trial in finished]
    assert len(set(rates)) == TOTAL
    assert not any("nobody-sees-this" in text for text in said.values())


def test_workers_may_all_start_on_an_empty_database(server: str) -> None:
    urls = [server.replace("/postgres", f"/empty{number}") for number in range(3)]
    for number in range(3):
        run_sql(server, f"create database empty{number}")
    workers: list[tuple[ForkServerProcess, Connection]] = []
    for _ in range(4):
        ours, theirs = preloaded().Pipe()
        worker = preloaded().Process(target=open_studies, args=(len(urls), theirs))
        worker.start()
        workers.append((worker, ours))
    try:
        for word in ("start", *urls):
            for _, connection in workers:
                connection.send(word)
            assert all(connection.poll(60) for _, connection in workers)
            assert len({connection.recv() for _, connection in workers}) == 1
        for worker, _ in workers:
            worker.join(60)
        assert [worker.exitcode for worker, _ in workers] == [0, 0, 0, 0]
    finally:
        for worker, connection in workers:
            worker.kill()
            connection.close()


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
