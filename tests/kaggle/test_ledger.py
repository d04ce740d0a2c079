"""The ledger: one row per submission, complete at every moment."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.errors import DataError, WriteError
from titanic_nn.kaggle.ledger import COLUMNS, Entry, Ledger

ENTRY = Entry(
    time="2026-05-04T03:02:01Z",
    file='odd, "name"\nfile.csv',
    sha256="a" * 64,
    run="a-run",
    model="relu",
    cv_log_loss="0.41234",
    cv_accuracy="0.83000",
    competition="titanic",
    idempotency_key="aaaaaaaaaaaa-1",
    status="pending",
)
HEADER = f"{','.join(COLUMNS)}\n"
LINE = "t,f,s,r,m,0.4,0.8,titanic,aaaaaaaaaaaa-1,1001,complete,0.7,\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "submissions/ledger.csv", lock_timeout=0.1)


def test_what_is_put_is_read_back_and_replaced_by_key(ledger: Ledger) -> None:
    assert ledger.entries() == []
    ledger.put(ENTRY)
    other = replace(ENTRY, competition="spaceship")
    ledger.put(other)
    done = replace(ENTRY, ref="1001", status="complete", public_score="0.77511")
    ledger.put(done)
    assert ledger.entries() == [done, other]
    assert ledger.of("a" * 64, "spaceship") == [other]
    assert ledger.sent("a" * 64, "titanic") == done
    assert ledger.sent("a" * 64, "spaceship") is None
    assert pd.read_csv(ledger.path)["public_score"].tolist()[0] == 0.77511


def test_many_processes_lose_no_row(ledger: Ledger) -> None:
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from titanic_nn.kaggle.ledger import Entry, Ledger\n"
        f"entry = {ENTRY!r}\n"
        "for n in range(20):\n"
        "    Ledger(Path(sys.argv[1])).put(replace(entry, idempotency_key=f'{sys.argv[2]}-{n}'))\n"
    )
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(ledger.path), name], cwd=root)
        for name in "abc"
    ]
    while any(process.poll() is None for process in processes):
        ledger.entries()  # whole, whenever it is looked at
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({entry.idempotency_key for entry in ledger.entries()}) == 60


def test_a_lock_that_another_keeps_is_waited_for_only_so_long(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    with other.locked(), pytest.raises(DataError, match="another process is submitting"):
        ledger.put(ENTRY)
    ledger.put(ENTRY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("time,file\n1,2\n", "line 1: expected the columns time, file, sha256"),
        ("", "line 1: expected the columns"),
        ("\0" * 500, "line 1: expected the columns"),
        ("my notes\n", "line 1: expected the columns"),
        (HEADER[:-1].replace(",ref", "") + "\n", "line 1: expected the columns"),
        (f"{HEADER}{LINE}\0\0\0\0", "line 3: expected the columns"),
        (f"{HEADER}{LINE}{LINE[:40]}", "line 3: expected the columns"),  # cut
        (f"{HEADER}{LINE}{LINE}", "2 rows have aaaaaaaaaaaa-1; keep one"),
        (HEADER + LINE.replace(",1001,", ",1001.0,"), "line 2, column ref: '1001.0' is not acc"),
        (HEADER + LINE.replace("-1,", "-x,"), "column idempotency_key: 'aaaaaaaaaaaa-x' is not"),
        (",".join(COLUMNS) + "\n1,2\n", "line 2: expected the columns"),
        (",".join(COLUMNS) + "\n" + ",".join("x" * len(COLUMNS)) + "\n", "column status: 'x'"),
        (",".join(COLUMNS) + '\n"open\n', "not CSV"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_broken_ledger_is_named_and_kept(ledger: Ledger, content: str, message: str) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message):
        ledger.entries()
    with pytest.raises(DataError, match=message):
        ledger.put(ENTRY)
    assert ledger.path.read_bytes() == content.encode(errors="surrogateescape")


@pytest.mark.parametrize(
    "content",
    [f"\ufeff{HEADER}{LINE}", f"{HEADER}{LINE}".replace("\n", "\r\n"), f"{HEADER}{LINE}"[:-1]],
    ids=["BOM", "CRLF", "no line feed at the end"],
)
def test_what_editors_do_to_a_ledger_is_read(ledger: Ledger, content: str) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(content.encode())
    (entry,) = ledger.entries()
    assert (entry.time, entry.ref, entry.error) == ("t", "1001", "")
    ledger.put(ENTRY)
    assert ledger.entries() == [ENTRY]


def test_a_ledger_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WriteError, match=r"ledger\.csv: cannot be written: a file is in the way"):
        Ledger(tmp_path / "file/ledger.csv").put(ENTRY)
    (tmp_path / "ledger.csv").mkdir()
    with pytest.raises(DataError, match=r"ledger\.csv: cannot be read as a file: Is a directory"):
        Ledger(tmp_path / "ledger.csv").put(ENTRY)
