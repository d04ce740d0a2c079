"""The wheel, installed on a machine as Kaggle's that has no network, far from any checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from constraints.kaggle_dataset import IMAGE, METADATA, REPO, SLUG, main, missing

pytestmark = pytest.mark.slow
WITHOUT_OPTUNA_AND_KAGGLE = """
import sys
sys.modules.update(optuna=None, kaggle=None)
from titanic_nn.cli.train import main
main(sys.argv[1:])
"""
LACKING = ["titanic-nn", *(need.name for need in missing(IMAGE))]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make kaggle-dataset` makes."""
    folder: Path = tmp_path_factory.mktemp("dataset") / "wheels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["kaggle_dataset", "--owner", "ada", "--folder", str(folder)])
        main()
    return folder


@dataclass(frozen=True)
class Machine:
    """A Python that has the packages of this one, but for those that Kaggle's image lacks."""

    home: Path

    def run(self, *arguments: str) -> str:
        """Run its Python without a network, in a folder of its own; return what it prints."""
        closed = "http://127.0.0.1:9"
        variables = ("PATH", "SYSTEMROOT", "OMP_NUM_THREADS")
        done = subprocess.run(
            [*cut_off(), str(self.home / "venv/bin/python"), *arguments],
            cwd=self.home,
            env={
                **{name: os.environ[name] for name in variables if name in os.environ},
                "HOME": str(self.home),
                "PIP_CONFIG_FILE": os.devnull,
                "http_proxy": closed,
                "https_proxy": closed,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def cut_off() -> Sequence[str]:
    """What runs a command in a network of its own that has no way out, where that is allowed."""
    command = ["unshare", "--net", "--map-root-user"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:  # no Linux
        allowed = False
    return command if allowed else []


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    home: Path = tmp_path_factory.mktemp("machine")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    (site,) = (home / "venv").glob("lib/python*/site-packages")
    hidden = {
        name
        for found in distributions()
        if canonicalize_name(found.name) in LACKING
        for name in {Path(str(file)).parts[0] for file in found.files or []}
    }
    held = home / "held"
    held.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name not in hidden and path.suffix != ".pth" and not (site / path.name).exists():
            (held / path.name).symlink_to(path)
    (site / "held.pth").write_text(str(held))
    return Machine(home)


def test_the_wheel_holds_all_that_the_checkout_does(dataset: Path) -> None:
    (wheel,) = dataset.glob("titanic_nn-*.whl")
    tracked = subprocess.run(
        ["git", "ls-files", "titanic_nn", "data/bundled"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    bundled = "titanic_nn/competitions/titanic/bundled"
    wanted = {path.replace("data/bundled", bundled) for path in tracked}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert {f"{bundled}/train.csv", "titanic_nn/report/page.html"} <= held


def test_the_dataset_is_what_kaggle_asks_for(dataset: Path) -> None:
    metadata = json.loads((dataset / METADATA).read_text())
    assert metadata["id"] == f"ada/{SLUG}"
    assert 6 <= len(SLUG) <= 50
    assert 6 <= len(metadata["title"]) <= 50  # the official client refuses others
    assert len(metadata["licenses"]) == 1
    wheels = {canonicalize_name(path.name.split("-")[0]) for path in dataset.glob("*.whl")}
    assert wheels == {*LACKING}


def test_an_installation_without_a_network_installs_nothing_anew(
    dataset: Path, machine: Machine
) -> None:
    """pip takes only what the image lacks. A run then works; it needs neither Optuna nor kaggle."""
    pip = ["-m", "pip", "install", "--no-index", "--find-links", str(dataset)]
    report = machine.home / "report.json"
    machine.run(*pip, "--quiet", "--report", str(report), "titanic-nn")
    installed = {
        canonicalize_name(one["metadata"]["name"])
        for one in json.loads(report.read_text())["install"]
    }
    assert installed == {*LACKING}

    where = machine.run("-c", "import titanic_nn; print(titanic_nn.__file__)")
    assert Path(where).is_relative_to(machine.home / "venv")
    options = ["--models=linear", "--folds=2", "--repeats=1", "--n-seeds=1", "--out=runs/a"]
    machine.run("-c", WITHOUT_OPTUNA_AND_KAGGLE, *options)
    assert "<svg" in (machine.home / "runs/a/report.html").read_text()
    assert (machine.home / "submissions/a-linear.csv").exists()


@pytest.mark.parametrize(
    ("owner", "occupied", "complaint"),
    [("a b", False, "is no name of a Kaggle user"), ("ada", True, "exists and is no such dataset")],
)
def test_what_would_go_wrong_is_refused(
    owner: str,
    occupied: bool,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "folder"
    if occupied:
        folder.mkdir()
        (folder / "mine.txt").write_text("the user's")
        (folder / METADATA).write_text("{}")
    monkeypatch.setattr("sys.argv", ["x", "--owner", owner, "--folder", str(folder)])
    with pytest.raises(SystemExit, match="2"):
        main()
    (said,) = capsys.readouterr().err.splitlines()
    assert complaint in said
    assert (folder / "mine.txt").exists() == occupied
