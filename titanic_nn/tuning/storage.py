"""Where a study is kept, and how workers on it know of each other's death.

By default a journal file, which any number of processes on one machine may share; for more machines
a database server (PostgreSQL, MySQL; SQLite for one machine) or a Redis server.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
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
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalRedisBackend
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from titanic_nn.errors import StudyError

HEARTBEAT = 10  # seconds between two signs of life, of a worker on a server
GRACE = 60  # seconds without one after which its trials are another's
LOCK_PATIENCE = 60  # seconds that a journal or SQLite file may be held by others
RETRIES = 3  # how often a trial may take its worker down before it is given up


class Workers:
    """The processes on one study, as this one sees them. Here: there is no other.

    Attributes:
        name: this process, in a user attribute of each trial that it takes.
    """

    def __init__(self) -> None:
        self.name = uuid4().hex

    def beat(self, trials: Sequence[int]) -> None:
        """Give a sign of life for these trials (their ids)."""

    def retry_trials_of_the_dead(self, study: Study) -> None:
        """Fail what dead workers were at, and queue it again. Called when this one is at none."""

    def close(self) -> None:
        """Leave the study."""

    @contextmanager
    def at_work(self, trials: Sequence[int]) -> Iterator[None]:
        """Give signs of life from a second thread for as long as the work takes."""
        done = Event()

        def keep_beating() -> None:
            while not done.wait(HEARTBEAT):
                try:
                    self.beat(trials)
                except StorageInternalError:
                    return  # the storage is gone: telling the results will say so

        thread = Thread(target=keep_beating, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class DatabaseWorkers(Workers):
    """Optuna's own heartbeat: the database's clock tells whose trials are stale."""

    def __init__(self, storage: RDBStorage) -> None:
        super().__init__()
        self._storage = storage

    def beat(self, trials: Sequence[int]) -> None:
        for trial in trials:
            self._storage.record_heartbeat(trial)

    def retry_trials_of_the_dead(self, study: Study) -> None:
        with _optuna_may_experiment():
            fail_stale_trials(study)

    def close(self) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()


class JournalWorkers(Workers):
    """For journals, which have no heartbeat: a trial names its worker, and `is_alive` knows.

    Args:
        storage: the journal.
        is_alive: whether a worker of this name lives.
        sign: gives this worker's sign of life.
    """

    def __init__(
        self,
        storage: JournalStorage,
        is_alive: Callable[[str], bool],
        sign: Callable[[str], None] = lambda name: None,
    ) -> None:
        super().__init__()
        self._storage, self._is_alive, self._sign = storage, is_alive, sign
        sign(self.name)

    def beat(self, trials: Sequence[int]) -> None:
        self._sign(self.name)

    def retry_trials_of_the_dead(self, study: Study) -> None:
        with _optuna_may_experiment():
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
                continue  # another worker saw it first
            retry(study, trial)


@dataclass(frozen=True)
class Storage:
    """An open storage.

    Attributes:
        optuna: as Optuna has it.
        workers: the processes on it.
        where: what to call it in a message; holds no password.
    """

    optuna: BaseStorage
    workers: Workers
    where: str

    def close(self) -> None:
        """Let go of its files and connections."""
        self.workers.close()


def in_memory() -> Storage:
    """A storage that nobody shares, and that ends with the process."""
    return Storage(InMemoryStorage(), Workers(), "memory")


def open_storage(url: str | None, folder: Path) -> Storage:
    """Open the storage with this URL; by default the journal in the study's folder.

    Raises StudyError, in one line, where it cannot be reached, read or locked.
    """
    if url is None:
        return _journal_file(folder)
    where = _without_password(url)
    with storage_faults(where):
        if url.startswith(("redis://", "rediss://")):
            return _redis(url, where)
        return _database(url, where)


@contextmanager
def storage_faults(where: str) -> Iterator[None]:
    """Whatever fails in a storage, as one line that names it."""
    try:
        yield
    except Timeout:
        message = f"{where}: is locked by another process for {LOCK_PATIENCE} s; is one stopped?"
        raise StudyError(message) from None
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
            message = f"{path}: is no journal of Optuna's ({error!r}); move it away"
            raise StudyError(message) from None

    # A worker holds a lock on a file of its name. The system lets go of it when the process dies.
    places = folder / "workers"
    places.mkdir(exist_ok=True)
    held: list[FileLock] = []

    def hold(name: str) -> None:
        if not held:
            held.append(FileLock(places / name))
            held[0].acquire()

    def is_alive(name: str) -> bool:
        if not name or not (places / name).exists():
            return False
        try:
            with FileLock(places / name, timeout=0):
                return False
        except Timeout:
            return True

    return Storage(storage, JournalWorkers(storage, is_alive, hold), str(path))


class JournalFile(JournalFileBackend):
    """Optuna's journal file, under a lock of the system's, which dies with the process.

    Lines are not forced to the disk one by one, a dozen of them a trial: what a killed process
    wrote the system keeps, and only a power cut could take the last second's.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._file_lock = FileLock(f"{path}.lock", timeout=LOCK_PATIENCE)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations, a line each."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._file_lock, self._path.open("ab") as file:
            file.write(lines.encode())

    def check(self) -> None:
        """Raise StudyError at a line that was cut: what follows would be joined to it, and lost."""
        with self._file_lock, self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    whole = line.endswith(b"\n") and isinstance(json.loads(line), dict)
                except ValueError:
                    whole = False
                if not whole:
                    raise StudyError(
                        f"{self._path}, line {number}: is cut or damaged. The lines before it are "
                        f"whole: keep the first {number - 1}, and run the command again"
                    )


