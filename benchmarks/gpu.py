"""What does a GPU give? `make bench-gpu`, or `python3 -m benchmarks.gpu` where torch is installed.

Not measured yet: no GPU has run it. It ends within eight minutes: what no time is left for is
listed as such. Nets per second of the engine (each backend) and of other ways on the same GPU; the
share of the card's float32 rate that the products reach; a default run; a study.

Besides torch and triton it needs numpy, pandas, scipy, scikit-learn, matplotlib, pydantic, rich,
filelock, tomli-w, safetensors, jinja2, threadpoolctl, and optuna with SQLAlchemy for the study.
On a machine without a network bring what is missing as wheels:

    pip download --no-deps --dest wheels pydantic pydantic-core ...       # where there is a network
    python3 -m pip install --no-index --no-deps --target site wheels/*    # there
    PYTHONPATH=site python3 -m benchmarks.gpu
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.engine import machine, make_job, write_results
from benchmarks.roofline import measure_rates, work_of_a_net
from benchmarks.ways import Job, compiled, jax_vmapped, ours, plain_loop, products_alone, vmapped
from titanic_nn.engine.device import choose_device

# The way, the model, how many nets; the most important first.
Measurement = tuple[str, Callable[[Job], Any], str, int]
LONGEST = 480.0  # seconds, of everything
NAME = "gpu"  # of the file of results


def measurements(nets: int) -> list[Measurement]:
    """What is timed, of about as many nets a call."""
    triton, eager = partial(ours, backend="triton"), partial(ours, backend="eager")
    return [
        ("ours, Triton kernel", triton, "relu", nets),
        ("ours, CUDA graph", eager, "relu", nets),
        ("plain PyTorch loop", plain_loop, "relu", 10),
        ("ours, Triton kernel", triton, "linear", nets),
        ("ours, CUDA graph", eager, "linear", nets),
        ("ours, CUDA graph", eager, "deep", nets),
        ("ours, CUDA graph", eager, "resnet", nets // 10),
        ("vmap over stacked modules", vmapped, "relu", 100),
        ("torch.compile of a stacked step", compiled, "relu", 100),
        ("JAX, vmap and jit", jax_vmapped, "relu", 100),
        ("matrix products alone", products_alone, "relu", 100),
        ("ours, Triton kernel", triton, "relu", nets // 10),
        ("ours, CUDA graph", eager, "relu", nets // 10),
        ("ours, Triton kernel", triton, "relu", nets * 10),
    ]


COMMANDS = {
    "a default run": ["train", "--device", "cuda"],
    "a study of 1,000 trials": ["tune", "--model", "relu", "--trials", "1000", "--device", "cuda"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda; cpu tries the program itself")
    parser.add_argument("--nets", type=int, default=10_000, help="of a call: a multiple of 1,000")
    args = parser.parse_args()
    end, device = time.monotonic() + LONGEST, choose_device(args.device)
    rates = measure_rates(device)
    rows: list[dict[str, Any]] = []
    results = {"machine": machine(device) | {"rates": asdict(rates)}, "rows": rows}
    for way, train, model, nets in measurements(args.nets):
        row: dict[str, Any] = {"way": way, "model": model, "nets": nets}
        try:
            job = make_job(model, nets, device)
            row |= timed(train, job, end)
            if "nets/s" in row and model != "resnet":
                work = work_of_a_net(job.widths, len(job.splits[0].train), job.epochs)
                row["of the float32 rate"] = row["nets/s"] * work.operations / rates.operations
        except Exception as error:  # the others are worth having without it
            row["note"] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
        _note(rows, row, results)
    for name, arguments in COMMANDS.items():
        _note(rows, {"way": name} | command(arguments, args.device, end), results)
    print(pd.DataFrame(rows).to_string(index=False, na_rep="", float_format="{:,.3g}".format))
    print(f"Written: benchmarks/results/{NAME}.json")


def timed(train: Callable[[Job], Any], job: Job, end: float) -> dict[str, Any]:
    """Nets per second of the second call; the first compiles, and its log loss is the way's."""
    if time.monotonic() > end:
        return {"note": "no time was left"}
    small = job.first(10)
    start = time.perf_counter()
    losses = train(small)
    found: dict[str, Any] = {"first call, s": time.perf_counter() - start}
    if len(losses):
        found["log loss"] = float(np.mean(losses))
    if time.monotonic() > end:
        return found | {"note": "no time was left"}
    start = time.perf_counter()
    train(job)
    return found | {"nets/s": job.nets / (time.perf_counter() - start)}


def command(arguments: list[str], device: str, end: float) -> dict[str, Any]:
    """Seconds of a command from its start to its end."""
    left = end - time.monotonic()
    if left <= 0:
        return {"note": "no time was left"}
    arguments = [device if argument == "cuda" else argument for argument in arguments]
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "titanic_nn", *arguments],
                cwd=folder, env={**os.environ, "PYTHONPATH": path},
                capture_output=True, text=True, timeout=left, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"note": "no time was left"}
        seconds = time.perf_counter() - start
    if done.returncode:
        return {"note": (done.stderr.strip().splitlines() or ["failed"])[-1][:80]}
    return {"seconds": seconds}


def _note(rows: list[dict[str, Any]], row: dict[str, Any], results: dict[str, Any]) -> None:
    """Print a row, and write all so far: the machine may be gone at any time."""
    rows.append(row)
    print({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()}, flush=True)
    write_results(NAME, results)


if __name__ == "__main__":
    main()
