"""A study on a real Redis server that is restarted, loses data, is full, or is another's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from redis import Redis
from studies import finish, make_study

from titanic_nn.cli.tune import main as tune
from titanic_nn.errors import StudyError
from titanic_nn.tuning import journals
from titanic_nn.tuning.storage import open_storage
from titanic_nn.tuning.study import SharedStudy

LOG_NUMBER = "titanic_nn:log_number"
PASSWORD = "open-sesame"

# Another worker: takes three trials of ten, finishes one, and dies before the others.
DIES_AT_WORK = """
import os, signal, sys
from pathlib import Path
from studies import finish, make_study
from titanic_nn.tuning.storage import open_storage
study = make_study(open_storage(sys.argv[1], Path("unused")))
finish(study, study.take(3, total=10)[:1])
os.kill(os.getpid(), signal.SIGKILL)
"""


class Server:
    """A Redis server of our own, on 127.0.0.1 only. A copy of its data is kept when told to."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no Redis server is installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        self._command = [program, *place, "--save", "", *options]
        self.client: Any = Redis(port=self.port)  # its answers have many types
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert any("Ready to accept" in line for line in self.process.stdout)

    def stop(self) -> None:
        """Without saving anything."""
        with self.process:
            self.process.kill()

    def entries(self) -> dict[bytes, bytes]:
        """Its journal, as Redis serialises it."""
        return {key: self.client.dump(key) for key in self.client.keys("titanic_nn:log*")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.client.close()
    server.stop()


def opened(server: Server) -> SharedStudy:
    return make_study(open_storage(server.url, Path("unused")))


def run(study: SharedStudy, count: int, total: int) -> None:
    finish(study, study.take(count, total))


def fault(work: Callable[[], object]) -> str:
    """The one line that it ends with."""
    with pytest.raises(StudyError) as raised:
        work()
    message = str(raised.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def test_the_trials_of_a_dead_worker_are_run_again(server: Server) -> None:
    subprocess.run(
        [sys.executable, "-c", DIES_AT_WORK, server.url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    study = opened(server)
    others = study.take(10, total=10)
    assert len(others) == 7  # its two seem alive
    finish(study, others)
    for key in server.client.scan_iter("titanic_nn:worker:*"):  # GRACE later:
        server.client.delete(key)
    run(study, 10, total=10)
    assert study.finished() == 10
    assert len(study.trials(TrialState.FAIL)) == 2


def drop_answers(server: Server, listener: socket.socket) -> None:
    """Pass on what clients send, but close their connection after every other entry they write."""
    written = 0
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # it is closed
            return
        with client, socket.create_connection(("127.0.0.1", server.port)) as behind:
            while request := client.recv(1 << 20):
                behind.sendall(request)
                answer = behind.recv(1 << 20)
                if b"EVAL" in request:
                    written += 1
                    if written % 2:
                        break
                client.sendall(answer)


def test_an_entry_is_written_once_though_its_answer_is_lost(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drop_answers, args=(server, listener), daemon=True).start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        study = make_study(open_storage(url, Path("unused")))
        run(study, 3, total=3)
        listener.shutdown(socket.SHUT_RDWR)
    entries = server.client.mget(server.client.keys("titanic_nn:log:*"))
    assert len(entries) == len(set(entries)) == int(server.client.get(LOG_NUMBER)) + 1
    assert study.finished() == len(study.trials()) == 3


def test_a_server_that_is_restarted_with_its_data_is_waited_for(server: Server) -> None:
    study = opened(server)
    run(study, 3, total=6)
    server.client.save()
    server.stop()
    later = threading.Timer(1, server.start)
    later.start()
    try:
        run(study, 3, total=6)
    finally:
        later.join()
    assert opened(server).finished() == len(opened(server).trials()) == 6


@pytest.mark.parametrize("saved", [0, 2])
def test_a_server_that_lost_trials_is_noticed(server: Server, saved: int) -> None:
    study, other = opened(server), opened(server)
    run(study, 2, total=6)
    assert other.finished() == 2
    if saved:
        server.client.save()
    run(study, 2, total=6)
    trials = study.take(1, total=6)
    server.stop()
    server.start()
    # What others write meanwhile does not hide it.
    again = opened(server)
    run(again, 6, total=6)
    assert again.finished() == 6
    for work in (study.finished, lambda: finish(study, trials)):
        assert "the server lost some of the study" in fault(work)
    assert opened(server).finished() == len(opened(server).trials()) == 6
    if saved:
        assert other.finished() == 6  # it had read no more than what was saved


def test_a_server_that_does_not_answer_is_not_waited_for_forever(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "RECONNECT", 0.5)
    study = make_study(open_storage(f"{server.url}?socket_timeout=0.2", Path("unused")))
    trials = study.take(2, total=2)
    server.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()

    def batch() -> None:
        with study.running(trials):
            finish(study, trials)

    assert "Timeout" in fault(batch)
    server.process.send_signal(signal.SIGCONT)
    server.stop()
    assert "refused" in fault(lambda: study.take(1, total=1))
    assert time.monotonic() - start < 5


def last(server: Server) -> str:
    return f"titanic_nn:log:{int(server.client.get(LOG_NUMBER))}"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.client.set(LOG_NUMBER, "abc"), LOG_NUMBER),
        (lambda s: s.client.set(LOG_NUMBER, 2**60), "titanic_nn:log:"),
        (lambda s: s.client.set(LOG_NUMBER, -7), LOG_NUMBER),
        (lambda s: s.client.delete(LOG_NUMBER), LOG_NUMBER),
        (lambda s: (s.client.delete(LOG_NUMBER), s.client.lpush(LOG_NUMBER, 1)), "WRONGTYPE"),
        (lambda s: s.client.delete("titanic_nn:log:0"), "titanic_nn:log:0 was lost"),
        (lambda s: s.client.delete(last(s)), "was lost"),
        (lambda s: s.client.set(last(s), b"\xff"), "not from a journal of Optuna"),
        (lambda s: s.client.set("titanic_nn:log:3", "[]"), "titanic_nn:log:3 was lost, or is not"),
        (lambda s: s.client.set("titanic_nn:log:3", "{}"), "are not a journal of Optuna"),
        (
            lambda s: s.client.set("titanic_nn:log:3", '{"op_code": 99}'),
            "are not a journal of Optuna",
        ),
    ],
)
def test_a_damaged_journal_is_refused_and_left_as_it_is(
    server: Server, damage: Callable[[Server], object], message: str
) -> None:
    run(opened(server), 2, total=2)
    damage(server)
    before = server.entries()
    assert message in fault(lambda: opened(server))
    assert server.entries() == before


def test_entries_that_are_not_there_are_not_waited_for(server: Server) -> None:
    study = opened(server)
    server.client.set(LOG_NUMBER, 2**40)
    assert "titanic_nn:log:2 was lost" in fault(study.trials)
    with pytest.raises(StorageInternalError, match=LOG_NUMBER):
        study.optuna.set_user_attr("a", 1)  # writes before it reads


def test_a_long_journal_is_read_whole(server: Server) -> None:
    study, other = opened(server), opened(server)
    for number in range(2100):
        study.optuna.set_user_attr("number", number)
    for reader in (other, opened(server)):
        assert reader.optuna.user_attrs["number"] == 2099
        run(reader, 1, total=2)
    assert study.finished() == 2


@pytest.mark.parametrize("entry", ["junk", "{}", '{"op_code": 99}'])
def test_what_another_program_writes_into_the_journal_is_one_line(
    server: Server, entry: str
) -> None:
    study = opened(server)
    number = server.client.incr(LOG_NUMBER)
    server.client.set(f"titanic_nn:log:{number}", entry)
    fault(study.trials)


def test_a_study_that_was_deleted_meanwhile_is_one_line(server: Server) -> None:
    study = opened(server)
    storage = open_storage(server.url, Path("unused"))
    optuna.delete_study(study_name="s", storage=storage.optuna)
    for work in (study.trials, lambda: study.take(1, total=2)):
        assert "the study was deleted" in fault(work)


def test_a_server_that_would_evict_trials_is_refused(server: Server) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    opened(server)  # its memory has no limit
    server.client.config_set("maxmemory", "100mb")
    assert "allkeys-lru deletes trials" in fault(lambda: opened(server))


def test_a_server_without_memory_keeps_what_it_has(server: Server) -> None:
    study = opened(server)
    run(study, 2, total=5)
    server.client.config_set("maxmemory", 1)
    assert fault(lambda: run(study, 3, total=5)).endswith("used memory > 'maxmemory'.")
    server.client.config_set("maxmemory", 0)
    again = opened(server)
    assert again.finished() == 2
    run(study, 3, total=5)  # the first could go on, too
    assert again.finished() == len(again.trials()) == 5


def test_a_replica_is_one_line(server: Server, tmp_path: Path) -> None:
    server.client.replicaof("127.0.0.1", 1)
    assert "read only replica" in fault(lambda: opened(server))


@pytest.mark.parametrize(
    ("user", "query", "message"),
    [
        ("", "", "Authentication required"),
        ("", f"?password={PASSWORD}", "invalid username-password"),
        (f":{PASSWORD}@", "", "invalid username-password"),
        (f":%2F@{PASSWORD}@", "", "write @ as %40"),
        (f":{PASSWORD}/@", "", "write special characters as"),
        (f":{PASSWORD}@", "?db=x", "has a part that the Redis client does not know"),
        (f":{PASSWORD}@", "?colour=red", "has a part that the Redis client does not know"),
    ],
)
def test_a_password_is_never_shown(server: Server, user: str, query: str, message: str) -> None:
    server.client.config_set("requirepass", "another")
    url = f"redis://{user}127.0.0.1:{server.port}/0{query}"
    assert message in fault(lambda: open_storage(url, Path("unused")))


@pytest.mark.parametrize("place", ["h:notaport/0", "[::1/0", "h:99999/0", "h/name", "h/0/1"])
def test_a_place_that_cannot_be_is_one_line(place: str) -> None:
    assert fault(lambda: open_storage(f"redis://:{PASSWORD}@{place}", Path("unused")))


def test_a_user_of_no_other_keys_can_run_a_study(server: Server) -> None:
    rights = ("~titanic_nn:*", "+@read", "+@write", "+@scripting", "+@connection", "+info")
    server.client.execute_command("ACL", "SETUSER", "tuner", "on", f">{PASSWORD}", *rights)
    url = server.url.replace("://", f"://tuner:{PASSWORD}@")
    study = make_study(open_storage(url, Path("unused")))
    run(study, 2, total=2)
    assert study.finished() == 2


def test_a_server_that_speaks_no_tls_is_one_line(server: Server) -> None:
    url = server.url.replace("redis://", "rediss://") + "?socket_timeout=0.2"
    assert "Timeout" in fault(lambda: open_storage(url, Path("unused")))


def test_the_command_that_continues_a_study_has_no_password(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    server.client.config_set("requirepass", PASSWORD)
    url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0?db=1"
    tune(["--model", "linear", "--timeout", "1e-9", f"--storage={url}"])
    printed = capsys.readouterr().out
    assert f"'--storage=redis://:***@127.0.0.1:{server.port}/0?db=1'" in printed
    assert PASSWORD not in printed
