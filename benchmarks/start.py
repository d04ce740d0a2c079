"""How long does a user wait? `python -m benchmarks.start`.

A default `train` takes 9.7 s (9.6 to 9.9), of which its imports are 2.0; `report` 1.6 s (1.6 to
1.6), `predict` of 418 rows 1.3 s (1.3 to 1.4), `tune` with 200 trials 8.5 s (8.4 to 8.6). 2 cores
of an Intel Xeon with AVX-512, n = 3; an hour later `train` took 10.1 to 10.5 s. On an AMD
EPYC, before the last changes to `train`, the medians were 14.4, 2.3, 1.8 and 11.2 s.

Wall-clock and CPU seconds of whole commands on the bundled table, each from the shell: start,
imports, work, and what it prints. Each repetition is in a new folder; a first one, which fills the
caches of compiled files, is not counted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.engine import cpu_seconds_of_children, machine, write_results
from titanic_nn.competitions.registry import get_competition

# What a default run loads.
LOADED = (
    "titanic_nn.evaluation.compare_models",
    "titanic_nn.estimators.persistence",
    "titanic_nn.report.page",
    "titanic_nn.play.page",
    "titanic_nn.runs.submissions",
)
IMPORTS = f"""from titanic_nn.cli.process import run
def load():
    import {", ".join(LOADED)}
run(load)"""
TEST = str(get_competition("titanic").load().location / "test.csv")
# In this order: the later commands read what train has written.
COMMANDS = {
    "train --help": ["-m", "titanic_nn.train", "--help"],
    "the imports of train": ["-c", IMPORTS],
    "train": ["-m", "titanic_nn.train", "--out", "runs/timed"],
    "report": ["-m", "titanic_nn", "report", "timed"],
    "predict, 418 rows": ["-m", "titanic_nn", "predict", "timed", "--input", TEST],
    "tune, 200 trials": ["-m", "titanic_nn", "tune", "--model", "relu", "--trials", "200"],
}

# Python keeps compiled modules for a user's next command, unless this variable says otherwise.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    args = parser.parse_args()
    runs = [repetition() for _ in range(args.repetitions + 1)][1:]
    found = {
        command: {key: [run[command][key] for run in runs] for key in ("seconds", "CPU seconds")}
        for command in COMMANDS
    }
    table = pd.DataFrame(
        {
            command: {
                "median": pd.Series(times["seconds"]).median(),
                "least": min(times["seconds"]),
                "most": max(times["seconds"]),
                "CPU, median": pd.Series(times["CPU seconds"]).median(),
            }
            for command, times in found.items()
        }
    ).T
    print(table.round(1).to_string())
    stages = pd.DataFrame([run["train"]["stages"] for run in runs]).median()
    print("Stages of train; baselines are fitted beside the nets:")
    print(stages.round(1).to_string())
    result = {"machine": machine(torch.device("cpu")), "commands": found, "stages": dict(stages)}
    write_results("start", result)


def repetition() -> dict[str, dict[str, Any]]:
    """Each command once, in a new folder; the stages of `train` are those of its summary."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, words in COMMANDS.items():
            start, before = time.perf_counter(), cpu_seconds_of_children()
            subprocess.run(
                [sys.executable, *words],
                cwd=folder,
                env=ENVIRONMENT,
                capture_output=True,
                check=True,
            )
            found[name] = {
                "seconds": round(time.perf_counter() - start, 2),
                "CPU seconds": round(cpu_seconds_of_children() - before, 2),
            }
        summary = Path(folder) / "runs/timed/summary.json"
        found["train"]["stages"] = json.loads(summary.read_text(encoding="utf-8"))["seconds"]
    return found


if __name__ == "__main__":
    main()
