"""The server of these tests speaks as Kaggle does: the official command is content with it."""

import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
from kaggle_server import KaggleServer
from kaggle_user import KaggleTables, User


def kaggle_command(user: User, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from kaggle.cli import main; main()", "competitions", *arguments],
        env=user.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_official_command_submits_lists_and_downloads(
    user: User, kaggle: KaggleServer, tables: KaggleTables
) -> None:
    kaggle.polls_to_score = -1
    said = kaggle_command(user, "submit", "titanic", "-f", str(user.submission), "-m", "by hand")
    assert "Successfully submitted to Titanic" in said
    assert "0.82057" in kaggle_command(user, "submissions", "titanic")
    kaggle_command(user, "download", "titanic")
    with zipfile.ZipFile("titanic.zip") as archive:
        assert archive.read("train.csv") == tables.train
    assert [*kaggle.uploads.values()] == [tables.sex_rule]
    # It has no key, so ours is another.
    assert user.call("submit").code == 0
    assert len(kaggle.submissions) == 2


def test_another_host_is_refused_and_remembered(
    newcomer: User, kaggle: KaggleServer, tmp_path: Path
) -> None:
    # Not urlopen, which keeps the proxy that was set when it was first used.
    opener = urllib.request.build_opener()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open("http://elsewhere.test/")
    with pytest.raises(OSError, match="403"):
        opener.open("https://elsewhere.test/")
    assert kaggle.foreign == ["elsewhere.test", "elsewhere.test:443"]
    kaggle.foreign.clear()
