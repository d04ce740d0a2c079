"""Spaceship Titanic's tables: made ones in its format; the competition's if they are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from titanic_nn.competitions.spaceship.columns import BILLS

REPO = Path(__file__).parents[1]
SHARED = REPO.parent / "shared/spaceship"  # the competition's own rows, which may not be there
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is not there")

COLUMNS = ["PassengerId", "HomePlanet", "CryoSleep", "Cabin", "Destination", "Age", "VIP"]


def passengers(groups: int, first: int = 1, seed: int = 0) -> pd.DataFrame:
    """Labelled passengers of so many groups; the label depends on sleep, bills and side."""
    rng = np.random.default_rng([seed, first])
    rows = []
    for group in range(first, first + groups):
        planet = rng.choice(["Earth", "Europa", "Mars"])
        cabin = f"{rng.choice(list('EFG'))}/{group}/{rng.choice(['P', 'S'])}"
        for number in range(1, 1 + rng.choice([1, 1, 1, 2, 3])):
            asleep = rng.random() < 0.35
            bills = np.where(rng.random(5) < 0.5, 0, rng.gamma(1, 500, 5)).round()
            bills = bills * (not asleep)
            logit = 2.5 * asleep - 0.4 * np.log1p(bills[3:].sum()) + 0.8 * cabin.endswith("S")
            row = [f"{group:04}_{number:02}", planet, str(asleep), cabin, "TRAPPIST-1e"]
            row += [rng.integers(13, 70), "False", *bills, f"A{number} B{group}"]
            rows.append([*row, str(bool(rng.random() < 1 / (1 + np.exp(-logit))))])
    table = pd.DataFrame(rows, columns=[*COLUMNS, *BILLS, "Name", "Transported"])
    for name in table.columns[1:-1]:
        table[name] = table[name].astype(object).mask(rng.random(len(table)) < 0.03, "")
    return table


def write_spaceship(folder: Path, groups: int = 150) -> pd.DataFrame:
    """Write train.csv and test.csv; returns the test passengers with their labels."""
    folder.mkdir(parents=True)
    test = passengers(groups // 3, first=groups + 1)
    passengers(groups).to_csv(folder / "train.csv", index=False)
    test.drop(columns="Transported").to_csv(folder / "test.csv", index=False)
    return test
