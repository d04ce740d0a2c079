"""Each feature of Spaceship Titanic by hand; groups keep to themselves; no label is read."""

import numpy as np
import pandas as pd
import pytest
from spaceship_tables import REPO, SHARED, needs_shared, passengers

from titanic_nn.competitions.spaceship.competition import SPACESHIP
from titanic_nn.competitions.spaceship.cryosleep_rule import CryosleepRule
from titanic_nn.competitions.spaceship.features import FEATURES, groups, passenger_features
from titanic_nn.tables.schema import check_frame
from titanic_nn.tables.splits import repeated_stratified_splits

TABLE = """PassengerId,HomePlanet,CryoSleep,Cabin,Destination,Age,VIP,RoomService,FoodCourt,\
ShoppingMall,Spa,VRDeck,Name
0001_01,Europa,False,B/0/P,TRAPPIST-1e,39,True,9,0,0,0,90,Maham Ofracculy
0002_01,,,,55 Cancri e,12,False,,,,,,Anna Vines
0002_02,Earth,False,F/12/S,,40,,0,99,0,,0,Juan Vines
0003_01,Mars,,F/1/P,TRAPPIST-1e,,,0,5,,,,
0004_01,Earth,,,TRAPPIST-1e,30,False,0,0,0,0,0,Ann Onymous
0005_01,,True,,,50,,,,,,,"""


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    rows = [line.split(",") for line in TABLE.splitlines()]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    return passenger_features(check_frame(frame, name="X", columns=SPACESHIP.schema.test_columns))


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        (
            "0001_01",
            {
                "cryosleep": "False",
                "home_planet": "Europa",
                "deck": "B",
                "side": "P",
                "cabin_number": 0,
                "vip": True,
                "log_room_service": np.log(10),
                "log_services": np.log(100),
                "log_goods": 0,
                "bills": 2,
                "no_bill": False,
                "group": 1,
                "group_size": 1,
                "alone": True,
                "family_size": 1,
            },
        ),
        # A child without a planet, cabin or bills of her own: of the group's, and none.
        (
            "0002_01",
            {
                "home_planet": "Earth",
                "deck": "F",
                "side": "S",
                "cabin_number": 12,
                "cabin_missing": False,
                "child": True,
                "log_spa": 0,
                "no_bill": True,
                "no_bill_from_13": False,
                "group_size": 2,
                "family_size": 2,
                "log_group_total": np.log(100),
            },
        ),
        ("0002_02", {"destination": np.nan, "log_spa": np.nan, "log_total": np.log(100)}),
        # A bill says that he is awake; others that are missing are not known.
        ("0003_01", {"cryosleep": "False", "log_spa": np.nan, "family_size": np.nan}),
        # No bill, not a child, sleep not recorded.
        ("0004_01", {"cryosleep": np.nan, "no_bill_from_13": True, "cabin_missing": True}),
        # Who sleeps has no bills.
        ("0005_01", {"cryosleep": "True", "log_spa": 0, "group_asleep": 1}),
    ],
)
def test_features_by_hand(features: pd.DataFrame, id: str, expected: dict[str, object]) -> None:
    found = features[list(expected)].T[id]
    pd.testing.assert_series_equal(found, pd.Series(expected, name=id), check_dtype=False)


def test_the_table_of_features_is_what_is_made(features: pd.DataFrame) -> None:
    assert set(features.columns) == {feature.name for feature in FEATURES}


def checked(table: pd.DataFrame) -> pd.DataFrame:
    return check_frame(table, name="X", columns=SPACESHIP.schema.train_columns)


def test_a_groups_features_are_the_same_whatever_other_groups_are_beside_it() -> None:
    table = checked(passengers(60))
    whole = passenger_features(table)
    for split in repeated_stratified_splits(
        table["Transported"], folds=5, repeats=1, seed=0, groups=groups(table)
    ):
        for rows in (split.train, split.held_out):
            pd.testing.assert_frame_equal(passenger_features(table.iloc[rows]), whole.iloc[rows])


def test_no_label_is_read() -> None:
    table = checked(passengers(40))
    flipped = table.assign(Transported=1 - table["Transported"])
    pd.testing.assert_frame_equal(passenger_features(flipped), passenger_features(table))


def test_the_rule_gives_each_state_its_rate() -> None:
    x = np.array([[1.0], [1], [1], [0], [0]])
    rule = CryosleepRule(["cryosleep=True"]).fit(x, np.array([1, 1, 0, 0, 1]))
    np.testing.assert_allclose(rule.predict_proba(x)[:, 1], [2 / 3, 2 / 3, 2 / 3, 0.5, 0.5])
    unknown = CryosleepRule(["age"]).fit(x, np.array([1, 1, 0, 0, 1]))
    np.testing.assert_allclose(unknown.predict_proba(x)[:, 1], 0.6)


@needs_shared
def test_the_competitions_own_groups_are_on_one_side() -> None:
    tables = SPACESHIP.load(SHARED)
    assert tables.train.shape == (6508, 14)
    assert tables.test.shape == (2185, 13)
    train, test = (set(t["PassengerId"].str[:4]) for t in (tables.train, tables.test))
    assert not train & test


def test_the_docs_have_the_table_of_features() -> None:
    docs = (REPO / "docs/features.md").read_text(encoding="utf-8")
    assert SPACESHIP.features.as_markdown() in docs


def test_a_table_in_which_a_text_is_never_known() -> None:
    header, *_, last = TABLE.splitlines()
    table = pd.DataFrame([last.split(",")], columns=header.split(","))
    checked = check_frame(table, name="X", columns=SPACESHIP.schema.test_columns)
    (row,) = passenger_features(checked).to_dict("records")
    assert row["cabin_missing"]
    assert row["group_size"] == 1
