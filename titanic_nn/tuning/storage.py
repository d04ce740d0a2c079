"""Where a study is kept, and how its workers detect that another one ended.

By default a journal file, which any number of processes on one machine may share; for more machines
a database server (PostgreSQL, MySQL; SQLite for one machine) or a Redis server.
"""

import re
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
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
    fail_stale_trials,
)
from optuna.trial import TrialState

from titanic_nn.errors import StudyError
from titanic_nn.tuning.journals import REDIS_PREFIX, JournalFile, RedisJournal, RedisServer

try:
    from optuna.storages import RetryHeartbeatStaleTrialCallback as RetryCallback

    RETRY_ARGUMENT = "heartbeat_stale_trial_callback"
except ImportError:  # before Optuna 4.9
    from optuna.storages import RetryFailedTrialCallback as RetryCallback

    RETRY_ARGUMENT = "failed_trial_callback"

HEARTBEAT = 10  # seconds between two heartbeats of a worker
GRACE = 60  # seconds without a heartbeat after which a worker on a server is taken for dead
LOCK_TIMEOUT = 60  # seconds to wait for a journal or SQLite file that is locked
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
        with no_experimental_warning():
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
        with no_experimental_warning():
            retry = RetryCallback(max_retry=RETRIES)
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
    """Raise whatever fails in a storage as a StudyError of one line that names it.

    Ctrl-C waits for the end of the block.
    """
    try:
        with deferred_interrupt():
            yield
    except Timeout:
        message = f"{where}: is locked by another process for {LOCK_TIMEOUT} s; is one suspended?"
        raise StudyError(message) from None
    except OSError as error:
        kept = "; trials that are finished are kept" if Path(where).exists() else ""
        raise StudyError(f"{where}: {error.strerror or error}{kept}") from None
    except (AssertionError, KeyError) as error:  # Optuna's, for a record that it does not find
        raise StudyError(f"{where}: the study was deleted or damaged ({error!r})") from None
    except ImportError as error:
        name = error.name or str(error).strip().splitlines()[-1]
        raise StudyError(f"--storage {where}: needs the Python package {name}") from None
    except Exception as error:
        if not isinstance(error, StorageInternalError) and not _of_sqlalchemy(error):
            raise
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip() or repr(cause)
        raise StudyError(f"--storage {where}: {reason.splitlines()[0]}") from None


def _of_sqlalchemy(error: Exception) -> bool:
    """Whether it is an SQLAlchemyError; the library is loaded for a database only."""
    return any(base.__module__ == "sqlalchemy.exc" for base in type(error).__mro__)


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block; a second Ctrl-C does not wait.

    An interrupt between reading a journal's entry and applying it would leave Optuna's copy of the
    study without that entry, and so with a trial too few.
    """
    handler = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(handler):
        yield
        return
    interrupted = False

    def defer(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, handler)

    try:
        signal.signal(signal.SIGINT, defer)
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if interrupted:
            signal.raise_signal(signal.SIGINT)


def _journal_file(folder: Path) -> Storage:
    path = folder / "journal.log"
    with storage_faults(str(path)):
        folder.mkdir(parents=True, exist_ok=True)
        journal = JournalFile(path, timeout=LOCK_TIMEOUT)
        journal.repair()
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

    for left in names.iterdir():  # the files of dead workers
        with suppress(Timeout), FileLock(left, timeout=0):
            left.unlink()
    return Storage(storage, JournalWorkers(storage, is_alive, lock), str(path))


def _redis(url: str, where: str) -> Storage:
    from sqlalchemy.engine import make_url

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
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    if url.startswith("postgresql://"):
        url = url.replace("://", "+psycopg://", 1)  # the driver that the extra installs
    wait = {"connect_args": {"timeout": LOCK_TIMEOUT}} if url.startswith("sqlite") else {}
    for attempt in range(5):
        try:
            with no_experimental_warning():
                retry: dict[str, Any] = {RETRY_ARGUMENT: RetryCallback(RETRIES)}
                storage = RDBStorage(
                    url,
                    engine_kwargs={"pool_pre_ping": True, **wait},
                    heartbeat_interval=HEARTBEAT,
                    grace_period=GRACE,
                    **retry,
                )
            break
        except RuntimeError as error:  # its tables are of another version of Optuna
            raise StudyError(f"--storage {where}: {error}") from None
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            # Workers that start at the same time on an empty database all create Optuna's tables.
            if attempt == 4 or not re.search("already exists|duplicate|unique", str(error), re.I):
                raise
            time.sleep(0.5)
    if storage.engine.dialect.name == "postgresql":
        _end_idle_transactions(storage)
    return Storage(storage, DatabaseWorkers(storage), where)


def _end_idle_transactions(storage: RDBStorage) -> None:
    """Let PostgreSQL end the transaction of a worker that is suspended in the middle of it.

    The locks of that transaction would stop every other worker for as long.
    """
    from sqlalchemy import event

    storage.remove_session()
    storage.engine.dispose()  # connections that were opened before

    @event.listens_for(storage.engine, "connect")
    def set_timeout(connection: Any, _: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {1000 * GRACE}")
        connection.commit()


def without_password(url: str) -> str:
    """The URL as messages show it. Raises StudyError where it is not a URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

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
def no_experimental_warning() -> Iterator[None]:
    """Silence Optuna's warning, at each use, that what the block uses is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
