"""What commands print, on a terminal of 80 columns and into a file."""

import io
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager as ContextManager
from contextlib import nullcontext

import pytest

from titanic_nn.cli.console import Parser, console, print_table, progress, spinner
from titanic_nn.cli.streams import write_result
from titanic_nn.errors import DataError
from titanic_nn.report.tables import Table

WORDS = " ".join(["word"] * 30)
TABLE = Table("of [/x] :x:", ["[bold]name", "[/b]"], [["[/x]", "[red]1"]], f"{WORDS} [/y]")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "80"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)


# What a terminal would obey, and how it is shown.
HOSTILE = "\x1b[2J\x1b]0;x\x07\x9bm\r\b\u202e\u200b\udcff"
SHOWN = r"\x1b[2J\x1b]0;x\x07\x9bm\r\x08\u202e\u200b\udcff"


def plain(text: str) -> str:
    """Without a terminal's codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(console(), TABLE)
    console().print("runs/[red]/[/x] :smile:")
    assert capsys.readouterr().out.splitlines() == [
        "",
        "of [/x] :x:",
        "[bold]name   [/b]",
        "─────────────────",
        "[/x]       [red]1",
        f"{WORDS} [/y]",
        "runs/[red]/[/x] :smile:",
    ]


@pytest.mark.usefixtures("terminal")
def test_a_caption_is_as_wide_as_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(console(), TABLE)
    lines = plain(capsys.readouterr().out).splitlines()
    assert lines[1] == "of [/x] :x:"
    assert [len(line.rstrip()) for line in lines[5:]] == [79, 74]  # 16 words; 14 and "[/y]"


@pytest.mark.usefixtures("terminal")
def test_a_command_and_a_path_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command, path = f"`titanic-nn {WORDS[:90]}`", 30 * "folder/"
    console().print(f"next: {command} or {path}; {WORDS}")
    first, second, third, fourth, *rest = capsys.readouterr().out.splitlines()
    assert [first, second, third, fourth] == ["next:", command, "or", f"{path};"]
    assert " ".join(rest) == WORDS


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", ["86.0 %", "± 0.036"])
def test_a_number_keeps_its_sign(capsys: pytest.CaptureFixture[str], number: str) -> None:
    for length in range(60, 80):
        console().print(f"{'x' * length} {number} of all")
        first, *rest = capsys.readouterr().out.splitlines()
        assert number in first or number in rest[0]


@pytest.mark.usefixtures("terminal")
def test_the_bar_shows_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(console(), ["[/x]"]) as advance:
        advance("[/y]", 0.5)
    shown = plain(capsys.readouterr().out)
    assert "training [/y]" in shown
    assert "50%" in shown


def test_nothing_is_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(10 * WORDS)
    assert capsys.readouterr().out == f"{10 * WORDS}\n"


def test_only_the_styles_are_a_terminals_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "100"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    print_table(console(), Table(HOSTILE, [HOSTILE, "n"], [[f"{HOSTILE}\nx", "1"]], HOSTILE, 0))
    with progress(console(), [HOSTILE]) as advance:
        advance(f"{HOSTILE}\n", 0.5)
    with spinner(console(), "sending") as say:
        say(f"[/x]{HOSTILE}\n")
    printed = capsys.readouterr().out
    for raw in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\b", "\u202e", "\u200b", "\udcff"):
        assert raw not in printed
    assert "\x1b[1m" in printed  # the highlighted row is bold
    shown = plain(printed)
    assert shown.count(SHOWN) >= 5
    assert f"{SHOWN}\\nx 1" in shown  # a cell is one line


def command(work: Callable[[], object]) -> Callable[..., None]:
    """A command that does this work."""

    @Parser(prog="try").command
    def main(_: Namespace) -> None:
        work()

    return main


def test_what_a_command_prints_is_printable_however_it_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work() -> None:
        print(f"{HOSTILE}\nx")
        console().print(f"{HOSTILE}\nx")
        console(stderr=True).print(HOSTILE)
        sys.stderr.write(f"{HOSTILE}\n")

    command(work)([])
    printed = capsys.readouterr()
    assert printed.out == 2 * f"{SHOWN}\nx\n"
    assert printed.err == 2 * f"{SHOWN}\n"


@pytest.mark.parametrize("error", [DataError, OSError])
def test_an_error_is_one_line(error: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error(f"a\nb{HOSTILE}")

    with pytest.raises(SystemExit) as stopped:
        command(work)([])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: a\\nb{SHOWN}\n"


def test_the_help_of_an_error_has_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        error = DataError("no key")
        error.help = "1. Make one.\n2. Use it."
        raise error

    with pytest.raises(SystemExit):
        command(work)([])
    assert capsys.readouterr().err == "error: no key\n1. Make one.\n2. Use it.\n"


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command(lambda: None)([f"--x\n{HOSTILE}"])
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("columns", "as_lines"), [(1, True), (20, True), (60, False)])
def test_a_table_that_is_too_wide_becomes_lines(
    columns: int,
    as_lines: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", str(columns)), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    rows = [["gradient_boosting", "0.812 ± 0.031"], ["relu", "0.828 ± 0.027"]]
    print_table(console(), Table("", ["model", "held-out\naccuracy"], rows))
    shown = plain(capsys.readouterr().out)
    assert "…" not in shown
    assert re.sub(r"\s", "", shown).count("0.812±0.031") == 1
    assert ("─" in shown) is not as_lines
    if as_lines and columns == 20:
        assert "model: relu" in shown
        assert "held-out accuracy:" in shown


def closed() -> ContextManager[None]:
    return nullcontext()


def full() -> ContextManager[object]:
    return open("/dev/full", "w", encoding="utf-8")


def without_reader() -> ContextManager[object]:
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", encoding="utf-8")


needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
STREAMS = [closed, pytest.param(full, marks=needs_full), without_reader]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stdout_that_takes_nothing_ends_no_work(
    stream: Callable[[], ContextManager[object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = []

    def work() -> None:
        for _ in range(3):
            console().print("x" * 10_000)
            print("x" * 10_000, flush=True)
        done.append(True)

    with stream() as opened:
        monkeypatch.setattr(sys, "stdout", opened)
        with pytest.raises(SystemExit) as stopped:
            command(work)([])
    assert stopped.value.code == 1
    assert done
    error = capsys.readouterr().err
    quiet = stream is without_reader
    assert (error == "") if quiet else re.fullmatch("error: standard output: .*\n", error)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stderr_that_takes_nothing_changes_nothing(
    stream: Callable[[], ContextManager[object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def mistake() -> None:
        raise DataError("wrong")

    with stream() as opened:
        monkeypatch.setattr(sys, "stderr", opened)
        command(lambda: [print("result"), print("a note", file=sys.stderr)])([])
        with pytest.raises(SystemExit) as stopped:
            command(mistake)([])
    assert stopped.value.code == 2
    assert capsys.readouterr().out == "result\n"


def test_a_closed_stdin_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    read = []
    command(lambda: read.append(sys.stdin.read()))([])
    assert read == [""]


def test_a_character_that_the_locale_lacks_is_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)

    def work() -> None:
        print("né")
        print_table(console(), Table("", ["n"], [["1 ± 2"]]))

    command(work)([])
    assert written.getvalue().decode("ascii").split("\n")[:4] == ["n?", "", "n    ", "-----"]


def test_a_result_is_exact_except_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = command(lambda: write_result(f"id\n{HOSTILE[:-1]}\n"))
    main([])
    assert capsys.readouterr().out == f"id\n{HOSTILE[:-1]}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main([])
    shown = SHOWN.removesuffix(r"\udcff")
    assert capsys.readouterr().out == f"id\n{shown}\n"
