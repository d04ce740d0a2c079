"""How does a command grow with the rows? `python -m benchmarks.rows`.

`train` takes 12 s for 100,000 rows and 119 s for 1,000,000 (0.79 and 2.34 GB); with `resnet` too
151 s for 100,000 (0.84 GB). A study of 20 trials on 1,000,000 rows takes 365 s and 6.6 GB. 2 cores
of an Intel Xeon with AVX-512, n = 1; further runs of `train` took 12 to 13 s, and 120 to 121 s. On
an AMD EPYC, before the last changes: 15 and 145 s, 146 s, 571 s.

The commands as a user types them, on synthetic tables of growing length, two folds with one seed:
`train` with its three nets, with four, and a study of 20 trials. Wall-clock seconds, CPU seconds
(which other programs on the machine disturb less), and peak memory.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.engine import cpu_seconds_of_children, machine, write_results
from benchmarks.synthetic import write_tables

FOLDS = "--data . --folds 2 --repeats 1 --n-seeds 1"
TRAIN = f"titanic_nn.train {FOLDS} --inner-folds 0 --json"
FOUR = f"{TRAIN} --models linear relu deep resnet"
STUDY = f"titanic_nn tune --model relu --trials 20 {FOLDS}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--rows", nargs="+", type=int, default=sizes, help="of train")
    parser.add_argument("--four", type=int, default=100_000, help="rows of train with four nets")
    parser.add_argument("--study", type=int, default=1_000_000, help="rows of the study")
    args = parser.parse_args()
    found = [measure(TRAIN, rows) for rows in args.rows]
    others = [measure(FOUR, args.four), measure(STUDY, args.study)]
    table = pd.DataFrame([*found, *others])
    print(table.drop(columns="stages").to_string(index=False))
    print(pd.DataFrame({f["rows"]: f["stages"] for f in found}).round(1).to_string())
    result = {"machine": machine(torch.device("cpu")), "sizes": found, "others": others}
    plot(found, write_results("rows", result).with_suffix(".png"))


def measure(words: str, rows: int) -> dict[str, Any]:
    """A command on a table of so many rows, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # In a separate process: a child's peak memory includes what its parent held at its start.
        writer = multiprocessing.get_context("spawn").Process(
            target=write_tables, args=(Path(folder), rows)
        )
        writer.start()
        writer.join()
        command = [sys.executable, "-c", PEAK, sys.executable, "-m", *words.split()]
        start, cpu_before = time.perf_counter(), cpu_seconds_of_children()
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
        seconds = time.perf_counter() - start
        cpu_seconds = cpu_seconds_of_children() - cpu_before
    output, peak = done.stdout.rsplit("\n", 1)
    return {
        "command": words,
        "rows": rows,
        "seconds": round(seconds, 1),
        "CPU seconds": round(cpu_seconds, 1),
        "peak GB": round(int(peak) / 2**20, 2),
        "stages": json.loads(output)["seconds"] if "--json" in words else {},
    }


# Runs a command, and prints the peak memory of its process, or of a worker of it, in KiB. On macOS
# it would be in bytes.
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, end="")
sys.exit(code)
"""


def plot(sizes: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory by rows, on logarithmic axes."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    rows = [size["rows"] for size in sizes]
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    for axes, name, title in zip(
        figure.subplots(1, 2), ("seconds", "peak GB"), ("Seconds", "Peak memory, GB"), strict=True
    ):
        values = [size[name] for size in sizes]
        axes.loglog(rows, values, marker="o", color="#0072b2")
        for row, value in zip(rows, values, strict=True):
            axes.annotate(
                f"{value:g}", (row, value), (-5, 5), textcoords="offset points", ha="right"
            )
        axes.set(title=title, xlabel="Rows of the training table")
        axes.margins(0.2, 0.2)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
