"""Features of passengers known by name."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from titanic_tables import REPO

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.features import FEATURES, MERGED_TITLES, passenger_features

DOCS = REPO / "docs/features.md"

COLUMNS = ["Name", "Pclass", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"]
Z = None  # not known
PASSENGERS = {
    "Braund": ("Braund, Mr. Owen Harris", 3, "male", 22, 1, 0, "A/5 21171", 7.25, Z, "S"),
    "Cumings": (
        *("Cumings, Mrs. John Bradley (Florence Briggs Thayer)", 1, "female", 38, 1, 0),
        *("PC 17599", 71.2833, "C85", "C"),
    ),
    "Rothes": (
        *("Rothes, the Countess. of (Lucy Noel Martha Dyer-Edwards)", 1, "female", 33, 0, 0),
        *("110152", 86.5, "B77", "S"),
    ),
    "Uruchurtu": ("Uruchurtu, Don. Manuel E", 1, "male", 40, 0, 0, "PC 17601", 27.7208, Z, "C"),
    "Reuchlin": ("Reuchlin, Jonkheer. John George", 1, "male", 38, 0, 0, "19972", 0, Z, "S"),
    "Oliva": (
        "Oliva y Ocana, Dona. Fermina",
        1,
        "female",
        39,
        0,
        0,
        "PC 17758",
        108.9,
        "C105",
        "C",
    ),
    "Leader": ("Leader, Dr. Alice (Farnham)", 1, "female", 49, 0, 0, "17465", 25.9292, "D17", "S"),
    "Smith": ("Smith, Capt. Edward John", 1, "male", 62, 0, 0, "-", 0, Z, "S"),
    "Sagesser": ("Sagesser, Mlle. Emma", 1, "female", 24, 0, 0, "PC 17477", 69.3, "B35", "C"),
    "Aubart": (
        *("Aubart, Mme. Leontine Pauline", 1, "female", 24, 0, 0),
        *("PC 17477", 69.3, "B35", "C"),
    ),
    "Palsson": ("Palsson, Master. Gosta Leonard", 3, "male", 2, 3, 1, "349909", 21.075, Z, "S"),
    "Sage": ("Sage, Master. Thomas Henry", 3, "male", Z, 8, 2, "CA. 2343", 69.55, Z, "S"),
    "Storey": ("Storey, Mr. Thomas", 3, "male", 60.5, 0, 0, "3701", Z, Z, "S"),
    "Moen": ("Moen, Mr. Sigurd Hansen", 3, "male", 25, 0, 0, "348123", 7.65, "F G73", "S"),
    "Cardeza": (
        *("Cardeza, Mr. Thomas Drake Martinez", 1, "male", 36, 0, 1),
        *("PC 17755", 512.3292, "B51 B53 B55", "C"),
    ),
    "Icard": ("Icard, Miss. Amelie", 1, "female", 38, 0, 0, "113572", 80, "B28", Z),
    "Fynney": ("Fynney, Mr. Joseph J", 2, "male", 35, 0, 0, "239865", 26, "D", "S"),
}


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    """One row per passenger, by the family name."""
    table = pd.DataFrame(PASSENGERS.values(), columns=COLUMNS)
    table["PassengerId"] = np.arange(101, 101 + len(table))
    return passenger_features(table).set_axis(list(PASSENGERS))


@pytest.mark.parametrize(
    ("passenger", "feature", "expected"),
    [
        ("Braund", "title", "Mr"),
        ("Braund", "sex", "male"),
        ("Braund", "class", "3"),
        ("Braund", "age", 22),
        ("Braund", "age_missing", False),
        ("Braund", "siblings_spouses", 1),
        ("Braund", "parents_children", 0),
        ("Braund", "family_size", 2),
        ("Braund", "alone", False),
        ("Braund", "log_fare", np.log(1 + 7.25)),
        ("Braund", "fare_missing", False),
        ("Braund", "ticket", "A/5 21171"),
        ("Braund", "embarked", "S"),
        ("Braund", "embarked_missing", False),
        ("Braund", "deck", None),
        ("Braund", "cabin_known", False),
        ("Cumings", "title", "Mrs"),
        ("Cumings", "deck", "C"),
        ("Cumings", "cabin_known", True),
        ("Rothes", "title", "Mrs"),
        ("Uruchurtu", "title", "Mr"),
        ("Uruchurtu", "alone", True),
        ("Reuchlin", "title", "Mr"),
        ("Reuchlin", "log_fare", 0),
        ("Oliva", "title", "Mrs"),
        ("Leader", "title", "Profession"),
        ("Leader", "sex", "female"),
        ("Smith", "title", "Profession"),
        ("Sagesser", "title", "Miss"),
        ("Aubart", "title", "Mrs"),
        ("Palsson", "title", "Master"),
        ("Palsson", "family_size", 5),  # 3 siblings + his mother + himself
        ("Sage", "family_size", 11),  # 8 siblings + 2 parents + himself
        ("Sage", "age", None),
        ("Sage", "age_missing", True),
        ("Sage", "title", "Master"),
        ("Storey", "log_fare", None),
        ("Storey", "fare_missing", True),
        ("Moen", "deck", "G"),  # room G73
        ("Cardeza", "deck", "B"),  # a suite of three rooms
        ("Cardeza", "parents_children", 1),
        ("Icard", "title", "Miss"),
        ("Icard", "embarked", None),
        ("Icard", "embarked_missing", True),
        ("Fynney", "deck", "D"),  # a deck, no number
        ("Fynney", "cabin_known", True),
    ],
)
def test_a_known_passenger(
    features: pd.DataFrame, passenger: str, feature: str, expected: Any
) -> None:
    value = features[feature][passenger]
    if expected is None:
        assert pd.isna(value)
    elif isinstance(expected, float):
        assert value == pytest.approx(expected)
    else:
        assert value == expected


def test_a_title_that_is_not_listed_is_kept() -> None:
    assert features_of(Name="Byles, Fr. Thomas")["title"] == "Fr"


def test_a_name_without_a_title_has_none() -> None:
    assert pd.isna(features_of(Name="Madonna")["title"])


def features_of(**changes: object) -> "pd.Series[Any]":
    braund = dict(zip(COLUMNS, PASSENGERS["Braund"], strict=True))
    table = pd.DataFrame([braund | {"PassengerId": 1, "Cabin": "C85"} | changes])
    return passenger_features(table).iloc[0]


def test_rows_are_indexed_by_passenger_id_in_the_order_given() -> None:
    table = pd.DataFrame(PASSENGERS.values(), columns=COLUMNS)
    table["PassengerId"] = np.arange(len(table), 0, -1)
    assert passenger_features(table).index.tolist() == table["PassengerId"].tolist()


def test_labels_are_not_read() -> None:
    table = pd.DataFrame(PASSENGERS.values(), columns=COLUMNS)
    table["PassengerId"] = np.arange(len(table))
    unlabelled = passenger_features(table)
    pd.testing.assert_frame_equal(passenger_features(table.assign(Survived=1)), unlabelled)


def test_the_table_of_features_names_each_column_once(features: pd.DataFrame) -> None:
    names = [feature.name for feature in FEATURES]
    fitted = {"ticket_shared_by", "fare_per_head", "men_known"}
    fitted |= {feature.name for feature in FEATURES if feature.reads_labels}
    ingredients = {*TITANIC.features.keys, "ticket_number", "half"}
    assert len(names) == len(set(names))
    assert set(names) - fitted == set(features.columns) - ingredients
    assert set(TITANIC.features.text_columns) <= set(features.columns)


def test_the_docs_have_the_table_of_features() -> None:
    assert TITANIC.features.as_markdown() in DOCS.read_text(encoding="utf-8")


def test_the_docs_list_every_merged_title() -> None:
    docs = DOCS.read_text(encoding="utf-8")
    for title in sorted(set(MERGED_TITLES.values())):
        merged = ", ".join(found for found, becomes in MERGED_TITLES.items() if becomes == title)
        assert f"| {merged} | {title} |" in docs
