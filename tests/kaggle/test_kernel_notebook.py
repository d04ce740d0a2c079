"""The notebook that is pushed really runs: it installs its wheel, trains, and leaves a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kaggle_kernels import Files, KaggleWithKernels
from kaggle_user import KaggleTables, User, give_key, write_tables, zipped

from titanic_nn.kaggle.kernel_folder import Kernel, kernel_metadata
from titanic_nn.kaggle.wheel import Wheel

pytestmark = pytest.mark.slow
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


def small_wheel(name: str, requires: str = "") -> bytes:
    info = f"{name}-1.0.dist-info"
    required = f"Requires-Dist: {requires}\n" if requires else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{required}"
    wheel = "Wheel-Version: 1.0\nGenerator: a-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {f"{name}.py": "x = 1", f"{info}/METADATA": metadata, f"{info}/WHEEL": wheel}
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    return zipped({n: c.encode() for n, c in {**members, f"{info}/RECORD": record}.items()})


@pytest.mark.parametrize("datasets", [["bob/wheels"], []])
def test_without_internet_a_dataset_has_what_is_required(
    datasets: list[str], tmp_path: Path
) -> None:
    metadata = kernel_metadata(
        "ada",
        "titanic-nets",
        "titanic",
        gpu=False,
        internet=False,
        private=True,
        datasets=datasets,
    )
    wheel = Wheel("pushed-1.0-py3-none-any.whl", small_wheel("pushed", "rare_one>=1"), "digest")
    kernel = Kernel("ada/titanic-nets", metadata, [], wheel)
    (install, _) = json.loads(kernel.files("0-1")["notebook.ipynb"])["cells"]
    attached = tmp_path / "input/datasets/bob/wheels"
    attached.mkdir(parents=True)
    (attached / "rare_one-1.0-py3-none-any.whl").write_bytes(small_wheel("rare_one"))
    offline = {
        "PIP_NO_INDEX": "1",
        "PIP_TARGET": str(tmp_path / "library"),
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", install["source"]],
        env={**os.environ, **offline, "TITANIC_NN_KAGGLE_INPUT": str(tmp_path / "input")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    installed = sorted(path.name for path in tmp_path.glob("library/*.py"))
    if datasets:
        assert (done.returncode, installed) == (0, ["pushed.py", "rare_one.py"]), done.stderr
    else:
        assert installed == []
        said = "titanic_nn cannot be installed: ERROR: No matching distribution found for rare_one"
        assert said in done.stderr.splitlines()[-1]
