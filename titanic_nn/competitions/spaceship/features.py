"""Spaceship Titanic's features. Nothing here is fitted and no label is read.

A group travels together, and is whole within a table: Kaggle's split, and this package's folds,
keep it so. What its members tell of each other (home planet, cabin, how many they are) is therefore
known of every row when it is predicted.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.competitions.spaceship.columns import BILLS
from titanic_nn.tables.features import Feature

# Bills by what they tell: those who paid for these were seldom transported, ...
SERVICES = ("RoomService", "Spa", "VRDeck")
# ... and those who paid for these were often.
GOODS = ("FoodCourt", "ShoppingMall")
YOUNGEST_WITH_BILLS = 13  # years; no younger passenger of the training table has a bill

BILL_FEATURES = {
    "log_room_service": "RoomService",
    "log_food_court": "FoodCourt",
    "log_shopping_mall": "ShoppingMall",
    "log_spa": "Spa",
    "log_vr_deck": "VRDeck",
}

FEATURES: tuple[Feature, ...] = (
    Feature("cryosleep", "category", "CryoSleep; False with a bill", "who sleeps is in a cabin"),
    Feature("home_planet", "category", "HomePlanet, else the group's", "groups have one home"),
    Feature("destination", "category", "Destination", "who travels where"),
    Feature("deck", "category", "the letter of Cabin, else the group's", "where on the ship"),
    Feature("side", "category", "P or S of Cabin, else the group's", "the anomaly had a side"),
    Feature(
        "cabin_number",
        "number",
        "the number of Cabin, else the group's",
        "a place along the ship",
        ("deck",),
    ),
    Feature("cabin_missing", "flag", "no cabin is known", "tells a known place from a guessed one"),
    Feature("age", "number", "Age in years", "children were favoured", ("home_planet", "side")),
    Feature("age_missing", "flag", "Age is missing", "tells a recorded age from a guessed one"),
    Feature("child", "flag", "Age is below 13", "children have no bills, asleep or awake"),
    Feature("vip", "flag", "VIP is True", "paid for special service"),
    *(
        Feature(
            name,
            "number",
            f"log(1 + {bill}); 0 if asleep or a child",
            "ratios of bills say more",
            ("cryosleep", "home_planet"),
        )
        for name, bill in BILL_FEATURES.items()
    ),
    Feature(
        "log_services",
        "number",
        "log(1 + RoomService + Spa + VRDeck)",
        "used in or near the cabin: those who stayed",
    ),
    Feature(
        "log_goods",
        "number",
        "log(1 + FoodCourt + ShoppingMall)",
        "the opposite sign of the services'",
    ),
    Feature("log_total", "number", "log(1 + all bills)", "awake and spending, or not"),
    Feature("bills", "number", "how many bills are above 0", "spending here and there"),
    Feature("no_bill", "flag", "no bill is above 0", "asleep, a child, or thrifty"),
    Feature(
        "no_bill_from_13",
        "flag",
        "no_bill, and Age is not below 13",
        "what CryoSleep says, where that is missing",
    ),
    Feature("group_size", "number", "passengers of the group", "friends and families"),
    Feature("group", "number", "the group's number", "in the order of booking, as cabins are"),
    Feature(
        "family_size",
        "number",
        "passengers of the group with the surname",
        "families within a group",
    ),
    Feature("alone", "flag", "group_size = 1", "nobody to follow"),
    Feature("group_asleep", "number", "fraction of the group in cryosleep", "they decide alike"),
    Feature("log_group_total", "number", "log(1 + all bills of the group)", "rich company"),
)


def groups(passengers: pd.DataFrame) -> NDArray[np.int64]:
    """The number of each passenger's group (rows,), of a checked table."""
    codes: NDArray[np.int64] = pd.factorize(_group(passengers))[0].astype(np.int64)
    return codes


def _group(passengers: pd.DataFrame) -> "pd.Series[str]":
    """What stands before the "_" of an id."""
    return passengers["PassengerId"].str.partition("_")[0]


def passenger_features(passengers: pd.DataFrame) -> pd.DataFrame:
    """The features of a table that holds whole groups.

    Args:
        passengers: a checked table in Kaggle's columns; `Transported`, if present, is not read.

    Returns:
        One row per passenger in the same order, indexed by PassengerId. What is not known is NaN.
    """
    group = _group(passengers)

    def of_group(values: pd.Series) -> pd.Series:
        """Each value or, where it is missing, the first known one of its group."""
        return values.fillna(values.groupby(group).transform("first"))

    cabin = of_group(passengers["Cabin"]).str.split("/", expand=True).reindex(columns=range(3))
    bills = passengers[list(BILLS)]
    known = bills.fillna(0)
    total = known.sum(axis=1)
    cryosleep = passengers["CryoSleep"].mask(passengers["CryoSleep"].isna() & (total > 0), "False")
    child = passengers["Age"] < YOUNGEST_WITH_BILLS
    none = (cryosleep == "True") | child  # who has no bills
    bills = bills.mask(bills.isna().mul(none, axis=0), 0)
    surname = passengers["Name"].str.extract(r"(\S+)$", expand=False)  # the last word
    family = group + " " + surname
    group_size = group.groupby(group).transform("size")
    return pd.DataFrame(
        {
            "cryosleep": cryosleep,
            "home_planet": of_group(passengers["HomePlanet"]),
            "destination": passengers["Destination"],
            "deck": cabin[0],
            "side": cabin[2],
            "cabin_number": cabin[1].astype(float),
            "cabin_missing": cabin[1].isna(),
            "age": passengers["Age"],
            "age_missing": passengers["Age"].isna(),
            "child": child,
            "vip": passengers["VIP"] == "True",
            **{name: np.log1p(bills[bill]) for name, bill in BILL_FEATURES.items()},
            "log_services": np.log1p(known[list(SERVICES)].sum(axis=1)),
            "log_goods": np.log1p(known[list(GOODS)].sum(axis=1)),
            "log_total": np.log1p(total),
            "bills": (known > 0).sum(axis=1).astype(float),
            "no_bill": total == 0,
            "no_bill_from_13": (total == 0) & ~child,
            "group_size": group_size.astype(float),
            "group": pd.to_numeric(group, errors="coerce"),
            "family_size": family.groupby(family).transform("size").astype(float),
            "alone": group_size == 1,
            "group_asleep": (cryosleep == "True").groupby(group).transform("mean"),
            "log_group_total": np.log1p(total.groupby(group).transform("sum")),
        }
    ).set_index(passengers["PassengerId"])
