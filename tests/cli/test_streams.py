"""Commands whose standard output is full or has no reader: their work is done all the same."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from titanic_nn.__main__ import COMMANDS, main
from titanic_nn.competitions.registry import get_competition

BUNDLED = get_competition("titanic").search[-1][1]
QUICK = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1"]
FULL = "error: standard output: No space left on device: not all was printed\n"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_that_is_not_printed_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["titanic-nn", *words])
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == FULL


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was made while nobody read its output."""
    folder = tmp_path_factory.mktemp("user")
    reader, writer = os.pipe()
    os.close(reader)
    words = [*QUICK, "--data", str(BUNDLED), "--out", "runs/x"]
    with pytest.MonkeyPatch.context() as patch, open(writer, "w") as unread:
        patch.chdir(folder)
        patch.setattr(sys, "stdout", unread)
        with pytest.raises(SystemExit) as stopped:
            import_module("titanic_nn.cli.train").main(words)
    assert stopped.value.code == 1
    return folder


def test_train_without_a_reader_finishes(home: Path) -> None:
    assert (home / "runs/x/report.html").is_file()
    assert (home / "submissions/x-linear.csv").is_file()


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("predict --input {data}/test.csv >&-", 1, "Bad file descriptor"),
        ("report >&- 2>&-", 1, ""),
        ("misclassified 2>&-", 0, ""),
    ],
)
def test_a_stream_that_the_shell_closes(home: Path, line: str, code: int, error: str) -> None:
    typed = f'"{sys.executable}" -m titanic_nn {line.format(data=BUNDLED)}'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        typed, shell=True, cwd=home, capture_output=True, text=True, env=environment
    )
    assert done.returncode == code
    assert error in done.stderr
    assert done.stderr.count("\n") == bool(error)


@pytest.mark.parametrize("words", [["predict", "--input", str(BUNDLED / "test.csv")], ["report"]])
def test_a_full_stdout_is_one_line(
    words: list[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as stopped:
            import_module(f"titanic_nn.cli.{words[0]}").main(words[1:])
    assert stopped.value.code == 1
    assert capsys.readouterr().err == FULL
