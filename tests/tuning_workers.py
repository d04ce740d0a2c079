"""Workers on one study, for processes of their own."""

import os
import resource
import signal
import sys
import time
import uuid
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from studies import finish, make_study

from titanic_nn.errors import StudyError
from titanic_nn.tuning import storage as storages


def work(number: int, total: int, url: str, said: Path) -> None:
    """Finish a study with others, and print to a file.

    A worker has a short heartbeat interval, a name that the test knows, and sleep in place of
    training, which would only make the test longer. The first two sleep longer, while a signal is
    on its way to them.
    """
    sys.stdout = sys.stderr = said.open("w", encoding="utf-8", buffering=1)
    for stream in (1, 2):
        os.dup2(sys.stdout.fileno(), stream)
    os.environ["PGAPPNAME"] = f"worker {number}"
    storages.HEARTBEAT, storages.GRACE = 1, 3
    vars(storages)["uuid4"] = lambda: uuid.UUID(int=number << 96)
    with closing(storages.open_storage(url, Path("unused"))) as storage:
        study = make_study(storage)
        while study.finished() < total:
            trials = study.take(5, total)
            with study.running(trials):
                time.sleep(4 if number <= 2 else 1)
                finish(study, trials)


def open_studies(n_studies: int, connection: Connection) -> None:
    """Open studies in databases that are still empty, each when its URL comes; send their ids."""
    connection.send(connection.recv())  # at once with the others from here on
    for _ in range(n_studies):
        url = connection.recv()
        with closing(storages.open_storage(url, Path("unused"))) as storage:
            connection.send(make_study(storage).optuna._study_id)


def take_three(url: str | None, folder: Path, then: str, connection: Connection) -> None:
    """Take three trials of ten, send their rates, finish one; then die, or wait."""
    study = make_study(storages.open_storage(url, folder))
    trials = study.take(3, total=10)
    finish(study, trials[:1])
    connection.send([trial.params["learning_rate"] for trial in trials])
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    connection.recv()


def fill_disk(folder: Path, connection: Connection) -> None:
    """Work on a disk with room for a part: files may grow to 6,000 bytes. Sends the error."""
    study = make_study(storages.open_storage(None, folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    try:
        with study.running(trials := study.take(40, total=40)):
            finish(study, trials)
    except StudyError as error:
        connection.send(str(error))
