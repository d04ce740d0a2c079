"""No secret gets out, and what `import kaggle` does in passing does no harm."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kaggle_server import KEY, SIGNATURE, TOKEN, USERNAME, KaggleServer, fails, resets
from kaggle_user import KaggleTables, User, no_secret_in, write_run, write_tables

from titanic_nn.kaggle.masking import plain


@pytest.mark.parametrize(
    ("line", "variable"), [("submit", "VERBOSE"), ("download --force", "VERBOSE_OUTPUT")]
)
def test_nothing_secret_is_said_when_the_client_is_told_to_be_verbose(
    user: User, kaggle: KaggleServer, line: str, variable: str
) -> None:
    kaggle.inject("upload", resets, fails(500))
    kaggle.inject("storage", resets, fails(500))
    kaggle.inject("ListSubmissions", fails(500, f"Authorization: Basic {KEY} {SIGNATURE}"))
    done = user.run(*line.split(), **{variable: "1"})
    assert (done.code, done.err) == (0, "")  # nor is anything logged
    assert "Warning" not in done.out  # nor does the client print
    no_secret_in(user, done.said)


def test_a_server_that_echoes_secrets_is_not_quoted_with_them(
    user: User, kaggle: KaggleServer
) -> None:
    message = f"no: {KEY} at https://x.test/a?{SIGNATURE} with Authorization: Bearer {TOKEN}"
    kaggle.inject("ListSubmissions", fails(403, message))
    done = user.call("submit")
    said = "no: *** at https://x.test/a?*** with Authorization: Bearer ***"
    assert said in done.err
    no_secret_in(user, done.said)
    kaggle.verdict = {"status": "ERROR", "errorDescription": message}
    done = user.call("submit")
    assert said in done.err
    no_secret_in(user, done.said)


def test_a_log_of_everything_holds_no_signed_url(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        user.call("submit")
        user.call("download", "--force")
    no_secret_in(user, caplog.text)


def test_a_long_or_odd_message_becomes_one_short_line() -> None:
    assert plain("a\r\n\tb\x1b[31m\0") == "a b[31m"
    assert len(plain("x" * 1000)) == 300
    assert plain(None) == ""


def test_a_folder_that_cannot_be_made_is_not_needed(
    user: User, kaggle: KaggleServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    nowhere = str(tmp_path / "file/below")
    done = user.run("submit", HOME=nowhere, KAGGLE_CONFIG_DIR=nowhere)
    assert done.code == 0, done.err
    assert not (tmp_path / "home/config").exists()


def test_a_client_that_cannot_be_imported_is_said_in_one_line(user: User, tmp_path: Path) -> None:
    (tmp_path / "six.py").write_text("raise ImportError('as if it were not installed')")
    path = f"{tmp_path}{os.pathsep}{user.environment['PYTHONPATH']}"
    done = user.run("submit", PYTHONPATH=path)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "pip install --force-reinstall kaggle six" in done.err


def test_stdin_and_stdout_and_the_environment_are_left_alone(
    newcomer: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    """In a process that has not imported kaggle yet."""
    write_tables(newcomer.folder / "data/kaggle/titanic", tables)
    write_run(newcomer.folder / "runs", "a-run", "downloaded", tables.test, tables.sex_rule)
    Path("ask.py").write_text(
        "import os, sys\n"
        "from titanic_nn.kaggle.service import Kaggle\n"
        "from titanic_nn.kaggle.retry import RetryPolicy\n"
        "before = dict(os.environ)\n"
        "list(Kaggle('titanic', RetryPolicy()).submissions())\n"
        "assert dict(os.environ) == before\n"
        "assert not sys.stdin.closed\n"
        "import kaggle\n"
        "assert kaggle.api.config_dir == os.environ['KAGGLE_CONFIG_DIR']\n"
        "kaggle.api.authenticate()\n"
        f"assert kaggle.api.config_values['username'] == '{USERNAME}'\n"
    )
    done = subprocess.run(
        [sys.executable, "ask.py"],
        env={**newcomer.environment, "KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY},
        input="",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert kaggle.calls == ["ListSubmissions"]
