"""How does `train` grow with the rows? `python -m benchmarks.rows`.

The command as a user types it, on synthetic tables of growing length: wall-clock seconds, CPU
seconds (which other programs on the machine disturb less), and peak memory.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.engine import machine, write_results
from benchmarks.synthetic import write_tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    args = parser.parse_args()
    found = [measure(rows) for rows in args.rows]
    table = pd.DataFrame(found)
    print(table.drop(columns="stages").to_string(index=False))
    print(pd.DataFrame({f["rows"]: f["stages"] for f in found}).round(1).to_string())
    result = {"machine": machine(torch.device("cpu")), "sizes": found}
    write_results("rows", result)


def measure(rows: int) -> dict[str, Any]:
    """One run of 2 folds with one seed, every model, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # In a separate process: a child's peak memory includes what its parent held at its start.
        writer = multiprocessing.get_context("spawn").Process(
            target=write_tables, args=(Path(folder), rows)
        )
        writer.start()
        writer.join()
        start, cpu_before = time.perf_counter(), _cpu_seconds_of_children()
        command = (
            "-m titanic_nn.train --data . --json --folds 2 --repeats 1 --n-seeds 1 --inner-folds 0"
        )
        done = subprocess.run(
            [sys.executable, *command.split()], cwd=folder, capture_output=True, check=True
        )
        seconds = time.perf_counter() - start
        cpu_seconds = _cpu_seconds_of_children() - cpu_before
    # The largest child so far: sizes grow, so it is this one.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    stages = json.loads(done.stdout)["seconds"]
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "CPU seconds": round(cpu_seconds, 1),
        "peak GB": round(peak, 2),
        "stages": stages,
    }


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
