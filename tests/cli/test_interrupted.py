"""Ctrl-C: one true line about what was written, and the exit code that shells expect."""

from collections.abc import Callable
from pathlib import Path

import pytest

from titanic_nn.cli.console import Parser, if_interrupted
from titanic_nn.cli.train import main
from titanic_nn.report import page
from titanic_nn.runs import submissions


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def with_a_message(args: object) -> None:
    with if_interrupted(lambda: "half of it is kept"):
        interrupt()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (interrupt, "interrupted: nothing was written\n"),
        (with_a_message, "interrupted: half of it is kept\n"),
    ],
)
def test_an_interrupted_command_ends_with_one_line(
    command: Callable[[object], None], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        Parser().command(command)([])
    assert stopped.value.code == 130
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("moment", [(page, "write_report"), (submissions, "write_submissions")])
def test_train_names_the_run_that_is_written_when_it_is_interrupted_later(
    moment: tuple[object, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(*moment, interrupt)  # Ctrl-C at that moment
    quick = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main([*quick, "--out", "mine"])
    assert stopped.value.code == 130
    error = capsys.readouterr().err
    assert error.startswith("interrupted: the run is written: mine; ")
    assert error.count("\n") == 1
    assert Path("mine/summary.json").is_file()
