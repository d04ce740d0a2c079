"""Storages: what is kept, workers that died, and one line for whatever fails."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from optuna.trial import TrialState
from preloaded import preloaded
from studies import finish, make_study
from tuning_workers import fill_disk, take_three

from titanic_nn.errors import StudyError
from titanic_nn.tuning import storage as storages
from titanic_nn.tuning.journals import JournalFile
from titanic_nn.tuning.storage import deferred_interrupt, open_storage


@contextmanager
def other_worker(
    url: str | None, folder: Path, then: str
) -> Iterator[tuple[ForkServerProcess, list[float]]]:
    """A process that took three trials of ten and finished one; with their rates.

    It dies before the others, or lives until it is killed in the end.
    """
    ours, theirs = preloaded().Pipe()
    with ours, theirs:
        worker = preloaded().Process(target=take_three, args=(url, folder, then, theirs))
        worker.start()
        try:
            assert ours.poll(60)
            rates: list[float] = ours.recv()
            if then == "die":
                worker.join(60)
                assert worker.exitcode == -signal.SIGKILL
            yield worker, rates
        finally:
            worker.kill()
            worker.join()


def test_the_trials_of_a_dead_worker_are_run_again(tmp_path: Path) -> None:
    with other_worker(None, tmp_path, "die") as (_, rates):
        pass
    study = make_study(open_storage(None, tmp_path))
    assert study.finished() == 1
    trials = study.take(10, total=10)
    assert len(trials) == 9
    assert [trial.params["learning_rate"] for trial in trials[:2]] == rates[1:]
    finish(study, trials)
    assert study.finished() == 10
    assert len(study.trials(TrialState.FAIL)) == 2


def test_the_trials_of_a_living_worker_are_left_to_it(tmp_path: Path) -> None:
    with other_worker(None, tmp_path, "live") as (worker, _):
        study = make_study(open_storage(None, tmp_path))
        trials = study.take(10, total=10)
        assert len(trials) == 7
        finish(study, trials)
        assert study.take(10, total=10) == []
        worker.terminate()
        worker.join(60)
        finish(study, study.take(10, total=10))
        assert study.finished() == 10


def test_sqlite_keeps_a_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for finished in (3, 5):
        with closing(open_storage(url, tmp_path)) as storage:
            study = make_study(storage)
            finish(study, study.take(3, total=5))
            assert study.finished() == finished
    assert not (tmp_path / "journal.log").exists()


def test_a_database_detects_dead_workers_by_their_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "GRACE", 1)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with other_worker(url, tmp_path, "die"):
        pass
    with closing(open_storage(url, tmp_path)) as storage:
        study = make_study(storage)
        while study.finished() < 10:  # no sooner than GRACE after the last heartbeat
            finish(study, study.take(10, total=10))
        assert len(study.trials(TrialState.FAIL)) == 2


@pytest.mark.parametrize("cut", [1, 10, 200, 201, 3000])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    finish(study := make_study(open_storage(None, tmp_path)), study.take(3, total=3))
    before = {trial.number: trial.values for trial in study.trials(TrialState.COMPLETE)}
    journal = tmp_path / "journal.log"
    journal.write_bytes(journal.read_bytes()[:-cut])
    study = make_study(open_storage(None, tmp_path))
    kept = {trial.number: trial.values for trial in study.trials(TrialState.COMPLETE)}
    assert kept.items() <= before.items()
    finish(study, study.take(3, total=3))
    assert study.finished() == 3


def test_a_worker_cuts_off_what_another_left(tmp_path: Path) -> None:
    study = make_study(open_storage(None, tmp_path))
    with (tmp_path / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":5,"worker_id":"another')
    finish(study, study.take(3, total=3))
    assert make_study(open_storage(None, tmp_path)).finished() == 3


def test_a_damaged_line_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    study = make_study(open_storage(None, tmp_path))
    running = study.take(2, total=3)
    journal = tmp_path / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], lines[3][:9], b"\n", *lines[4:]])
    journal.write_bytes(damaged)
    with pytest.raises(StudyError, match=r"journal\.log, line 4: is not a line of") as raised:
        open_storage(None, tmp_path)
    assert "\n" not in str(raised.value)
    assert journal.read_bytes() == damaged
    journal.write_bytes(b"".join(lines) + b"{}}\n")
    with pytest.raises(StudyError, match=r"journal\.log: a line is damaged"):  # noticed at work
        finish(study, running)


def test_a_full_disk_loses_no_finished_trial(tmp_path: Path) -> None:
    study = make_study(open_storage(None, tmp_path))
    finish(study, study.take(2, total=40))
    ours, theirs = preloaded().Pipe()
    with ours, theirs:
        worker = preloaded().Process(target=fill_disk, args=(tmp_path, theirs))
        worker.start()
        worker.join(60)
        assert worker.exitcode == 0
        assert ours.poll()
        said = f"{tmp_path / 'journal.log'}: File too large; trials that are finished are kept"
        assert ours.recv() == said
    assert (tmp_path / "journal.log").read_bytes().endswith(b"}\n")
    finish(study, study.take(40, total=40))  # a worker that was there all the time
    assert study.finished() == 40


def test_the_files_of_dead_workers_are_removed(tmp_path: Path) -> None:
    with other_worker(None, tmp_path, "die"):
        pass
    with other_worker(None, tmp_path, "live"):
        storage = open_storage(None, tmp_path)
        assert len(list((tmp_path / "workers").iterdir())) == 2  # the living one and this one
        assert len(make_study(storage).take(10, total=10)) == 6  # 2 are finished, 2 are its own


@pytest.mark.parametrize("content", [b'{"a": 1}\n', b"[]\n", b"\x00\xff\n", b'{"op_code": 99}\n'])
def test_another_file_is_not_a_journal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.log").write_bytes(content)
    with pytest.raises(StudyError, match=r"journal\.log"):
        open_storage(None, tmp_path)
    assert (tmp_path / "journal.log").read_bytes() == content


def test_a_locked_journal_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "LOCK_TIMEOUT", 0.1)
    with (
        FileLock(tmp_path / "journal.log.lock"),
        pytest.raises(StudyError, match=r"journal\.log: is locked by another process"),
    ):
        open_storage(None, tmp_path)


def test_a_locked_database_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "LOCK_TIMEOUT", 0.1)
    with (
        closing(open_storage(f"sqlite:///{tmp_path}/study.db", tmp_path)) as storage,
        closing(sqlite3.connect(tmp_path / "study.db")) as holder,
    ):
        study = make_study(storage)
        trials = study.take(1, total=1)
        holder.execute("begin exclusive")
        with pytest.raises(StudyError, match=r"study\.db: database is locked"):
            finish(study, trials)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@127.0.0.1:1/db", "postgresql://me:***@127.0.0.1:1/db: "),
        ("redis://:secret@127.0.0.1:1/0", "redis://:***@127.0.0.1:1/0: "),
        ("sqlite:////nowhere/study.db", "unable to open database file"),
        ("oracle+nothing://h/db", "oracle+nothing://h/db: "),
        ("runs/study.db", "--storage: is not a URL"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_line(
    url: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError) as raised:
        open_storage(url, tmp_path)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="file"):
        open_storage(None, tmp_path / "file" / "s")


def test_the_dashboard_opens_the_study(tmp_path: Path) -> None:
    study = make_study(open_storage(None, tmp_path))
    finish(study, study.take(3, total=3))
    program = Path(sys.executable).parent / "optuna-dashboard"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = ["--host", "127.0.0.1", "--port", port, str(tmp_path / "journal.log")]
    with subprocess.Popen(
        [program, *place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as dashboard:
        try:
            answer = ask_until_it_answers(f"http://127.0.0.1:{port}/api/studies")
        finally:
            dashboard.terminate()
    (shown,) = json.loads(answer)["study_summaries"]
    assert shown["study_name"] == "s"


def ask_until_it_answers(url: str) -> bytes:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url) as response:
                return bytes(response.read())
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


class InterruptedLog(dict[str, Any]):
    """An operation of a journal; Ctrl-C is pressed when it is first looked into."""

    pressed = False

    def __getitem__(self, key: str) -> Any:
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return super().__getitem__(key)


def test_an_interrupt_waits_until_a_result_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(open_storage(None, tmp_path))
    trial, other = study.take(2, total=2)
    read = JournalFile.read_logs

    def interrupted(self: JournalFile, start: int) -> Iterator[dict[str, Any]]:
        for log in read(self, start):
            yield InterruptedLog(log) if log.get("state") == TrialState.COMPLETE else log

    monkeypatch.setattr(JournalFile, "read_logs", interrupted)
    with pytest.raises(KeyboardInterrupt), study.running([trial, other]):
        study.tell(trial, np.array([0.5]))
    monkeypatch.undo()
    assert study.finished() == 1
    assert make_study(open_storage(None, tmp_path)).finished() == 1
    assert [trial.state for trial in study.trials()] == [TrialState.COMPLETE, TrialState.FAIL]


def test_a_second_interrupt_does_not_wait() -> None:
    reached = []

    def press_twice() -> None:
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            reached.append("after the first")
            signal.raise_signal(signal.SIGINT)
            reached.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert reached == ["after the first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
