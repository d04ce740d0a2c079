"""Makes README's picture: what 150 nets say of passengers who differ in age, sex and class only.

    python docs/picture.py

Each faint line is one `relu` net, trained on one fold's training rows from one start.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
from titanic_nn.tables.encode import encode_splits
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import repeated_stratified_splits
from titanic_nn.tables.sources import SEARCH, load_passengers
from titanic_nn.plots.style import BLUE, FAINT, RED, styled
from titanic_nn.config import Config

PICTURE = Path(__file__).with_suffix(".png")
SEXES = {"female": ("women", RED), "male": ("men", BLUE)}
CLASSES = {1: "first class", 2: "second class", 3: "third class"}
AGES = np.arange(0.0, 71.0)
CHILD = 14  # years; younger passengers are Master or Miss


def main() -> None:
    """Train the nets, and draw what they say."""
    train = load_passengers(search=[place for place in SEARCH if place[0] == "bundled"]).train
    asked = travellers(train)
    probability = ask(train, asked)  # (nets, rows)
    draw(asked, probability).savefig(PICTURE, dpi=130)


def travellers(train: pd.DataFrame) -> pd.DataFrame:
    """Passengers of every age, sex and class, alone on their ticket, who paid the usual fare."""
    fares = train.groupby("Pclass")["Fare"].median()
    rows = []
    for passenger_class in CLASSES:
        for sex in SEXES:
            for age in AGES:
                title = "Master" if age < CHILD else "Mr"
                if sex == "female":
                    title = "Miss" if age < CHILD else "Mrs"
                rows.append(
                    {
                        "Name": f"Nobody, {title}. N.",
                        "Sex": sex,
                        "Age": age,
                        "Pclass": passenger_class,
                        "SibSp": 0,
                        "Parch": 0,
                        "Fare": fares[passenger_class],
                        "Cabin": np.nan,
                        "Embarked": "S",
                    }
                )
    table = pd.DataFrame(rows)
    ids = 100_000 + np.arange(len(table))
    return table.assign(PassengerId=ids, Ticket=[f"picture {i}" for i in ids])


def ask(train: pd.DataFrame, asked: pd.DataFrame) -> NDArray[np.float64]:
    """Each net's probabilities of surviving, (nets, rows)."""
    y = train["Survived"].to_numpy()
    features = passenger_features(pd.concat([train, asked]))
    config = Config()
    splits = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
    encoded = encode_splits(features, y, splits, config.features)
    members = Members([config.relu], config.n_seeds)
    nets = train_nets(encoded.x, y, splits, members, seed=config.seed, device=torch.device("cpu"))
    said: NDArray[np.float64] = nets.probability.flatten(0, 1)[:, len(train) :].numpy()
    return said


@styled
def draw(asked: pd.DataFrame, probability: NDArray[np.float64]) -> Figure:
    """A panel per class, a bundle of lines per sex."""
    figure = Figure(figsize=(8.6, 3.3))
    panels = figure.subplots(1, len(CLASSES), sharey=True)
    for axes, (passenger_class, name) in zip(panels, CLASSES.items(), strict=True):
        for sex, (who, own_colour) in SEXES.items():
            rows = ((asked["Pclass"] == passenger_class) & (asked["Sex"] == sex)).to_numpy()
            lines = probability[:, rows]  # (nets, ages)
            axes.plot(AGES, lines.T, color=own_colour, alpha=0.06, linewidth=0.8)
            axes.plot(AGES, lines.mean(axis=0), color=own_colour, linewidth=2.2, label=who)
        axes.axhline(0.5, color=FAINT, linewidth=0.8)
        axes.set(title=name, xlabel="age (years)", xlim=(0, 70), ylim=(0, 1))
    panels[0].set_ylabel("probability of surviving")
    panels[-1].legend(loc="upper right")
    figure.suptitle(
        f"Who lived? {len(probability)} nets answer, each trained on other passengers",
        x=0.01,
        ha="left",
        weight="bold",
    )
    return figure


if __name__ == "__main__":
    main()
