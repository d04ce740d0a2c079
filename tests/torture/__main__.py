"""Attack the package, and print a table of tries and failures: `make torture`.

Each part is a module with a function `attacks`, which returns all its attacks in a fixed order. A
shorter run takes some of them, evenly spread.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from torture.attack import Attack

PARTS = {  # module -> what it tries
    "kill_train": "train, killed while it writes; then report, submit, or train again",
    "kill_tune": "tune, killed; then tune again, to the whole number of trials",
    "kill_submit": "submit, killed; then submit again, exactly once at the server",
    "places": "places that cannot be written to, full disks, files in the way",
    "models": "saved models whose files were forged or damaged",
    "settings": "settings that are absurd, or at which a net diverges; tables as absurd",
    "strings": "hostile text in every field of a table, a path, an option",
    "streams": "closed or full streams, small terminals, poor locales, FIFOs as files",
}


def attacks(part: str, tries: int | None = None) -> Sequence[Attack]:
    """A part's attacks: all, or as many as `tries`, evenly spread."""
    every: Sequence[Attack] = import_module(f"torture.{part}").attacks()
    if tries is None or tries >= len(every):
        return every
    return [every[i * len(every) // tries] for i in range(tries)]


def failure(attack: Attack) -> str:
    """Make the attack in a folder of its own; what went wrong, "" if nothing did."""
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
        try:
            return attack.attempt(Path(folder))
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def main() -> None:
    """Make the attacks and print the table; exit code 1 if one succeeded."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--tries", type=int, help="attacks of each part; all by default")
    parser.add_argument("--minutes", type=float, default=10, help="no attack starts later (10)")
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes

    def timely(attack: Attack) -> str | None:
        return failure(attack) if time.monotonic() < end else None

    print(f"{'part':<10} {'tries':>5} {'failures':>8} {'seconds':>8}  what is tried")
    failures, left_out = [], 0
    for part in args.parts:
        start, chosen = time.monotonic(), attacks(part, args.tries)
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(timely, chosen))
        tries = sum(result is not None for result in results)
        left_out += len(chosen) - tries
        bad = [f"{part}: {a.name}: {r}" for a, r in zip(chosen, results, strict=True) if r]
        failures += bad
        seconds = time.monotonic() - start
        print(f"{part:<10} {tries:>5} {len(bad):>8} {seconds:>8.0f}  {PARTS[part]}", flush=True)
    for line in failures:
        print(line)
    if left_out:
        print(f"{left_out} attacks were left out: the {args.minutes:g} minutes were over")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
