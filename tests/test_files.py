"""Files are written whole or not at all; what a killed process left is removed, nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from full_disk import full_disk

from titanic_nn.errors import WriteError
from titanic_nn.files import (
    HIDDEN,
    ROOM,
    check_place,
    recorded,
    reserved,
    write_bytes,
    write_folder,
    written_beside,
)

# A process that has begun to write runs/mine, and goes on until it is killed.
WRITES = """
import time
from pathlib import Path
from titanic_nn.files import reserved
def files():
    yield "summary.json", "{}"
    print("begun", flush=True)
    time.sleep(60)
with reserved(Path("runs/mine"), 1000) as write:
    write(files())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def writer(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    home = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", WRITES],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def left() -> list[str]:
    return sorted(str(path) for path in Path().rglob(f"{HIDDEN}*"))


def test_what_a_killed_process_left_is_removed_by_the_next(
    writer: "subprocess.Popen[str]",
) -> None:
    (hidden,) = left()
    assert Path(hidden, "new/mine/summary.json").is_file()
    write_folder(Path("runs/other"), [("a", "b")])
    assert left() == [hidden]  # its process lives
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write_bytes(Path("runs/file"), b"")
    assert left() == []
    write_folder(Path("runs/mine"), [("a", "b")])


def test_a_name_that_another_process_writes_is_refused(writer: "subprocess.Popen[str]") -> None:
    with pytest.raises(WriteError, match="runs/mine: is being written by another process"):
        write_folder(Path("runs/mine"), [("a", "b")])
    check_place(Path("runs"))


def test_nothing_of_the_users_is_taken_for_a_leftover() -> None:
    for name in (".mine", f"{HIDDEN}notes", ".mine.x1y2"):
        Path("runs", name).mkdir(parents=True)
        Path("runs", name, "notes.txt").touch()
    Path("runs", f"{HIDDEN}file").touch()
    Path("runs", f"{HIDDEN}link").symlink_to(".mine")
    before = sorted(Path().rglob("*"))
    check_place(Path("runs"))
    assert sorted(Path().rglob("*")) == before


def test_a_folder_that_fails_leaves_nothing() -> None:
    def files() -> Iterator[tuple[str, str]]:
        yield "a", "b"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_folder(Path("new/parents/mine"), files())
    assert list(Path().iterdir()) == []


def test_a_full_disk_is_one_line() -> None:
    Path("file").write_bytes(b"before")
    with full_disk(1000):
        with pytest.raises(WriteError, match=r"^file: cannot be written: File too large$"):
            write_bytes(Path("file"), bytes(2000))
        with pytest.raises(WriteError, match=r"^folder: cannot be written: File too large$"):
            write_folder(Path("folder"), [("a/b", bytes(2000))])
        with pytest.raises(WriteError, match="cannot be written"):
            check_place(Path("new"))
        with pytest.raises(WriteError), reserved(Path("run"), ROOM):
            pytest.fail("it was reserved")
    assert [path.name for path in Path().iterdir()] == ["file"]
    assert Path("file").read_bytes() == b"before"


@pytest.mark.parametrize("path", ["file/new", "/proc/nowhere/new", "a" * 300, "link/new"])
def test_a_place_that_cannot_be_written_to_is_one_line(path: str) -> None:
    Path("file").touch()
    Path("link").symlink_to("missing")
    writers: tuple[Callable[[Path], None], ...] = (
        lambda place: write_folder(place, []),
        lambda place: write_bytes(place, b""),
        check_place,
    )
    for write in writers:
        with pytest.raises(WriteError, match=r"cannot be written: [^\n]*$"):
            write(Path(path))


def test_where_the_name_is_taken_meanwhile_the_files_are_kept_beside() -> None:
    with reserved(Path("mine")) as write, recorded() as written:
        Path("mine").write_text("the user's")
        Path("mine-2").mkdir()
        with pytest.raises(WriteError, match=r"^mine: is taken \(.*\); kept in mine-3$"):
            write([("a", "b")])
    assert (Path("mine").read_text(), Path("mine-3/a").read_text()) == ("the user's", "b")
    assert written == [Path("mine-3")]


def test_many_writers_of_one_folder_do_not_disturb_each_other() -> None:
    home = str(Path(__file__).parents[1])
    script = (
        "import sys\nfrom pathlib import Path\nfrom titanic_nn.files import write_text\n"
        "for i in range(100): write_text(Path('place') / str(i % 3), sys.argv[1] * 1000)"
    )
    env = {**os.environ, "PYTHONPATH": home}
    writers = [subprocess.Popen([sys.executable, "-c", script, x], env=env) for x in "abc"]
    while any(writer.poll() is None for writer in writers):
        check_place(Path("place"))
        time.sleep(0.01)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert {len(path.read_text()) for path in Path("place").iterdir()} == {1000}


def test_a_file_has_the_rights_that_the_user_gives_new_files() -> None:
    before = os.umask(0o077)
    try:
        with written_beside(Path("private")) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert Path("private").stat().st_mode & 0o777 == 0o600
