"""Workers on one study, for processes of their own."""

import os
import sys
import time
import uuid
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from studies import finish, make_study

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
    storages.uuid4 = lambda: uuid.UUID(int=number << 96)
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
