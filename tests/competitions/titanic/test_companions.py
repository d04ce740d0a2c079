"""Companions' survival: sums done by hand, a slow reference, and no row's own label."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits
from titanic_tables import KAGGLE
from titanic_tables import bundled as bundled_tables

from benchmarks.synthetic import make_passengers
from titanic_nn.competitions.titanic.companions import Companions, PassengerGroups, parties
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.features import FEATURES, passenger_features
from titanic_nn.config import FeatureConfig
from titanic_nn.evaluation.metrics import roc_auc
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.splits import repeated_stratified_splits


def columns(features: pd.DataFrame) -> Columns:
    """A table of features, as arrays."""
    return Columns.of(features, TITANIC.features.text_columns)


def party(*members: tuple[str, str, float, str, int], first_id: int = 1) -> pd.DataFrame:
    """Features of third-class passengers: (name, sex, age, ticket, fare)."""
    names, sexes, ages, tickets, fares = zip(*members, strict=True)
    return passenger_features(
        pd.DataFrame(
            {
                "PassengerId": range(first_id, first_id + len(members)),
                "Pclass": 3,
                "Name": names,
                "Sex": sexes,
                "Age": ages,
                "SibSp": 0,
                "Parch": 0,
                "Ticket": tickets,
                "Fare": fares,
                "Cabin": None,
                "Embarked": "S",
            }
        )
    )


# A mother and two children on one ticket, their father on another at the same fare, and a stranger
# with a distant ticket number.
FAMILY = party(
    ("Rice, Mrs. Ann", "female", 40.0, "A/5 100", 8),
    ("Rice, Miss. Eva", "female", 9.0, "A.5. 100", 8),
    ("Rice, Master. Tom", "male", np.nan, "100", 8),
    ("Rice, Mr. Sam", "male", 41.0, "500", 8),
    ("Poe, Mr. Abe", "male", 30.0, "900", 7),
).assign(half=[0, 0, 0, 1, 1])
FATES = np.array([1, 1, 0, 0, 1])


def transformed(train: pd.DataFrame, y: NDArray[np.int64], rows: pd.DataFrame) -> pd.DataFrame:
    fitted = Companions().fit(columns(train), y)
    return pd.DataFrame(fitted.transform(columns(rows)), rows.index)


def test_sums_by_hand() -> None:
    table = transformed(FAMILY, FATES, FAMILY)
    # The mother, in one half with the children. In the other half one man of two lived, and there
    # is nobody else. Expected by Laplace's rule: men (1 + 1) / (2 + 2) = 1/2,
    # all others (0 + 1) / (0 + 2) = 1/2.
    mother = table.iloc[0]
    # The children: (1 - 1/2) + (0 - 1/2) = 0, over 2 and one more.
    assert mother["women_children_survival_surplus"] == pytest.approx(0)
    # The father: 0 - 1/2, over 1 and one more.
    assert mother["men_survival_surplus"] == pytest.approx(-1 / 4)
    assert mother["men_known"] == pytest.approx(np.log(2))
    assert not mother["women_children_lost"]  # Eva lived
    assert not mother["women_children_saved"]  # Tom died
    assert mother["men_lost"]
    # Tom: his mother and sister lived, (1 - 1/2) + (1 - 1/2) over 3; his own death does not count.
    boy = table.iloc[2]
    assert boy["women_children_survival_surplus"] == pytest.approx(1 / 3)
    assert boy["women_children_saved"]
    # The neighbours on ticket 100 are those two as well.
    assert boy["ticket_neighbours_survival_surplus"] == pytest.approx(1 / 3)
    # The father, of the second half: expected of women (1 + 1) / (1 + 2) = 2/3, of girls the
    # same, of boys (0 + 1) / (1 + 2) = 1/3. So 1/3 + 1/3 - 1/3 over 4.
    father = table.iloc[3]
    assert father["women_children_survival_surplus"] == pytest.approx(1 / 12)
    # No other men, and the flags are for women and children.
    assert father["men_known"] == father["men_survival_surplus"] == 0
    assert not father[["women_children_lost", "women_children_saved", "men_lost"]].any()
    # Nothing is known for the stranger.
    assert not table.iloc[4].any()


def test_all_women_and_children_lost() -> None:
    rows = transformed(FAMILY, np.array([0, 0, 1, 1, 1]), FAMILY)
    assert rows["women_children_lost"].tolist() == [False, False, True, False, False]


def test_two_passengers_linked_through_a_third_are_one_party() -> None:
    """A shares a ticket with B, and B a family's name and fare with C."""
    train = party(
        ("Ash, Mr. A", "male", 30.0, "100", 8),
        ("Birch, Mr. B", "male", 30.0, "100", 9),
        ("Birch, Mr. C", "male", 30.0, "300", 9),
    )
    assert np.expm1(
        transformed(train, np.array([1, 0, 0]), train)["men_known"]
    ).tolist() == pytest.approx([2, 2, 2])
    # A new passenger may link two parties and has the companions of both; or belong to one only.
    apart = train.iloc[[0, 2]]
    linking = party(("Birch, Mr. B", "male", 30.0, "100", 9), first_id=101)
    alone = party(("Elm, Mr. E", "male", 30.0, "100", 9), first_id=101)
    companions = Companions().fit(columns(apart), np.array([1, 0]))
    for passenger, men in ((linking, 2), (alone, 1)):
        men_known = companions.transform(columns(passenger))["men_known"]
        assert np.expm1(men_known).tolist() == pytest.approx([men])


