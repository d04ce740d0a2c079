"""Who is hard? The passengers whom every model gets wrong, and who travelled with them."""

import numpy as np
import pandas as pd

from titanic_nn.errors import DataError

# What oof.csv has beside a column per model.
KEYS = ("PassengerId", "Survived", "repeat", "fold")


def models_of(oof: pd.DataFrame) -> list[str]:
    """The models that an oof.csv has a column of."""
    return [str(column) for column in oof.columns if column not in KEYS]


def hard_passengers(oof: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Those whom all models get wrong, judged by each one's mean out-of-fold probability.

    Args:
        oof: a run's oof.csv: a row per passenger and repeat.
        train: the labelled passengers, in Kaggle's columns.

    Returns:
        PassengerId, Survived, a column of mean probabilities per model, and the other columns of
        `train`; the passenger of whom the models were surest comes first.

    Raises:
        DataError: the two tables do not hold the same passengers and labels.
    """
    models = models_of(oof)
    said = oof.groupby("PassengerId")[["Survived", *models]].mean()
    labels = train.set_index("PassengerId")["Survived"]
    if not said["Survived"].sort_index().equals(labels.astype(float).sort_index()):
        raise DataError("oof.csv: its passengers or labels are not those of train.csv; train again")
    survived = said["Survived"].to_numpy() == 1  # (passengers,)
    predicted = said[models].to_numpy() >= 0.5  # (passengers, models)
    wrong = (predicted != survived[:, None]).all(axis=1)
    surprise = (said["Survived"] - said[models].mean(axis=1)).abs()
    order = surprise[wrong].sort_values(ascending=False, kind="stable").index

    hard: pd.DataFrame = train.set_index("PassengerId").loc[order]
    for place, model in enumerate(models, start=1):  # right behind Survived
        hard.insert(place, model, said.loc[order, model])
    return hard.reset_index()


def companions(passenger_ids: "pd.Series[int]", everyone: pd.DataFrame) -> pd.DataFrame:
    """Who travelled with each of these passengers: on the same ticket, or of the same family.

    A family shares its surname and, brothers, wives and parents all counted, its size.

    Args:
        passenger_ids: of those who are asked about.
        everyone: all passengers in Kaggle's columns; Survived is missing where it isn't known.

    Returns:
        A row per passenger asked about and companion: `of`, the id of the one who is asked about,
        and the companion's columns.
    """
    family = everyone["SibSp"] + everyone["Parch"]  # without the passenger
    surname = everyone["Name"].str.split(",").str[0].str.strip()
    parts = []
    for passenger_id in passenger_ids:
        (me,) = np.flatnonzero(everyone["PassengerId"] == passenger_id)
        kin = (surname == surname.iloc[me]) & (family == family.iloc[me]) & (family > 0)
        together = kin | (everyone["Ticket"] == everyone["Ticket"].iloc[me])
        together.iloc[me] = False
        parts.append(everyone[together].assign(of=passenger_id))
    return pd.concat(parts) if parts else everyone.head(0).assign(of=0)
