"""What does `train` take besides training? `python -m benchmarks.start`.

Seconds until `--help` has answered, seconds of imports, and what is left of a default run on the
bundled table when imports and training are taken off. Training is what fits something to labels
and predicts by it: nets, baselines, calibrations, the ensemble.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

# With what they import, all that a run loads.
LOADED = (
    "titanic_nn.evaluation.compare_models",
    "titanic_nn.kaggle.submission",
    "titanic_nn.kaggle.offline",
    "titanic_nn.report",
    "titanic_nn.runs.folder",
    "titanic_nn.estimators.persistence",
)
# Stages of a run that are no training.
OTHER_STAGES = ("read", "encode", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    args = parser.parse_args()
    # In a process of its own: this one, and the modules it loads later, have no part in it.
    pool = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)
    with pool:
        found = [_help() | pool.apply(_run) for _ in range(args.repetitions + 1)]

    import pandas as pd
    import torch

    from benchmarks.engine import machine, write_results

    found = found[1:]  # the first filled the caches of compiled files
    table = pd.DataFrame(found)
    print(table.round(2).to_string(index=False))
    print(f"Median of what is neither imports nor training: {table['rest'].median():.1f} s")
    result = {"machine": machine(torch.device("cpu")), "runs": found}
    write_results("start", result)


def _help() -> dict[str, float]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "titanic_nn.train", "--help"]
    subprocess.run(command, capture_output=True, check=True)
    return {"help": time.perf_counter() - start}


def _run() -> dict[str, float]:
    """A default run in this process, which has done nothing else."""
    start = time.perf_counter()
    for name in LOADED:
        import_module(name)
    imported = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        import_module("titanic_nn.train").main(["--quiet", "--out", "runs/timed"])
        done = time.perf_counter()
        summary = json.loads(Path("runs/timed/summary.json").read_text(encoding="utf-8"))
        os.chdir("/")
    training = sum(s for stage, s in summary["seconds"].items() if stage not in OTHER_STAGES)
    return {
        "imports": imported - start,
        "training": training,
        "rest": done - imported - training,
        "total": done - start,
    }


if __name__ == "__main__":
    main()
