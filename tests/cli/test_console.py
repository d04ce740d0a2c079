"""What commands print, on a terminal of 80 columns and into a file."""

import re

import pytest

from titanic_nn.cli.console import console, print_table, progress
from titanic_nn.report.tables import Table

WORDS = " ".join(["word"] * 30)
TABLE = Table("of [/x] :x:", ["[bold]name", "[/b]"], [["[/x]", "[red]1"]], f"{WORDS} [/y]")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "80"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)


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
def test_the_bar_shows_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(console(), ["[/x]"]) as advance:
        advance("[/y]", 0.5)
    shown = plain(capsys.readouterr().out)
    assert "training [/y]" in shown
    assert "50%" in shown


def test_nothing_is_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(10 * WORDS)
    assert capsys.readouterr().out == f"{10 * WORDS}\n"
