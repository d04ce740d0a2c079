"""What a kernel's folder holds: kernel-metadata.json, and a notebook that brings the package along.

The notebook is the one that trains, or the user's own. Two cells are added: the first installs the
package, which the notebook holds as a wheel, and the last describes what the run leaves. So nothing
need be published, and Kaggle's copy of the notebook tells which push it came from.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from titanic_nn.errors import ConfigError, DataError
from titanic_nn.files import read_bytes
from titanic_nn.kaggle.wheel import Wheel

NOTEBOOK, METADATA = "notebook.ipynb", "kernel-metadata.json"
# The only GPU of Kaggle's that today's torch can compute on: the default P100 fails at once.
GPU = "NvidiaTeslaT4"
LARGEST_NOTEBOOK = 1_000_000  # bytes; Kaggle takes notebooks of 1 MB
LONGEST_LINE = 10_000  # characters of the wheel in a line
NAME = re.compile("[a-z0-9](?:[a-z0-9-]{3,48})[a-z0-9]")
DATASET = re.compile(r"[\w-]{1,50}/[\w-]{3,60}")
PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}

INSTALL = '''\
# The package titanic_nn, as it was where this notebook was pushed from.
import importlib
import os
import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path

wheel = Path(tempfile.mkdtemp()) / "{name}"
wheel.write_bytes(b64decode("""
{wheel}
"""))
command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
datasets = Path(os.environ.get("TITANIC_NN_KAGGLE_INPUT", "/kaggle/input"))
if {datasets}:
    for folder in sorted({{str(path.parent) for path in datasets.rglob("*.whl")}}):
        command += ["--find-links", folder]
# What the machine lacks comes from the datasets, or else from the internet.
for words in (["--no-index"], ["--retries", "1"]):
    done = subprocess.run([*command, *words, str(wheel)], capture_output=True, text=True)
    if done.returncode == 0:
        break
else:
    why = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    raise RuntimeError(
        f"titanic_nn cannot be installed: {{(why or ['pip failed'])[-1]}}; push it with the "
        "internet, or with a --dataset of what it requires"
    )
importlib.invalidate_caches()'''

LEAVE = """\
# [titanic_nn {key}]: what this version leaves, described so that it can be checked.
from titanic_nn.kaggle.kernel_output import leave

leave("{key}")"""

TRAINING: tuple[tuple[str, str], ...] = (
    (
        "markdown",
        """\
# {title}

`titanic-nn kernel push` pushed this notebook. It trains the nets on the competition's own tables,
compares them with the baselines on the same folds, and leaves a submission and the whole run.""",
    ),
    (
        "code",
        """\
%matplotlib inline
from pathlib import Path

import pandas as pd

from titanic_nn import plots
from titanic_nn.cli.train import main as train
from titanic_nn.competitions.registry import get_competition, load_config
from titanic_nn.engine.device import choose_device

settings, run = Path("settings.toml"), Path("runs/{run}")
settings.write_text({settings}, encoding="utf-8")
competition = get_competition(load_config(settings).competition)
print(competition.load(bundled=False).describe())
print("Device:", choose_device("auto"))""",
    ),
    ("code", 'train(["--config", str(settings), "--out", str(run), *{words}])'),
    (
        "code",
        """\
metrics, oof, history = (pd.read_csv(run / f"{{n}}.csv") for n in ("metrics", "oof", "history"))
plots.fold_scores(metrics)""",
    ),
    ("code", "plots.roc(oof)"),
    ("code", "plots.learning_curves(history)"),
    (
        "code",
        """\
# What `kernel submit`, and the button on this notebook's page, send.
from titanic_nn.runs.submissions import find_submission

