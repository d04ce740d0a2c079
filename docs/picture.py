"""Makes README's picture: predictions of 150 nets for passengers who differ in age, sex and class.

    python docs/picture.py

Each faint line is one `relu` net, trained on one fold's training rows from one start.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.plots.explanation import bundle
from titanic_nn.plots.style import BLUE, FAINT, RED, styled
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.sources import load_tables
from titanic_nn.tables.splits import repeated_stratified_splits

PICTURE = Path(__file__).with_suffix(".png")
SEXES = {"female": ("women", RED), "male": ("men", BLUE)}
CLASSES = {1: "first class", 2: "second class", 3: "third class"}
AGES = np.arange(0.0, 71.0)
CHILD = 14  # years; younger passengers are Master or Miss


def main() -> None:
    """Train the nets, and draw their predictions."""
    places = [place for place in TITANIC.search if place[0] == "bundled"]
    train = load_tables(TITANIC.schema, search=places, archive=TITANIC.archive).train
    rows = passengers(train)
    probability = predictions(train, rows)  # (nets, rows)
    draw(rows, probability).savefig(PICTURE, dpi=130)


def passengers(train: pd.DataFrame) -> pd.DataFrame:
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


def predictions(train: pd.DataFrame, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Each net's predicted probabilities of survival, (nets, rows)."""
    config, y = TITANIC.config(), train["Survived"].to_numpy()
    splits = repeated_stratified_splits(y, config.folds, config.repeats, config.seed)
    columns = TITANIC.features.columns(pd.concat([train, rows]))
    encoders = SplitEncoders(columns, y, splits, TITANIC.features, config.features)
    data = SplitData(encoders.encode(range(len(splits))), y, splits)
    members = Members([config.nets["relu"]], config.n_seeds)
    nets = train_nets(data, members, seed=config.seed, device=torch.device("cpu"))
    probability: NDArray[np.float64] = nets.probability.flatten(0, 1)[:, len(train) :].numpy()
    return probability


@styled
def draw(table: pd.DataFrame, probability: NDArray[np.float64]) -> Figure:
    """A panel per class, a bundle of lines per sex."""
    figure = Figure(figsize=(8.6, 3.3))
    panels = figure.subplots(1, len(CLASSES), sharey=True)
    for axes, (passenger_class, name) in zip(panels, CLASSES.items(), strict=True):
        for sex, (who, own_colour) in SEXES.items():
            rows = ((table["Pclass"] == passenger_class) & (table["Sex"] == sex)).to_numpy()
            lines = probability[:, rows]  # (nets, ages)
            bundle(axes, AGES, lines, own_colour)
            axes.plot(AGES, lines.mean(axis=0), color=own_colour, linewidth=2.2, label=who)
        axes.axhline(0.5, color=FAINT, linewidth=0.8)
        axes.set(title=name, xlabel="age (years)", xlim=(0, 70), ylim=(0, 1))
    panels[0].set_ylabel("predicted probability of survival")
    panels[-1].legend(loc="upper right")
    figure.suptitle(
        f"Predictions of {len(probability)} nets, each trained on other rows or from another seed",
        x=0.01,
        ha="left",
        weight="bold",
    )
    return figure


if __name__ == "__main__":
    main()