def test_spellings_of_a_name_do_not_separate_a_family() -> None:
    train = party(("Andersson, Mr. A", "male", 30.0, "100", 8))
    rows = party(
        ("Anderson, Mr. B", "male", 30.0, "300", 8),
        ("ANDERS-SON, Mr. C", "male", 30.0, "301", 8),
        ("Anders, Mr. D", "male", 30.0, "302", 8),
        first_id=101,
    )
    known = transformed(train, np.array([1]), rows)["men_known"]
    assert (known > 0).tolist() == [True, True, False]


def test_without_a_ticket_number_and_a_family_name_there_are_no_companions() -> None:
    rows = party(*[("Nemo", "male", 30.0, "LINE", 8)] * 3)
    assert not transformed(rows, np.array([1, 1, 1]), rows).to_numpy(float).any()


def test_ticket_neighbours_differ_by_eight_at_most_and_are_of_the_same_class() -> None:
    train = party(("Ash, Mr. A", "male", 30.0, "PC 1000", 8)).assign(half=0)
    members = [(f"B{n}, Mr. B", "male", 30.0, str(n), 9) for n in (991, 992, 1008, 1009)]
    rows = party(*members, first_id=101).assign(half=1)
    near = transformed(train, np.array([1]), rows)["ticket_neighbours_survival_surplus"]
    # One survivor where men are expected to live at (1 + 1) / (1 + 2): 1/3 over 1 and one more.
    assert near.tolist() == pytest.approx([0, 1 / 6, 1 / 6, 0])
    rows["class"] = "1"
    assert not transformed(train, np.array([1]), rows)["ticket_neighbours_survival_surplus"].any()


def bundled() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    tables = bundled_tables()
    return passenger_features(tables.train), tables.y


def synthetic() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    passengers = make_passengers(300, seed=0)
    return passenger_features(passengers), passengers["Survived"].to_numpy()


@pytest.mark.parametrize("table", [bundled, synthetic])
def test_a_training_row_gets_what_it_would_get_if_it_were_held_out(table) -> None:  # type: ignore[no-untyped-def]
    features, y = table()
    together = transformed(features, y, features)
    for row in range(0, len(features), 13):
        others = np.delete(np.arange(len(features)), row)
        held_out = transformed(features.iloc[others], y[others], features.iloc[[row]])
        pd.testing.assert_frame_equal(held_out, together.iloc[[row]], check_exact=True)


