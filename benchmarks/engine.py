"""How fast are many nets trained, and against what? `make bench`, or `python -m benchmarks.engine`.

A hundred `relu` nets: 297 nets/s, 46 times a plain PyTorch loop (44 to 47) and 27 times
MLPClassifier (25 to 28); of 10,000 nets 368 nets/s. `linear`: 314 nets/s, 27 times the loop (26 to
28); of 10,000 nets 2,380. `deep`: 170 nets/s, 34 times the loop (32 to 37); of 1,000 nets 183. 2
cores of an Intel Xeon with AVX-512, n = 5 repetitions (n = 1 for 10,000 nets, 3 for 1,000). On an
AMD EPYC `relu` had 63 times the speed of the loop and 31 times MLPClassifier's, at 201 nets/s.

All ways run in one process, alternating, on the same arrays and schedule: 10-fold cross-validation
of one net, repeated ten times, on Titanic's table with our features (batch 128, 60 epochs, Adam).
More than a hundred nets are more seeds on each of these splits. The machine's roofline and the peak
memory are measured, too.

On a GPU: `python -m benchmarks.engine --device cuda --nets 10000 --repetitions 3`
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.roofline import measure_rates, work_of_a_net
from benchmarks.ways import HIDDEN, WAYS, Job
from titanic_nn.competitions.registry import get_competition
from titanic_nn.config import FeatureConfig
from titanic_nn.engine.device import choose_device
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.splits import Split, repeated_stratified_splits

RESULTS = Path(__file__).parent / "results"
FOLDS, REPEATS = 10, 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--models", nargs="+", choices=list(HIDDEN), default=["relu", "linear", "deep"])
    add("--nets", type=int, default=100, help="that our engine trains: a multiple of 10, or of 100")
    add("--repetitions", type=int, default=5, help="how often the ways alternate")
    add("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    add("--device", default="auto", help="auto, cpu or cuda")
    args = parser.parse_args()

    device = choose_device(args.device)
    rates = measure_rates(device)
    results: dict[str, Any] = {
        "machine": machine(device) | {"rates": asdict(rates)},
        "nets": args.nets,
        "models": {},
        "rooflines": {},
    }
    for model in args.models:
        job = make_job(model, args.nets, device)
        found = results["models"][model] = measure(job, args.ways, args.repetitions)
        print(f"\n{model}: {args.nets} nets, {len(job.widths) - 2} hidden layers, on {device}")
        print(table(found).to_string(index=False))
        rows = float(np.mean([len(split.train) for split in job.splits]))
        roofline = rates.nets_per_second(work_of_a_net(job.widths, rows, job.epochs))
        results["rooflines"][model] = roofline
        fraction = float(np.median(found["ours"]["nets_per_second"])) / roofline
        print(f"The machine's roofline: {roofline:.0f} nets/s; ours reaches {fraction:.1%} of it.")
    results["peak GB"] = peak_memory(device)
    print("\nPeak memory, all ways together:", results["peak GB"])
    path = write_results(f"engine-{device.type}-{args.nets}", results)
    plot(results, path.with_suffix(".png"))
    print(f"\nWritten: {path} and .png")


def write_results(name: str, results: dict[str, Any]) -> Path:
    """Write what a benchmark found as JSON among the results; returns the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path


def cpu_seconds_of_children() -> float:
    """Of all processes that this one has started, and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_job(model: str, nets: int, device: torch.device) -> Job:
    """Cross-validation of as many nets, ten folds a repeat."""
    x, y, splits = _encoded_splits(min(nets, FOLDS * REPEATS))
    # Without hidden layers the loss is convex, and ten times the rate still converges.
    rate = 1e-2 if model == "linear" else 1e-3
    return Job(model, x, y, splits, device, nets // len(splits), learning_rate=rate)


@cache
def _encoded_splits(
    count: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64], Sequence[Split]]:
    """Each split's matrix of the bundled table, (splits, rows, features), labels and splits."""
    competition = get_competition("titanic")
    tables = competition.load()
    splits = repeated_stratified_splits(tables.y, FOLDS, REPEATS, seed=0)[:count]
    columns = competition.features.columns(tables.train)
    encoders = SplitEncoders(columns, tables.y, splits, competition.features, FeatureConfig())
    return encoders.encode(range(len(splits))), tables.y, splits


def measure(job: Job, ways: list[str], repetitions: int) -> dict[str, dict[str, Any]]:
    """Nets per second of each way, repetition by repetition, and the log loss of its nets.

    Before that every way, a slow one too, trains a net on each split: it warms up, and its mean log
    loss is known on as many nets as the others'.
    """
    found: dict[str, dict[str, Any]] = {way: {"nets_per_second": []} for way in ways}
    for way in ways:
        losses = WAYS[way][0](job.first(FOLDS * REPEATS))
        if len(losses):
            found[way]["log_loss"] = float(losses.mean())
    for _ in range(repetitions):
        for way in ways:
            train, enough = WAYS[way]
            part = job if enough is None else job.first(enough)
            start = time.perf_counter()
            train(part)
            found[way]["nets_per_second"].append(part.nets / (time.perf_counter() - start))
    for way in ways:
        ratios = np.divide(found["ours"]["nets_per_second"], found[way]["nets_per_second"])
        found[way]["ours_over_this"] = ratios.tolist()
    return found


def table(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """A row per way: its median speed, our ratio to it with its range, its held-out log loss."""
    rows = []
    for way, result in found.items():
        ratios = result["ours_over_this"]
        rows.append(
            {
                "way": way,
                "nets/s": f"{np.median(result['nets_per_second']):.1f}",
                "ours / this": f"{np.median(ratios):.2f}",
                "range": f"{min(ratios):.2f} to {max(ratios):.2f}",
                "log loss": f"{result['log_loss']:.4f}" if "log_loss" in result else "",
            }
        )
    return pd.DataFrame(rows)


def peak_memory(device: torch.device) -> dict[str, float]:
    """Peak memory of this process and of the GPU, in GB."""
    peaks = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
    if device.type == "cuda":
        peaks["gpu"] = torch.cuda.max_memory_allocated() / 2**30
    return {where: round(peak, 2) for where, peak in peaks.items()}


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device.type == "cuda" else None,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
        "commit": commit.stdout.strip() or None,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def plot(results: dict[str, Any], path: Path) -> None:
    """Nets per second of each way, one panel a model."""
    from matplotlib.figure import Figure

    models = results["models"]
    figure = Figure(figsize=(9, 0.6 + 1.7 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (model, found) in zip(panels, models.items(), strict=True):
        ways = list(reversed(found))
        speeds = [float(np.median(found[way]["nets_per_second"])) for way in ways]
        colours = ["#0072B2" if way == "ours" else "#999999" for way in ways]
        bars = panel.barh(ways, speeds, color=colours)
        panel.bar_label(bars, labels=[f" {speed:,.0f}" for speed in speeds])
        panel.set_title(f"{model}: {results['nets']} nets, batch 128, 60 epochs, Adam", loc="left")
        panel.set_xscale("log")
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.15)
    hardware = results["machine"]
    panels[-1].set_xlabel(f"nets trained per second, log scale ({_hardware(hardware)})")
    figure.savefig(path, dpi=150)


def _hardware(hardware: dict[str, Any]) -> str:
    return hardware["gpu"] or f"{hardware['cpu']}, {hardware['cores']} cores"


if __name__ == "__main__":
    main()
