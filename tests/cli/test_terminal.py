"""Every command on a real terminal of 80 columns: no word is broken, and none is lost."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

termios = pytest.importorskip("termios")  # no such terminals on Windows

COLUMNS = 80
QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1"]
NAME = "a_run_whose_name_is_rather_long_but_is_one_word"
RUN = f"runs/{NAME}"
SPACE = "[linear]\nepochs = 3\n"
TUNE = [*QUICK, "--trials", "3", "--space", "space.toml", "--study", f"{NAME}_of_a_study"]
COMMANDS = (
    ["train", *QUICK, "--models", "linear", "relu", "--out", RUN],
    ["diagnose", RUN],
    ["misclassified", RUN],
    ["learning_curve", RUN, "--train-fractions", "0.3", "0.6", "1", "--models", "linear"],
    ["ablation", RUN, "--models", "linear"],
    ["importance", RUN, "--permutations", "1", "--models", "linear"],
    ["tune", "--model", "linear", *TUNE],
    ["tune", "--model", "linear", "--timeout", "0.001", *TUNE[:-1], "t"],
    ["tune", "--model", "linear", "--nested", *TUNE],
    ["inspect", RUN, "relu"],
    ["report", RUN],
    ["submit", "--dry-run", RUN],
    ["submit", "--dry-run", "--file", "space.toml", "--competition", "nowhere"],
    ["export", RUN, "--onnx", "space.toml"],
    ["predict", "--input", "space.toml", RUN],
    ["train", "--out", RUN],
    ["train", "--models", "linear", "an_unknown_net", "--seed", "--quiet"],
    ["--help"],
    ["no_such_command"],
    ["train", "--help"],
)
# Runs each command, and says which.
SCRIPT = """
import contextlib, json, sys
from titanic_nn.__main__ main
for number, command in enumerate(json.loads(sys.argv[1])):
    print(f"COMMAND {number}", flush=True)
    sys.argv = ["titanic-nn", *command]
    with contextlib.suppress(SystemExit):
        main()
    sys.stdout.flush()
""".replace("__main__ main", "__main__ import main")
# Where a line may be wider than the terminal: one word, or a command to copy.
WIDE = re.compile(r"\s*\S+|(Next|No trial is complete\. Next, with more time): .*titanic_nn.*")


def printed(folder: Path, *, terminal: bool) -> list[str]:
    """What each command prints, in a user's folder of its own."""
    folder.mkdir()
    (folder / "space.toml").write_text(SPACE)
    command = [sys.executable, "-c", SCRIPT, json.dumps(COMMANDS)]
    hidden = ("COLUMNS", "FORCE_COLOR")
    # A dumb terminal: neither colours nor bars that are drawn again and again.
    environment = {n: v for n, v in os.environ.items() if n not in hidden} | {"TERM": "dumb"}
    if terminal:
        text = on_a_terminal(command, folder, environment)
    else:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        text = done.stdout.decode()
    return re.split(r"COMMAND \d+\n", text)[1:]


def on_a_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints on a terminal of its own."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (40, COLUMNS))
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        parts = []
        try:
            while part := os.read(ours, 2**16):
                parts.append(part)
        except OSError:  # the other end was closed
            pass
    os.close(ours)
    assert process.returncode == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Of each command, what it prints into a file and on a terminal."""
    folder = tmp_path_factory.mktemp("users")
    plain = printed(folder / "file", terminal=False)
    return list(zip(plain, printed(folder / "terminal", terminal=True), strict=True))


def words(text: str) -> set[str]:
    """The words, without those of a table's lines; times differ, and so does a wide table."""
    found = {word.strip(":") for word in re.sub(r"[─━]+", " ", text).split()}
    return {word for word in found if re.search("[A-Za-z]{2}", word)}


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=lambda i: " ".join(COMMANDS[i][:2]))
def test_no_word_is_broken(number: int, outputs: list[tuple[str, str]]) -> None:
    plain, terminal = outputs[number]
    assert "Traceback" not in plain + terminal
    assert words(terminal) == words(plain)
    wide = [line for line in terminal.splitlines() if len(line.rstrip()) > COLUMNS]
    assert not [line for line in wide if not WIDE.fullmatch(line)]
