"""Titanic's features that a passenger's own row yields: title, family, deck, ...

Nothing here is fitted and no label is read, so nothing here can leak. The features that need other
passengers' rows are in the table too; companions.py makes them.
"""

import re
from functools import cache, partial
from itertools import product

import numpy as np
import pandas as pd

from titanic_nn.tables.features import Feature

_from_labels = partial(Feature, reads_labels=True, group="companions")

FEATURES: tuple[Feature, ...] = (
    Feature("title", "category", "Name from the comma to the full stop", "sex, age and standing"),
    Feature("sex", "category", "Sex", "women and children first: the strongest signal of all"),
    Feature("class", "category", "Pclass", "a category, because 1, 2, 3 need not be evenly spaced"),
    Feature("age", "number", "Age in years", "children were favoured", ("title", "class")),
    Feature("age_missing", "flag", "Age is missing", "tells a recorded age from a guessed one"),
    Feature("siblings_spouses", "number", "SibSp", "company of one's own generation"),
    Feature("parents_children", "number", "Parch", "company of the generation above or below"),
    Feature("family_size", "number", "SibSp + Parch + 1", "large families had to gather first"),
    Feature("alone", "flag", "family_size = 1", "nobody to help, nobody to wait for"),
    Feature("ticket_shared_by", "number", "holders of the ticket", "friends travelled together"),
    Feature("log_fare", "number", "log(1 + Fare)", "ratios of fares say more", ("class",)),
    Feature(
        "fare_per_head",
        "number",
        "log(1 + Fare / ticket_shared_by)",
        "Fare is the price of the whole ticket, not of one berth",
        ("class",),
    ),
    Feature("fare_missing", "flag", "Fare is missing", "tells a recorded fare from a guessed one"),
    Feature("embarked", "category", "Embarked", "Cherbourg, Queenstown, Southampton: who boarded"),
    Feature("embarked_missing", "flag", "Embarked is missing", "two ports were never recorded"),
    Feature("deck", "category", "the letter of Cabin", "A lay near the boats, G far below them"),
    Feature("cabin_known", "flag", "Cabin is not missing", "better recorded for those who lived"),
    _from_labels(
        "women_children_survival_surplus",
        "number",
        "mean survival surplus of the party's other women and children",
        "families lived or died together",
    ),
    _from_labels(
        "men_survival_surplus",
        "number",
        "the same among the party's other men",
        "where the men lived, the boat was near",
    ),
    Feature(
        "men_known",
        "number",
        "log(1 + number of those men in the training rows)",
        "how reliable the surplus is, and whether the party had other men at all",
        group="companions",
    ),
    _from_labels(
        "women_children_lost",
        "flag",
        "a woman or child, and all other women and children of the party died",
        "mothers did not leave without their children",
    ),
    _from_labels(
        "women_children_saved",
        "flag",
        "a woman or child, and all other women and children of the party lived",
        "they took the same boat",
    ),
    _from_labels(
        "men_lost",
        "flag",
        "the party has other men, and all of them died",
        "one man saved tells of a party that reached the boats together",
    ),
    _from_labels(
        "ticket_neighbours_survival_surplus",
        "number",
        "mean surplus among those of the class with a ticket number at most 8 off",
        "tickets with near numbers were sold together: one place, one day, one group",
    ),
)

# Text columns of `passenger_features` from which companions.py makes features.
KEYS = ("ticket", "peers", "same_ticket", "same_family")

DOUBLED = re.compile(r"(.)\1")  # a letter twice

# Peer groups: passengers who agree in what decided most, by sex, class and age.
PEERS = [", ".join(peers) for peers in product(("female", "male"), "123", ("adult", "child"))]

# A title too rare to learn from is merged with the common one for the same age, sex and standing.
# A title that is not listed is kept.
MERGED_TITLES = {
    **dict.fromkeys(("Mlle", "Ms"), "Miss"),
    **dict.fromkeys(("Mme", "Lady", "the Countess", "Dona"), "Mrs"),
    **dict.fromkeys(("Sir", "Don", "Jonkheer"), "Mr"),
    **dict.fromkeys(("Capt", "Col", "Major", "Dr", "Rev"), "Profession"),
}


def passenger_features(passengers: pd.DataFrame) -> pd.DataFrame:
    """The features that a row yields by itself, and what companions.py makes the others from.

    Those are the text columns KEYS, `ticket_number`, and `half`, which assigns each name to one of
    two random halves.

    Args:
        passengers: a checked table in Kaggle's columns; `Survived`, if present, is not read.

    Returns:
        One row per passenger in the same order, indexed by PassengerId. What is not known is NaN.
    """
    title = passengers["Name"].str.extract(r", *([^.]+)\.", expand=False)
    family_size = passengers["SibSp"] + passengers["Parch"] + 1
    # "B51 B53 B55" is a suite on deck B. In "F G73" the room is G73, and a lone F is a deck.
    deck = passengers["Cabin"].str.extract(r"([A-Z])(?:[0-9]|$)", expand=False)
    child = (title == "Master") | (passengers["Age"] < 15)  # with a known age or not
    pclass = passengers["Pclass"].astype(str)
    ticket_number = passengers["Ticket"].str.extract(r"(\d+)$", expand=False)
    without_doubled_letters = cache(_without_doubled_letters)

    def family_name(name: str) -> str | None:
        before, comma, _ = name.partition(",")
        return without_doubled_letters(before) if comma else None

    return pd.DataFrame(
        {
            "title": title.map(lambda found: MERGED_TITLES.get(found, found)),
            "sex": passengers["Sex"],
            "class": pclass,
            "age": passengers["Age"],
            "age_missing": passengers["Age"].isna(),
            "siblings_spouses": passengers["SibSp"],
            "parents_children": passengers["Parch"],
            "family_size": family_size,
            "alone": family_size == 1,
            "log_fare": np.log1p(passengers["Fare"]),
            "fare_missing": passengers["Fare"].isna(),
            "ticket": passengers["Ticket"],
            "embarked": passengers["Embarked"],
            "embarked_missing": passengers["Embarked"].isna(),
            "deck": deck,
            "cabin_known": passengers["Cabin"].notna(),
            "peers": passengers["Sex"] + ", " + pclass + ", " + np.where(child, "child", "adult"),
            "half": (pd.util.hash_array(passengers["Name"].to_numpy(object)) % 2).astype(np.int64),
            "ticket_number": ticket_number.astype(float),
            "same_ticket": ticket_number + ", " + pclass,
            "same_family": passengers["Name"].map(family_name)
            + (", " + pclass + ", " + passengers["Embarked"] + ", ")
            + passengers["Fare"].map(cache("{:.2f}".format), na_action="ignore"),
        }
    ).set_index(passengers["PassengerId"])


def _without_doubled_letters(name: str) -> str:
    """The letters of a name: Andersson becomes anderson."""
    return DOUBLED.sub(r"\1", "".join(filter(str.isalpha, name.casefold())))
