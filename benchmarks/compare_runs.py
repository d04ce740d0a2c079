"""Whether two runs found the same numbers: `python -m benchmarks.compare_runs OLD NEW`.

Compares metrics.csv, oof.csv and test_predictions.csv of two run folders, and exits with 1 if a
number differs by more than 1e-6. Columns are compared by position, since a version may rename them.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

TABLES = ("metrics.csv", "oof.csv", "test_predictions.csv")
TOLERANCE = 1e-6


def largest_difference(old: pd.DataFrame, new: pd.DataFrame) -> float:
    """The largest difference of two tables' numbers; infinite where anything else differs."""
    if old.shape != new.shape:
        return np.inf
    largest = 0.0
    for i in range(old.shape[1]):
        a, b = old.iloc[:, i], new.iloc[:, i]
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            difference = float(np.abs(a.to_numpy(float) - b.to_numpy(float)).max())
        else:
            difference = 0.0 if a.tolist() == b.tolist() else np.inf
        largest = max(largest, difference)
    return largest


def main() -> None:
    """Compare the two folders that the command line names."""
    old, new = map(Path, sys.argv[1:])
    differs = False
    for name in TABLES:
        difference = largest_difference(pd.read_csv(old / name), pd.read_csv(new / name))
        differs |= not difference <= TOLERANCE
        print(f"{name:<22} largest difference {difference:.1e}")
    sys.exit(differs)


if __name__ == "__main__":
    main()
