"""Synthetic tables with the columns of Titanic's, of any length."""

from pathlib import Path

import numpy as np
import pandas as pd

SYLLABLES = [first + second for first in "bdfgjklmnprstvz" for second in "aeiou"]


def make_passengers(rows: int, seed: int) -> pd.DataFrame:
    """Random passengers: families on shared tickets, with missing values as in Kaggle's table.

    Survival depends on sex and on the ticket, so that a leak of labels shows. A party shares its
    ticket and its surname, as on the Titanic.
    """
    rng = np.random.default_rng(seed)
    party = rng.integers(0, rows // 2, size=rows)  # two to a ticket on average
    size = np.bincount(party)[party]
    male = rng.random(rows) < 0.6
    p_class = rng.integers(1, 4, size=rows // 2)[party]
    lucky_party = (rng.random(rows // 2) < 0.5)[party]
    age = rng.uniform(1, 70, size=rows).round()
    title = np.where(male, np.where(age < 14, "Master", "Mr"), rng.choice(["Miss", "Mrs"], rows))
    title[rng.random(rows) < 0.03] = "Dr"
    return pd.DataFrame(
        {
            "PassengerId": np.arange(1, rows + 1),
            "Survived": (rng.random(rows) < 0.2 + 0.3 * ~male + 0.4 * lucky_party).astype(int),
            "Pclass": p_class,
            "Name": [
                f"{surname(p)}, {t}. Given{i}"
                for i, (p, t) in enumerate(zip(party, title, strict=True))
            ],
            "Sex": np.where(male, "male", "female"),
            "Age": np.where(rng.random(rows) < 0.2, np.nan, age),
            "SibSp": np.minimum(size - 1, 1),
            "Parch": np.maximum(size - 2, 0),
            "Ticket": [f"T {p}" for p in party],
            "Fare": np.where(rng.random(rows) < 0.05, np.nan, (60 / p_class * size).round(2)),
            "Cabin": [
                f"{deck}{p}" if known else None
                for deck, p, known in zip(
                    rng.choice(list("AABBBCCCCDEFGT"), rows),
                    party,
                    rng.random(rows) < 0.4,
                    strict=True,
                )
            ],
            "Embarked": rng.choice(np.array(["S", "C", "Q", None]), rows, p=[0.6, 0.2, 0.15, 0.05]),
        }
    )


def surname(number: int) -> str:
    """Another name for each number: letters only, since digits do not count in a family's name."""
    syllables: list[str] = []
    while number or not syllables:
        number, digit = divmod(number, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables).capitalize()


def write_tables(folder: Path, rows: int, seed: int = 0) -> None:
    """Write train.csv with so many rows and, beside it, a test.csv with a tenth as many."""
    passengers = make_passengers(rows + rows // 10, seed)
    passengers[:rows].to_csv(folder / "train.csv", index=False)
    passengers[rows:].drop(columns="Survived").to_csv(folder / "test.csv", index=False)
