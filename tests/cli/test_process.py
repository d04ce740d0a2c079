"""A command's process ends at once, with its exit code, after all that must be done."""

import os
import subprocess
import sys

import pytest

HEAD = "import atexit, sys, threading, time\nfrom titanic_nn.cli.process import run\n"


def ended(command: str, *, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A process that runs a function with this body."""
    body = "\n".join(f"    {line}" for line in command.splitlines())
    return subprocess.run(
        [sys.executable, "-c", f"{HEAD}def command():\n{body}\nrun(command)\n"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(2)", 2, ""),
        ("sys.exit(130)", 130, ""),
        ("sys.exit('a reason')", 1, "a reason\n"),
        ("raise ValueError('a defect')", 1, "ValueError: a defect\n"),
    ],
)
def test_the_exit_code_is_the_commands(command: str, code: int, error: str) -> None:
    done = ended(command)
    assert done.returncode == code
    assert done.stderr.endswith(error)
    assert bool(done.stderr) == bool(error)


def test_what_is_to_be_done_at_exit_is_done_and_nothing_is_freed() -> None:
    done = ended(
        "class Freed:\n"
        "    def __del__(self):\n"
        "        print('freed')\n"
        "sys.kept = Freed()\n"
        "def wait():\n"
        "    time.sleep(0.3)\n"
        "    print('thread')\n"
        "threading.Thread(target=wait).start()\n"
        "atexit.register(print, 'first')\n"
        "atexit.register(print, 'second')\n"
        "sys.stdout.write('command\\n')"
    )
    assert done.stdout == "command\nthread\nsecond\nfirst\n"
    assert done.returncode == 0


def test_output_that_is_lost_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = ended("print('lost')", stdout=full.fileno())
    assert done.returncode == 120  # Python's own
    assert "No space left on device" in done.stderr
