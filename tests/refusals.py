"""What every command does with a mistake: one line on stderr, and exit code 2."""

from collections.abc import Callable, Sequence

import pytest


def refused(
    command: Callable[[list[str]], None],
    arguments: Sequence[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Assert that the command refuses these arguments with this message; returns its stdout."""
    with pytest.raises(SystemExit) as stopped:
        command(list(arguments))
    output = capsys.readouterr()
    assert stopped.value.code == 2
    assert message in output.err.replace("\\", "/")
    assert output.err.count("\n") == 1
    return output.out
