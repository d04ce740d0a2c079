"""No secret gets out, and what `import kaggle` does in passing does no harm."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kaggle_server import (
    KEY,
    SIGNATURE,
    TOKEN,
    USERNAME,
    KaggleServer,
    echoes,
    fails,
    resets,
    spellings,
)
from kaggle_user import KaggleTables, User, leaks, no_secret_in, write_run, write_tables

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


@pytest.mark.parametrize("variables", [{}, {"KAGGLE_API_TOKEN": TOKEN}], ids=["key", "token"])
def test_a_server_that_echoes_what_it_was_sent_is_not_quoted_with_it(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    kaggle.inject("ListSubmissions", echoes())
    kaggle.inject("CreateSubmission", echoes())
    refused = [user.call("submit"), user.call("submit")]
    for done in refused:
        assert (done.code, "***" in done.err) == (2, True)
    spelled = " ; ".join(spellings(TOKEN if variables else f"{USERNAME}:{KEY}").values())
    kaggle.verdict = {"status": "ERROR", "errorDescription": spelled, "publicScore": spelled}
    done = user.call("submit")
    assert "could not score submission 1001: " in done.err
    no_secret_in(user, *(one.said for one in (*refused, done, user.call("submit", "--list"))))


@pytest.mark.parametrize("spelling", spellings("x"))
@pytest.mark.parametrize("secret", [KEY, TOKEN, '+a/b?c>d~e"f\\g%h-i_j', "hunter2"])
def test_every_spelling_of_a_secret_is_masked(secret: str, spelling: str) -> None:
    sent = spellings(secret)[spelling]
    shown = plain(f"said {sent} of me", [secret])
    assert (shown[:5], shown[-6:], "***" in shown) == ("said ", " of me", True)
    assert leaks(shown, besides=[secret]) == []
    # Whatever base64 says of what stands before the secret goes with it.
    pair = spellings(f"{USERNAME}:{secret}")[spelling]
    assert leaks(plain(f"said {pair} of me", [secret]), besides=[secret]) == []


def test_what_is_no_secret_is_quoted() -> None:
    said = "Row 7, column Survived: '2' is not one of 0, 1 (ref 52001234, 100% of A-Za-z0-9+/=)"
    assert plain(said, [KEY, TOKEN, "hunter2"]) == said


def test_a_long_text_is_masked_in_time() -> None:
    start = time.process_time()
    for text in ("https://" * 100_000, f"{KEY} " * 30_000, "a" * 1_000_000, "%25" * 300_000):
        assert leaks(plain(text, [KEY])) == []
    assert time.process_time() - start < 20


def test_the_password_of_a_proxy_and_a_login_are_secrets(
    user: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = os.environ["http_proxy"].rpartition(":")[2]
    monkeypatch.setenv("http_proxy", f"http://me:pa%24%24word@127.0.0.1:{port}")
    kaggle.inject("ListSubmissions", fails(403, " ".join(spellings("me:pa$$word").values())))
    done = user.call("submit")
    assert (done.code, leaks(done.said, besides=["pa$$word"])) == (2, [])

    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    login = Path.home() / ".kaggle/credentials.json"
    login.parent.mkdir()
    login.write_text('{"refresh_token": "refresh-me-again"}')
    login.chmod(0o600)
    kaggle.inject("GenerateAccessToken", fails(500, "no refresh-me-again, REFRESH-ME-AGAIN"))
    kaggle.inject("GenerateAccessToken", *[fails(500, "no refresh-me-again")] * 9)
    done = user.call("submit")
    assert (done.code, leaks(done.said, besides=["refresh-me-again"])) == (3, [])
    assert "Kaggle says: no ***" in done.err


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
    (tmp_path / "kagglesdk.py").write_text("raise ImportError('as if it were not installed')")
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