class RedisJournal(BaseJournalBackend):
    """Optuna's Redis journal without its snapshots: they are pickles, and we unpickle nothing."""

    def __init__(self, url: str) -> None:
        with _optuna_may_experiment():
            self._journal = JournalRedisBackend(url, prefix="titanic_nn")

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every operation from this number on."""
        with _redis_faults():
            yield from self._journal.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations."""
        with _redis_faults():
            self._journal.append_logs(logs)


def _redis(url: str, where: str) -> Storage:
    from redis import Redis

    storage = JournalStorage(RedisJournal(url))
    server = Redis.from_url(url)

    # A worker keeps a key of its name from running out.
    def key(name: str) -> str:
        return f"titanic_nn:worker:{name}"

    def sign(name: str) -> None:
        with _redis_faults():
            server.set(key(name), 1, ex=GRACE)

    def is_alive(name: str) -> bool:
        with _redis_faults():
            return bool(server.exists(key(name)))

    return Storage(storage, JournalWorkers(storage, is_alive, sign), where)


@contextmanager
def _redis_faults() -> Iterator[None]:
    from redis import RedisError

    try:
        yield
    except RedisError as error:
        raise StorageInternalError(str(error)) from error


def _database(url: str, where: str) -> Storage:
    if url.startswith("postgresql://"):
        url = url.replace("://", "+psycopg://", 1)  # the driver that the extra installs
    wait = {"connect_args": {"timeout": LOCK_PATIENCE}} if url.startswith("sqlite") else {}
    try:
        with _optuna_may_experiment():
            storage = RDBStorage(
                url,
                engine_kwargs={"pool_pre_ping": True, **wait},
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            )
    except RuntimeError as error:  # the tables are another version's
        raise StudyError(f"--storage {where}: {error}") from None
    return Storage(storage, DatabaseWorkers(storage), where)


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        raise StudyError(
            "--storage: is no URL; give one such as postgresql://user@host/name"
        ) from None


@contextmanager
def _optuna_may_experiment() -> Iterator[None]:
    """Heartbeats and retries have been experimental since Optuna 2.8; it says so at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
