"""Where a study is kept, and how its workers detect that another one ended.

By default a journal file, which any number of processes on one machine may share; for more machines
a database server (PostgreSQL, MySQL; SQLite for one machine) or a Redis server.
"""

import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

from filelock import FileLock, Timeout
from optuna import Study
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import (
    BaseStorage,
    InMemoryStorage,
    JournalStorage,
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
    fail_stale_trials,
)
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from titanic_nn.errors import StudyError

HEARTBEAT = 10  # seconds between two heartbeats of a worker
GRACE = 60  # seconds without a heartbeat after which a worker on a server is taken for dead
LOCK_TIMEOUT = 60  # seconds to wait for a journal or SQLite file that is locked
RECONNECT = 30  # seconds to try to reach a Redis server again
RETRIES = 3  # how often a trial is run again after its worker was killed

Announce = Callable[[str], object]  # called with a worker's name


class Workers:
    """The processes that work on one study. This class: only the present one."""

    def __init__(self) -> None:
        self.name = uuid4().hex  # of this process; a user attribute of each trial that it takes

    def beat(self, trials: Sequence[int]) -> None:
        """Record a heartbeat for these trials (their ids)."""

    def retry_stale_trials(self, study: Study) -> None:
        """Fail the running trials of dead workers, and let them wait to be run again.

        To be called only while this worker runs no trial.
        """

    @contextmanager
    def heartbeat(self, trials: Sequence[int]) -> Iterator[None]:
        """Record heartbeats from a second thread until the block ends."""
        done = Event()

        def keep_beating() -> None:
            with suppress(StorageInternalError):  # recording the results will fail, with a message
                while not done.wait(HEARTBEAT):
                    self.beat(trials)

        thread = Thread(target=keep_beating, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class DatabaseWorkers(Workers):
    """Optuna's own heartbeat: a trial is stale or not by the database's clock."""

    def __init__(self, storage: RDBStorage) -> None:
        super().__init__()
        self._storage = storage

    def beat(self, trials: Sequence[int]) -> None:
        for trial in trials:
            self._storage.record_heartbeat(trial)

    def retry_stale_trials(self, study: Study) -> None:
        with _no_experimental_warning():
            fail_stale_trials(study)


class JournalWorkers(Workers):
    """Workers on a journal: a trial names its worker.

    Optuna's heartbeat is for databases only; a study in SQLite, which would have it, took 50 ms and
    more per trial, where the journal takes 3. `announce` lets the others see that the worker of a
    name runs; `is_alive` is whether it does.
    """

    def __init__(
        self, storage: JournalStorage, is_alive: Callable[[str], bool], announce: Announce
    ) -> None:
        super().__init__()
        self._storage, self._is_alive, self._announce = storage, is_alive, announce
        announce(self.name)

    def beat(self, trials: Sequence[int]) -> None:
        self._announce(self.name)

    def retry_stale_trials(self, study: Study) -> None:
        with _no_experimental_warning():
            retry = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
        for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            worker = trial.user_attrs.get("worker", "")
            if worker != self.name and self._is_alive(worker):
                continue
            try:
                study_id = self._storage.get_study_id_from_name(study.study_name)
                id = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
                self._storage.set_trial_state_values(id, TrialState.FAIL)
            except UpdateFinishedTrialError:
                continue  # another worker was quicker
            retry(study, trial)


@dataclass(frozen=True)
class Storage:
    """An open storage."""

    optuna: BaseStorage
    workers: Workers
    where: str  # its name in a message; without the password

    def close(self) -> None:
        """Close connections."""
        if isinstance(self.optuna, RDBStorage):
            self.optuna.remove_session()
            self.optuna.engine.dispose()


def in_memory() -> Storage:
    """A storage that is not shared, and that ends with the process."""
    return Storage(InMemoryStorage(), Workers(), "memory")


def open_storage(url: str | None, folder: Path) -> Storage:
    """Open the storage with this URL; by default the journal in the study's folder.

    Raises StudyError, in one line, where it cannot be reached, read or locked.
    """
    if url is None:
        return _journal_file(folder)
    where = without_password(url)
    with storage_faults(where):
        if url.startswith(("redis://", "rediss://")):
            return _redis(url, where)
        return _database(url, where)


@contextmanager
def storage_faults(where: str) -> Iterator[None]:
    """Raise whatever fails in a storage as a StudyError of one line that names it."""
    try:
        yield
    except Timeout:
        message = f"{where}: is locked by another process for {LOCK_TIMEOUT} s; is one suspended?"
        raise StudyError(message) from None
    except (AssertionError, KeyError) as error:  # Optuna's, for a record that it does not find
        raise StudyError(f"{where}: the study was deleted or damaged ({error!r})") from None
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise StudyError(f"--storage {where}: {reason}") from None
    except ImportError as error:
        name = error.name or str(error).strip().splitlines()[-1]
        raise StudyError(f"--storage {where}: needs the Python package {name}") from None


def _journal_file(folder: Path) -> Storage:
    path = folder / "journal.log"
    with storage_faults(str(path)):
        folder.mkdir(parents=True, exist_ok=True)
        journal = JournalFile(path)
        journal.check()
        try:
            storage = JournalStorage(journal)
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            message = f"{path}: is not a journal of Optuna ({error!r}); move it away"
            raise StudyError(message) from None

    names = folder / "workers"
    names.mkdir(exist_ok=True)

    # A worker locks a file of its name, once. The operating system releases the lock when it dies.
    @cache
    def lock(name: str) -> object:
        return FileLock(names / name).acquire()

    def is_alive(name: str) -> bool:
        if not name or not (names / name).exists():
            return False
        try:
            with FileLock(names / name, timeout=0):
                return False
        except Timeout:
            return True

    return Storage(storage, JournalWorkers(storage, is_alive, lock), str(path))


class JournalFile(JournalFileBackend):
    """Optuna's journal file, under a lock that the operating system releases if a process dies.

    Unlike Optuna's, it does not force each of a trial's dozen lines to the disk. What a killed
    process wrote is kept; only a power cut could lose the last lines.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._file_lock = FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations, a line each."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._file_lock, self._path.open("ab") as file:
            file.write(lines.encode())

    def check(self) -> None:
        """Raise StudyError at a truncated line: the next would be joined to it, and lost."""
        with self._file_lock, self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                with suppress(ValueError):
                    if line.endswith(b"\n") and isinstance(json.loads(line), dict):
                        continue
                raise StudyError(
                    f"{self._path}, line {number}: is truncated or damaged; keep only the "
                    f"first {number - 1} lines, and run the command again"
                )


class RedisServer:
    """A connection to a Redis server that outlives a restart of the server.

    A command whose answer was lost is sent again: twice must have the effect of once.
    """

    def __init__(self, url: str) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # The client's own retries are nested, and take minutes. Protocol 2 has clearer errors.
        options: Any = {"socket_timeout": 5, "retry": Retry(NoBackoff(), 0), "protocol": 2}
        self._client: Any = Redis.from_url(url, **options)
        self._give_up_at = 0.0  # at once, before the first answer

    def __call__(self, *command: str | bytes | int) -> Any:
        """The answer to a command.

        Raises StorageInternalError where it is an error, or is missing for RECONNECT seconds.
        """
        from redis import exceptions as errors

        while True:
            try:
                answer = self._client.execute_command(*command)
            except (errors.ConnectionError, errors.TimeoutError) as error:
                now = time.monotonic()
                self._give_up_at = min(self._give_up_at, now + RECONNECT)
                refused = isinstance(error, errors.AuthenticationError | errors.AuthorizationError)
                if refused or now >= self._give_up_at:
                    raise StorageInternalError(str(error) or repr(error)) from None
                time.sleep(0.2)
            except errors.RedisError as error:
                message, _, _ = (str(error) or repr(error)).partition(" script: ")
                raise StorageInternalError(message) from None
            else:
                self._give_up_at = math.inf
                return answer


class RedisJournal(BaseJournalBackend):
    """A journal in the keys of Optuna's Redis backend: `log_number`, and `log:0` to that number.

    Unlike Optuna's, it has no snapshots, which are pickles and could run any code. It writes an
    entry once, even if the connection was lost meanwhile. Where the server lost entries, or has
    others in their place, it raises StorageInternalError; Optuna's would wait or overwrite them.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._read, self._last = -1, b""  # the number and the text of the newest entry read

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every operation from this number on."""
        text = self._server("GET", f"{REDIS_PREFIX}:log_number") or b"-1"
        try:
            newest = int(text)
        except ValueError:
            raise _damaged("log_number") from None
        if newest < self._read:
            raise _lost() if self._read >= 0 else _damaged("log_number")
        for start in range(log_number_from, newest + 1, 1000):
            numbers = range(start - 1, min(start + 1000, newest + 1))
            keys = [f"{REDIS_PREFIX}:log:{number}" for number in numbers]
            before, *entries = self._server("MGET", *keys)
            if (before or b"") != self._last:
                raise _lost()
            for number, entry in zip(numbers[1:], entries, strict=True):
                try:
                    operation = json.loads(entry)
                except (TypeError, ValueError):  # TypeError: it is None
                    operation = None
                if not isinstance(operation, dict):
                    raise _damaged(f"log:{number}")
                self._read, self._last = number, entry
                yield operation

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations."""
        for log in logs:
            keys = f"{REDIS_PREFIX}:log_number", f"{REDIS_PREFIX}:log"
            arguments = self._read, self._last, json.dumps(log)
            answer = self._server("EVAL", APPEND, 2, *keys, *arguments)
            if answer == 0:
                raise _lost()
            if answer == -1:
                raise _damaged("log_number")


REDIS_PREFIX = "titanic_nn"
# Appends ARGV[3] to the journal, whose entry ARGV[1] must still be ARGV[2]: 0 if it is not, -1 if
# later entries are missing or in the way. Those were written since this worker last read: by
# others, or by an earlier try.
APPEND = """
local function log(number) return string.format('%s:%d', KEYS[2], number) end
local newest = tonumber(redis.call('get', KEYS[1]) or -1)
local read = tonumber(ARGV[1])
if newest < read or (redis.call('get', log(read)) or '') ~= ARGV[2] then return 0 end
for number = read + 1, newest do
    local entry = redis.call('get', log(number))
    if entry == ARGV[3] then return 1 elseif not entry then return -1 end
end
if redis.call('exists', log(newest + 1)) == 1 then return -1 end
redis.call('set', log(newest + 1), ARGV[3])
redis.call('set', KEYS[1], newest + 1)
return 1
"""


def _lost() -> StorageInternalError:
    return StorageInternalError(
        "the server lost some of the study (was it restarted without its data?); "
        "run the command again to continue with what it kept"
    )


def _damaged(key: str) -> StorageInternalError:
    return StorageInternalError(
        f"the key {REDIS_PREFIX}:{key} was lost, or is not from a journal of Optuna; use another "
        f"database number, or delete the keys {REDIS_PREFIX}:*"
    )


def _redis(url: str, where: str) -> Storage:
    try:
        int(make_url(url).database or 0)  # the client would take another name for 0
        server = RedisServer(url)
        memory = server("INFO", "memory")
    except (OverflowError, TypeError, ValueError):  # its text can hold a part of the password
        raise StudyError(
            f"--storage {where}: has a part that the Redis client does not know; in a password, "
            "write special characters as in %2F"
        ) from None
    policy = memory.get("maxmemory_policy", "")  # unknown to some servers
    if memory.get("maxmemory") and policy.startswith("allkeys"):
        raise StudyError(
            f"--storage {where}: the server's maxmemory-policy {policy} deletes trials when its "
            "memory is full; set it to noeviction"
        )
    try:
        storage = JournalStorage(RedisJournal(server))
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"--storage {where}: the keys {REDIS_PREFIX}:* are not a journal of Optuna "
            f"({error!r}); use another database number"
        ) from None

    # A worker has a key of its name, which expires unless it is set again.
    def announce(name: str) -> None:
        server("SET", f"{REDIS_PREFIX}:worker:{name}", 1, "EX", GRACE)

    def is_alive(name: str) -> bool:
        return bool(server("EXISTS", f"{REDIS_PREFIX}:worker:{name}"))

    return Storage(storage, JournalWorkers(storage, is_alive, announce), where)


def _database(url: str, where: str) -> Storage:
    if url.startswith("postgresql://"):
        url = url.replace("://", "+psycopg://", 1)  # the driver that the extra installs
    wait = {"connect_args": {"timeout": LOCK_TIMEOUT}} if url.startswith("sqlite") else {}
    try:
        with _no_experimental_warning():
            storage = RDBStorage(
                url,
                engine_kwargs={"pool_pre_ping": True, **wait},
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            )
    except RuntimeError as error:  # its tables are of another version of Optuna
        raise StudyError(f"--storage {where}: {error}") from None
    return Storage(storage, DatabaseWorkers(storage), where)


def without_password(url: str) -> str:
    """The URL as messages show it. Raises StudyError where it is not a URL."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise StudyError(
            "--storage: is not a URL; give one such as postgresql://user@host/name"
        ) from None
    if "@" in (parsed.host or ""):  # the end of a password
        raise StudyError("--storage: in a user's name or password, write @ as %40")
    hidden = {option: "***" for option in parsed.query if "pass" in option.lower()}
    shown = parsed.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace(quote_plus("***"), "***")


@contextmanager
def _no_experimental_warning() -> Iterator[None]:
    """Silence Optuna's warning, at each use, that heartbeats and retries are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