chosen = find_submission(str(run), None)
Path("submission.csv").write_bytes(chosen.content)
print(f"submission.csv: {{chosen.path.name}}, SHA-256 {{chosen.sha256[:12]}}")""",
    ),
)


@dataclass(frozen=True)
class Kernel:
    """What is pushed: a notebook and its metadata, both still without a key."""

    name: str  # <owner>/<slug>
    metadata: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    wheel: Wheel

    @property
    def machine(self) -> str:
        """What it runs on: "cpu", or Kaggle's name of a machine with a GPU."""
        return str(self.metadata.get("machine_shape", "cpu"))

    @property
    def sha256(self) -> str:
        """Of all that is pushed but the key, 64 hex digits."""
        content = [self.metadata, self.cells, self.wheel.sha256]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def files(self, key: str) -> dict[str, str]:
        """The files of its folder. Raises ConfigError where Kaggle would not take the notebook."""
        cells = [dict(cell) for cell in self.cells]
        encoded = b64encode(self.wheel.content).decode()
        lines = [encoded[i : i + LONGEST_LINE] for i in range(0, len(encoded), LONGEST_LINE)]
        datasets = bool(self.metadata["dataset_sources"])
        install = INSTALL.format(name=self.wheel.name, wheel="\n".join(lines), datasets=datasets)
        first = next((i for i, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
        hidden = {"_kg_hide-input": True, "jupyter": {"source_hidden": True}}
        cells.insert(first, _cell("code", install, "titanic-nn-install", hidden))
        cells.append(_cell("code", LEAVE.format(key=key), "titanic-nn-leave"))
        notebook = {
            "cells": cells,
            "metadata": {"kernelspec": PYTHON, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        text = json.dumps(notebook, indent=1)
        if len(text) > LARGEST_NOTEBOOK:
            raise ConfigError(
                f"the kernel's notebook has {len(text)} bytes, more than the {LARGEST_NOTEBOOK} "
                "that Kaggle takes"
            )
        return {NOTEBOOK: text, METADATA: f"{json.dumps(self.metadata, indent=2)}\n"}


def kernel_metadata(
    owner: str,
    name: str,
    competition: str,
    *,
    gpu: bool,
    internet: bool,
    private: bool,
    datasets: Sequence[str],
) -> dict[str, Any]:
    """A kernel's metadata. Raises ConfigError where Kaggle would not take a name."""
    if not NAME.fullmatch(name) or "--" in name:
        raise ConfigError(
            f"--name {name}: expected 5 to 50 small letters, digits and single hyphens between them"
        )
    for dataset in datasets:
        if not DATASET.fullmatch(dataset):
            raise ConfigError(f"--dataset {dataset}: expected OWNER/NAME, as in its address")
    metadata = {
        "id": f"{owner}/{name}",
        # Kaggle makes the name in the address from the title: they must agree.
        "title": name.replace("-", " ").capitalize(),
        "code_file": NOTEBOOK,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": private,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": internet,  # set: documentation and code disagree on its default
        "dataset_sources": list(datasets),
        "competition_sources": [competition],
        "kernel_sources": [],
        "model_sources": [],
        "docker_image_pinning_type": "original",  # a version is rerun in what it ran in
    }
    return {**metadata, "machine_shape": GPU} if gpu else metadata


def training_cells(
    title: str, run: str, settings: str, words: Sequence[str]
) -> list[dict[str, Any]]:
    """The cells of the notebook that trains.

    `settings` are a run's, as TOML; `words` are further options of `train`.
    """
    filled = {"title": title, "run": run, "settings": repr(settings), "words": list(words)}
    return [
        _cell(kind, source.format(**filled), f"titanic-nn-{i}")
        for i, (kind, source) in enumerate(TRAINING)
    ]


def read_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook of the user's own, without outputs. Raises DataError."""
    try:
        notebook = json.loads(read_bytes(path, 64 * LARGEST_NOTEBOOK).decode())
        if notebook["nbformat"] != 4:
            raise ValueError("its nbformat is not 4")
        cells = []
        for number, cell in enumerate(deepcopy(notebook["cells"])):
            kind, source = str(cell["cell_type"]), cell["source"]
            text = source if isinstance(source, str) else "".join(source)
            cells.append(_cell(kind, text, f"cell-{number}", cell.get("metadata")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise DataError(f"{path}: cannot be read as a notebook ({reason})") from None
    if not any(cell["cell_type"] == "code" for cell in cells):
        raise DataError(f"{path}: has no cell with code")
    return cells


def _cell(
    kind: str, source: str, id: str, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": id, "metadata": dict(metadata or {}), "source": source}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell
