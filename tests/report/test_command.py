"""The command `report` as a user types it."""

import shutil
import webbrowser
from pathlib import Path

import pytest

from titanic_nn.cli.report import main


@pytest.fixture
def home(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished, tmp_path / "runs/small", ignore=lambda *_: ["report.html"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["small"]])
def test_it_prints_the_path_of_the_report(
    home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(arguments)
    assert capsys.readouterr().out == f"{Path('runs/small/report.html')}\n"
    assert (home / "runs/small/report.html").is_file()


def test_open_shows_the_report(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)  # no window of the tester's
    main(["runs/small", "--open"])
    assert opened == [(home / "runs/small/report.html").as_uri()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "error: run nowhere: no such folder, here or in runs/\n"),
        (["runs"], "error: runs/summary.json: cannot be read"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    home: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    error = capsys.readouterr().err.replace("\\", "/")
    assert stopped.value.code == 2
    assert said in error
    assert error.count("\n") == 1


def test_without_a_run_it_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([])
    assert "python -m titanic_nn.train" in capsys.readouterr().err