def test_parties_are_those_found_passenger_by_passenger() -> None:
    """The reference follows links from passenger to passenger, and counts one by one."""
    features, y = bundled()
    features, y = features[:400], y[:400]
    party = parties(bundled_tables().train[:400])
    known = transformed(features, y, features)["men_known"]
    keys = features[["same_ticket", "same_family"]].to_numpy(object)
    man = features["peers"].str.match("male.*adult").to_numpy()

    def linked(i: int) -> set[int]:
        same = (keys == keys[i]) & ~pd.isna(keys[i])
        return set(np.flatnonzero(same.any(1)))

    for start in range(0, 400, 7):
        reached, to_visit = {start}, [start]
        while to_visit:
            further = linked(to_visit.pop()) - reached
            reached |= further
            to_visit += further
        men = sum(man[i] for i in reached - {start})
        assert np.expm1(known.iloc[start]) == pytest.approx(men)
        assert set(np.flatnonzero(party == party[start])) == reached


def auc_of_telling_apart(table: pd.DataFrame, held_out: NDArray[np.bool_]) -> float:
    """How well trees can tell held-out rows from training rows, in cross-validation."""
    trees = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    with threadpool_limits(1):  # on a small table further threads only wait
        guess = cross_val_predict(trees, table, held_out, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc(held_out, guess))


@pytest.mark.parametrize("source", ["bundled", "kaggle"])
def test_training_rows_and_held_out_rows_cannot_be_told_apart(source: str) -> None:
    if source == "kaggle" and not KAGGLE.is_dir():
        pytest.skip("Kaggle's files are not here")
    if source == "kaggle":
        train = pd.read_csv(KAGGLE / "train.csv")
        features, y = passenger_features(train), train["Survived"].to_numpy()
    else:
        features, y = bundled()
    aucs = []
    for split in repeated_stratified_splits(y, folds=5, repeats=1, seed=0):
        table = transformed(features.iloc[split.train], y[split.train], features).astype(float)
        aucs.append(auc_of_telling_apart(table, np.isin(np.arange(len(y)), split.held_out)))
    # 178 rows against 713 leave an AUC a standard error of 0.025, five folds' mean one of 0.011.
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.035)


def test_a_rate_that_leaves_out_only_the_own_label_is_detected() -> None:
    """A leak that no flipped label shows: the rate is higher for those who died."""
    features, y = bundled()
    split = repeated_stratified_splits(y, folds=5, repeats=1, seed=0)[0]
    survived, rows = y[split.train].sum(), len(split.train)
    rate = np.full(len(y), survived / rows)
    rate[split.train] = (survived - y[split.train]) / (rows - 1)
    table = transformed(features.iloc[split.train], y[split.train], features).astype(float)
    held_out = np.isin(np.arange(len(y)), split.held_out)
    assert (
        auc_of_telling_apart(
            table.assign(men_survival_surplus=table["men_survival_surplus"] + rate), held_out
        )
        > 0.9
    )


def test_from_its_state_it_is_restored() -> None:
    features, y = bundled()
    companions = Companions().fit(columns(features[:500]), y[:500])
    restored = Companions.from_state(json.loads(json.dumps(companions.state())))
    others = columns(features[500:])
    np.testing.assert_equal(restored.transform(others), companions.transform(others))


def test_features_named_in_the_feature_table_are_made() -> None:
    features, y = bundled()
    rows = columns(features)
    made = PassengerGroups(FeatureConfig()).fit(rows, y, None).transform(rows)
    assert set(made) == {f.name for f in FEATURES} - set(features.columns)
    of_companions = Companions().fit(rows, y).transform(rows)
    assert set(of_companions) == {f.name for f in FEATURES if f.group == "companions"}


def test_passenger_groups_are_restored_from_their_state() -> None:
    features, y = bundled()
    config = FeatureConfig()
    groups = PassengerGroups(config).fit(columns(features[:500]), y[:500], None)
    restored = PassengerGroups.from_state(config, json.loads(json.dumps(groups.state())))
    assert restored.ticket_holders == groups.ticket_holders
    others = columns(features[500:])
    np.testing.assert_equal(restored.transform(others), groups.transform(others))
