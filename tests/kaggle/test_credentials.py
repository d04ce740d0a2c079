"""Which credentials are found: the referee is the client's own order, and its faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from titanic_nn.errors import CredentialsError
from titanic_nn.kaggle.credentials import Credentials, find_credentials, how_to_get_credentials

KAGGLE_JSON = '{"username": "ada", "key": "k-file"}'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [*os.environ]:
        if name.startswith(("KAGGLE_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def found() -> Credentials:
    credentials = find_credentials()
    assert credentials is not None
    return credentials


def test_nothing_is_found_in_an_empty_home() -> None:
    assert find_credentials() is None


def test_the_order_is_the_clients(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last source to the first, each takes precedence over those already there."""
    write(home / ".kaggle/credentials.json", '{"refresh_token": "r"}')
    assert found().refresh_token == "r"
    write(home / ".kaggle/kaggle.json", KAGGLE_JSON)
    assert (found().username, found().key) == ("ada", "k-file")
    monkeypatch.setenv("KAGGLE_KEY", "k-env")
    assert (found().username, found().key) == ("ada", "k-env")
    monkeypatch.setenv("KAGGLE_USERNAME", "bob")
    assert found().username == "bob"
    write(home / ".kaggle/access_token.txt", " t-txt\n")
    assert found().token == "t-txt"
    write(home / ".kaggle/access_token", "t-file\n")
    assert found().token == "t-file"
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(write(home / "elsewhere", "t-path")))
    assert found().token == "t-path"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t-env")
    assert found().token == "t-env"
    assert found().hidden == (
        str(home / ".kaggle/access_token"),
        str(home / ".kaggle/access_token.txt"),
        "KAGGLE_USERNAME and KAGGLE_KEY",
        f"{home / '.kaggle/credentials.json'} (kaggle auth login)",
    )
    # In a Kaggle notebook, its own token goes before all.
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setenv("KAGGLE_DATA_PROXY_URL", "http://localhost")
    monkeypatch.setenv("KAGGLE_API_V1_TOKEN", str(write(home / "notebook", "t-notebook")))
    assert found().token == "t-notebook"


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        ({"KAGGLE_API_TOKEN": "t-env"}, {".kaggle/access_token": "t-file"}),
        ({}, {".kaggle/access_token": "", ".kaggle/access_token.txt": "t-txt"}),
        ({"KAGGLE_API_TOKEN": ""}, {".kaggle/access_token": "t-file"}),
    ],
)
def test_tokens_are_found_where_the_client_finds_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], files: dict[str, str]
) -> None:
    for name, text in files.items():
        write(home / name, text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code = "from kagglesdk.kaggle_env import *; print(get_access_token_from_env()[0])"
    client = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found().token == client.stdout.strip()


@pytest.mark.parametrize(
    ("folder", "variables"),
    [
        (".kaggle", {}),
        ("chosen", {"KAGGLE_CONFIG_DIR": "chosen"}),
        (".config/kaggle", {}),
        ("xdg/kaggle", {"XDG_CONFIG_HOME": "xdg"}),
    ],
)
def test_kaggle_json_is_found_where_the_client_finds_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, folder: str, variables: dict[str, str]
) -> None:
    if folder != ".kaggle":
        (home / ".kaggle").rmdir()
    for name, value in variables.items():
        monkeypatch.setenv(name, str(home / value))
    path = write(home / folder / "kaggle.json", KAGGLE_JSON)
    code = "import kaggle; print(kaggle.api.config, kaggle.api.config_values['key'])"
    client = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert client.stdout.split() == [str(path), "k-file"]
    assert (found().key, found().source) == ("k-file", str(path))
    assert str(path) in how_to_get_credentials("titanic")


@pytest.mark.parametrize(
    ("variables", "kaggle_json", "message"),
    [
        ({"KAGGLE_USERNAME": "", "KAGGLE_KEY": "k"}, None, "KAGGLE_USERNAME is missing or empty"),
        ({"KAGGLE_KEY": ""}, KAGGLE_JSON, "KAGGLE_KEY is missing or empty"),
        ({"KAGGLE_KEY": "k"}, None, "KAGGLE_USERNAME is missing or empty"),
        ({}, "{broken s3cret", "kaggle.json: cannot be read as JSON"),
        ({}, "[]", "kaggle.json: cannot be read as JSON"),
        ({}, "[" * 100_000, "kaggle.json: cannot be read as JSON"),
        ({}, " " * 2**21, "kaggle.json: cannot be read as JSON"),
        ({}, "\0", "kaggle.json: cannot be read as JSON"),
        ({"KAGGLE_API_TOKEN": "/dev/zero"}, None, "/dev/zero: cannot be read as a file with"),
        ({}, '{"username": "ada"}', "key in .*kaggle.json is missing"),
        ({}, '{"username": "ada", "key": 7}', "key in .*kaggle.json is missing"),
        ({}, '{"username": "ada", "key": "s3cret\\nx"}', "blanks or odd characters"),
        ({"KAGGLE_API_TOKEN": "s3crét"}, None, "KAGGLE_API_TOKEN holds blanks or odd"),
        ({"KAGGLE_API_TOKEN": "/"}, None, "cannot be read as a file with a Kaggle token"),
    ],
)
def test_what_the_client_passes_over_in_silence_is_said(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    kaggle_json: str | None,
    message: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if kaggle_json:
        write(home / ".kaggle/kaggle.json", kaggle_json)
    with pytest.raises(CredentialsError, match=message) as raised:
        find_credentials()
    assert "s3cr" not in str(raised.value)


def test_a_broken_file_that_is_not_needed_does_no_harm(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".kaggle/kaggle.json", "{broken")
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "k-env")
    assert found().key == "k-env"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t-env")
    monkeypatch.delenv("KAGGLE_KEY")
    assert found() == Credentials("KAGGLE_API_TOKEN", token="t-env")


@pytest.mark.parametrize("name", ["kaggle.json", "access_token", "credentials.json"])
def test_a_fifo_is_not_waited_for(home: Path, name: str) -> None:
    os.mkfifo(home / ".kaggle" / name)
    with pytest.raises(CredentialsError, match=f"{name}: cannot be read as"):
        find_credentials()


@pytest.mark.parametrize("odd", ["file", "file/below", "x" * 300, "~", "\udcff", "/proc/1/fd/none"])
def test_an_odd_folder_of_settings_is_one_without_a_key(
    home: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.chdir(home)
    write(home / "file", "not a folder")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", odd)
    assert find_credentials() is None
    monkeypatch.setenv("HOME", odd)
    assert find_credentials() is None


def test_a_kaggle_json_of_other_settings_is_no_key(home: Path) -> None:
    write(home / ".kaggle/kaggle.json", '{"path": "/data"}')
    assert find_credentials() is None


def test_a_very_long_token_is_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t" * 5000)
    assert found().token == "t" * 5000


def test_secrets_stay_out_of_the_repr(home: Path) -> None:
    write(home / ".kaggle/kaggle.json", KAGGLE_JSON)
    assert "k-file" not in repr(found())
    assert found().secrets == ("k-file",)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_named(home: Path, mode: int) -> None:
    path = write(home / ".kaggle/kaggle.json", KAGGLE_JSON)
    assert found().warning is None
    path.chmod(mode)
    assert str(found().warning).endswith(f"chmod 600 {path}")
