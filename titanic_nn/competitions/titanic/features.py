"""Titanic's features that a passenger's own row yields: title, family, deck, ...

Nothing here is fitted and no label is read, so nothing here can leak. The features that need other
passengers' rows are in the table too; companions.py makes them.
"""

import re

import numpy as np
import pandas as pd

from titanic_nn.tables.features import Feature

FEATURES: tuple[Feature, ...] = (
    Feature(
        "title",
        "category",
        "the words of Name between the comma and the full stop, rare ones merged",
        "sex, age and standing in one word: a Master is a boy, whether or not his age is known",
    ),
    Feature("sex", "category", "Sex", "women and children first: the strongest signal of all"),
    Feature("class", "category", "Pclass", "a category, because 1, 2, 3 need not be evenly spaced"),
    Feature(
        "age",
        "number",
        "Age in years",
        "children were favoured",
        impute_within=("title", "class"),
    ),
    Feature("age_missing", "flag", "Age is missing", "tells a recorded age from a guessed one"),
    Feature("siblings_spouses", "number", "SibSp", "company of one's own generation"),
    Feature("parents_children", "number", "Parch", "company of the generation above or below"),
    Feature(
        "family_size",
        "number",
        "siblings_spouses + parents_children + 1",
        "large families had to gather first; none or one of them may have found a boat",
    ),
    Feature("alone", "flag", "family_size = 1", "nobody to help, nobody to wait for"),
    Feature(
        "ticket_shared_by",
        "number",
        "passengers counted on this ticket, this one included (companions)",
        "friends, maids and nurses travelled together without being kin",
    ),
    Feature(
        "log_fare",
        "number",
        "log(1 + Fare), Fare in pounds",
        "fares run from 0 to over 500: the ratio of two says more than their difference",
        impute_within=("class",),
    ),
    Feature(
        "fare_per_head",
        "number",
        "log(1 + Fare / ticket_shared_by) (companions)",
        "Fare is the price of the whole ticket, not of one berth",
        impute_within=("class",),
    ),
    Feature("fare_missing", "flag", "Fare is missing", "tells a recorded fare from a guessed one"),
    Feature("embarked", "category", "Embarked", "Cherbourg, Queenstown, Southampton: who boarded"),
    Feature("embarked_missing", "flag", "Embarked is missing", "two ports were never recorded"),
    Feature(
        "deck",
        "category",
        "the letter before the first number of Cabin, or its only letter",
        "A lay near the boats, G far below them",
    ),
    Feature(
        "cabin_known",
        "flag",
        "Cabin is not missing",
        "cabins were recorded mostly for the first class, and better for those who lived",
    ),
    Feature(
        "women_children_survival_surplus",
        "number",
        "mean survival surplus of the party's other women and children (companions)",
        "families lived or died together",
        reads_labels=True,
        group="companions",
    ),
    Feature(
        "men_survival_surplus",
        "number",
        "the same among the party's other men (companions)",
        "where the men lived, the boat was near",
        reads_labels=True,
        group="companions",
    ),
    Feature(
        "men_known",
        "number",
        "log(1 + number of those men in the training rows) (companions)",
        "how reliable the surplus is, and whether the party had other men at all",
        group="companions",
    ),
    Feature(
        "women_children_lost",
        "flag",
        "a woman or child, and all other women and children of the party died (companions)",
        "mothers did not leave without their children",
        reads_labels=True,
        group="companions",
    ),
    Feature(
        "women_children_saved",
        "flag",
        "a woman or child, and all other women and children of the party lived (companions)",
        "they took the same boat",
        reads_labels=True,
        group="companions",
    ),
    Feature(
        "men_lost",
        "flag",
        "the party has other men, and all of them died (companions)",
        "one man saved tells of a party that reached the boats together",
        reads_labels=True,
        group="companions",
    ),
    Feature(
        "ticket_neighbours_survival_surplus",
        "number",
        "mean surplus among those of the class with a ticket number at most 8 off (companions)",
        "tickets with near numbers were sold together: one place, one day, one group",
        reads_labels=True,
        group="companions",
    ),
)

# Text columns of `passenger_features` from which companions.py makes features.
KEYS = ("ticket", "peers", "same_ticket", "same_family")

DOUBLED = re.compile(r"(.)\1")  # a letter twice

# Peer groups: passengers who agree in what decided most, by sex, class and age.
PEERS = [
    f"{sex}, {pclass}, {age}"
    for sex in ("female", "male")
    for pclass in "123"
    for age in ("adult", "child")
]

# A title too rare to learn from is merged with the common one for the same age, sex and standing.
# A title that is not listed is kept.
MERGED_TITLES: dict[str, str] = {
    "Mlle": "Miss",
    "Ms": "Miss",
    "Mme": "Mrs",
    "Lady": "Mrs",
    "the Countess": "Mrs",
    "Dona": "Mrs",
    "Sir": "Mr",
    "Don": "Mr",
    "Jonkheer": "Mr",
    "Capt": "Profession",
    "Col": "Profession",
    "Major": "Profession",
    "Dr": "Profession",
    "Rev": "Profession",
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
    deck = passengers["Cabin"].str.extract(r"([A-Z])(?:\d|$)", expand=False)
    child = (title == "Master") | (passengers["Age"] < 15)  # with a known age or not
    pclass = passengers["Pclass"].astype(str)
    ticket_number = passengers["Ticket"].str.extract(r"(\d+)$", expand=False)

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
            "same_family": passengers["Name"].map(_family_name)
            + (", " + pclass + ", " + passengers["Embarked"] + ", ")
            + passengers["Fare"].map("{:.2f}".format, na_action="ignore"),
        }
    ).set_index(passengers["PassengerId"])


def _family_name(name: str) -> str | None:
    """What comes before the comma, without doubled letters: Andersson becomes Anderson."""
    family_name, comma, _ = name.partition(",")
    letters = "".join(filter(str.isalpha, family_name.casefold()))
    return DOUBLED.sub(r"\1", letters) if comma else None
