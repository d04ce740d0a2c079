"""The notebook that is pushed really runs: it installs its wheel, trains, and leaves a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kaggle_kernels import Files, KaggleWithKernels
from kaggle_user import KaggleTables, User, give_key, write_tables

EXECUTE = Path(__file__).parents[2] / "notebooks/execute.py"
QUICK = ["--models", "linear", "--folds", "2", "--repeats", "1", "--n-seeds", "1"]


class Machine:
    """A machine of Kaggle's: runs a notebook in a folder that holds no project."""

    def __init__(self, folder: Path, kaggle: KaggleWithKernels) -> None:
        self.input, self.working = folder / "input", folder / "working"
        self.library, self.kaggle = folder / "library", kaggle
        self.ran = ""  # the notebook with its outputs
        for path in (self.input, self.working, self.library):
            path.mkdir()

    def run(self, notebook: str) -> Files:
        """What a notebook leaves; how it ended is what the server says from now on."""
        nbformat.validate(json.loads(notebook))
        path = self.library / "notebook.ipynb"
        path.write_text(notebook, encoding="utf-8")
        environment = {
            **{n: v for n, v in os.environ.items() if not n.lower().endswith("_proxy")},
            "TITANIC_NN_KAGGLE_INPUT": str(self.input),
            # Into a folder of its own, without what the machine has already.
            "PIP_TARGET": str(self.library),
            "PIP_NO_DEPS": "1",
            "PYTHONPATH": str(self.library),
        }
        command = [sys.executable, str(EXECUTE), "--write", "--folder", str(self.working)]
        done = subprocess.run(
            [*command, str(path)], env=environment, capture_output=True, text=True, timeout=100
        )
        if done.returncode:
            self.kaggle.states, self.kaggle.log = ["ERROR"], done.stderr
        self.ran = path.read_text(encoding="utf-8")
        return {
            path.relative_to(self.working).as_posix(): path.read_bytes()
            for path in self.working.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def kaggle(tables: KaggleTables) -> KaggleWithKernels:
    return KaggleWithKernels(tables.archive, tables.answers)


@pytest.fixture
def machine(tmp_path: Path, kaggle: KaggleWithKernels) -> Machine:
    machine = Machine(tmp_path, kaggle)
    kaggle.machine = machine.run
    return machine


@pytest.fixture
def user(newcomer: User, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> User:
    give_key(newcomer, monkeypatch)
    monkeypatch.setenv("TITANIC_NN_CALL_TIMEOUT", "100")  # the server runs it before it answers
    return newcomer


def test_it_trains_and_its_run_is_submitted_from_here(
    user: User, kaggle: KaggleWithKernels, machine: Machine, tables: KaggleTables
) -> None:
    write_tables(machine.input / "titanic", tables)
    done = user.call("kernel", "push", *QUICK)
    assert (done.code, done.err) == (0, ""), kaggle.log
    installed = machine.library / "titanic_nn"
    assert (installed / "report/page.html").is_file()
    assert "kaggle-notebook" in machine.ran
    assert "Device: c" in machine.ran
    assert machine.ran.count('"image/png"') == 3

    run = Path("runs/titanic-nets-v1")
    environment = json.loads((run / "environment.json").read_text())
    assert environment["data"]["source"] == "kaggle-notebook"
    assert (run / "report.html").is_file()
    assert (run / "models/linear/model.json").is_file()
    # The run is as good as one that was made here: its submission is the kernel's own.
    write_tables(user.folder / "data/kaggle/titanic", tables)
    assert user.call("submit", "titanic-nets-v1").code == 0
    assert [*kaggle.uploads.values()] == [(machine.working / "submission.csv").read_bytes()]
    assert user.call("kernel", "submit").code == 0
    assert len(kaggle.submitted) == 1


def test_without_input_it_says_so_and_trains_on_nothing_else(
    user: User, machine: Machine, kaggle: KaggleWithKernels
) -> None:
    done = user.call("kernel", "push", *QUICK)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "failed: DataError: found no tables: no train.csv, test.csv or titanic.zip" in done.err
    assert not Path("runs").exists()
