"""A command that is stopped, by Ctrl-C or an error, says in one true line what it has written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from titanic_nn.cli import export, report, submit, tune
from titanic_nn.cli.console import Parser, if_interrupted, if_stopped
from titanic_nn.cli.train import main
from titanic_nn.errors import ConfigError, KaggleError
from titanic_nn.files import write_folder, write_text
from titanic_nn.report import page
from titanic_nn.runs import submissions
from titanic_nn.tuning import results

QUICK = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1", "--quiet"]
TUNE = ["--model", "linear", "--trials", "4", "--batch", "2", "--folds", "2", "--repeats", "1"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def with_a_message(args: object) -> None:
    with if_interrupted(lambda: "half of it is kept"):
        interrupt()


def after_writing(args: object) -> None:
    write_folder(Path("mine"), [("a", "b")])
    for name in ("one", "two", "one"):
        write_text(Path(name), "")
    interrupt()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (interrupt, "interrupted: nothing was written\n"),
        (with_a_message, "interrupted: half of it is kept\n"),
        (after_writing, "interrupted: written before that: mine, one and 1 more\n"),
    ],
)
def test_an_interrupted_command_ends_with_one_line(
    command: Callable[[object], None],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
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
    with pytest.raises(SystemExit) as stopped:
        main([*QUICK, "--out", "mine"])
    assert stopped.value.code == 130
    error = capsys.readouterr().err
    assert error.startswith("interrupted: the run is written: mine; ")
    assert error.count("\n") == 1
    assert Path("mine/summary.json").is_file()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("wrong"), 2, "error: wrong; kept: all\n"),
        (KaggleError("away"), 3, "error: away; kept: all\n"),
        (ValueError("two\nlines"), 2, "error: ValueError: two lines; kept: all\n"),
    ],
)
def test_an_error_ends_with_what_is_kept(
    error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(args: object) -> None:
        with if_stopped(lambda: "kept: all"):
            raise error

    with pytest.raises(SystemExit) as stopped:
        Parser().command(command)([])
    assert stopped.value.code == code
    assert capsys.readouterr() == ("", line)


def test_a_report_that_fails_leaves_the_run_and_its_submissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("no font")

    with monkeypatch.context() as broken:
        broken.setattr(page, "figures", fail)
        with pytest.raises(SystemExit) as stopped:
            main([*QUICK, "--out", "my runs/mine"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "error: RuntimeError: no font; the run is written: my runs/mine; "
        "`titanic-nn submit --dry-run 'my runs/mine'` and `titanic-nn report 'my runs/mine'` "
        "write what is missing of its submissions and its report\n"
    )
    submission = Path("submissions/mine-linear.csv")
    before = submission.stat().st_mtime_ns
    Path("submissions/mine-linear.json").unlink()

    report.main(["my runs/mine"])
    with pytest.raises(SystemExit):  # the bundled table's are not sent
        submit.main(["--dry-run", "my runs/mine"])
    assert Path("my runs/mine/report.html").is_file()
    assert Path("submissions/mine-linear.json").is_file()
    assert submission.stat().st_mtime_ns == before


def test_submissions_that_cannot_be_written_leave_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("submissions").touch()
    with pytest.raises(SystemExit):
        main([*QUICK, "--out", "mine"])
    error = capsys.readouterr().err  # before training
    assert error == "error: submissions: cannot be written: a file is in the way\n"
    assert [path.name for path in Path().iterdir()] == ["submissions"]


def test_tune_says_what_it_keeps_when_its_results_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as stopping:
        stopping.setattr(results, "write_results", interrupt)
        with pytest.raises(SystemExit) as stopped:
            tune.main([*TUNE, "--quiet"])
    assert stopped.value.code == 130
    words = " ".join([*TUNE, "--quiet"])
    journal = "runs/studies/titanic-bundled-linear/journal.log"
    assert capsys.readouterr().err == (
        f"interrupted: 4 of 4 trials finished, kept in {journal}. "
        f"To continue: `python -m titanic_nn tune {words}`\n"
    )
    tune.main([*TUNE, "--quiet"])
    assert Path("runs/studies/titanic-bundled-linear/best.toml").is_file()


@pytest.mark.parametrize("onnx", ["link", "file/new.onnx", "/proc/nowhere/new.onnx"])
def test_export_refuses_a_place_that_cannot_be_written_to(
    onnx: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("missing")
    Path("file").touch()
    main([*QUICK, "--out", "mine"])
    with pytest.raises(SystemExit) as stopped:
        export.main(["mine", "--model", "linear", "--onnx", onnx])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {'--onnx link: is there' if onnx == 'link' else onnx}")
    assert error.count("\n") == 1
    assert Path("link").is_symlink()
