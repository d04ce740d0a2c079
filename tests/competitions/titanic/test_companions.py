"""How companions fared: sums done on paper, a slow referee, and nobody's own label."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

from benchmarks.synthetic import make_passengers
from titanic_nn import load_passengers
from titanic_nn.evaluation.metrics import roc_auc
from titanic_nn.tables.columns import Columns
from titanic_nn.competitions.titanic.companions import Companions
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import repeated_stratified_splits

KAGGLE = Path(__file__).parents[2] / "../shared/kaggle"


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
# far away in the numbers.
FAMILY = party(
    ("Rice, Mrs. Ann", "female", 40.0, "A/5 100", 8),
    ("Rice, Miss. Eva", "female", 9.0, "A.5. 100", 8),
    ("Rice, Master. Tom", "male", np.nan, "100", 8),
    ("Rice, Mr. Sam", "male", 41.0, "500", 8),
    ("Poe, Mr. Abe", "male", 30.0, "900", 7),
).assign(half=[0, 0, 0, 1, 1])
FATES = np.array([1, 1, 0, 0, 1])


def told(train: pd.DataFrame, y: NDArray[np.int64], rows: pd.DataFrame) -> pd.DataFrame:
    fitted = Companions().fit(Columns.of(train), y)
    return pd.DataFrame(fitted.transform(Columns.of(rows)), rows.index)


def test_sums_on_paper() -> None:
    table = told(FAMILY, FATES, FAMILY)
    # To the mother, whose half the children share. Of the other half's peers one man of two lived,
    # and nothing is known of the rest. Expected by Laplace's rule: men (1 + 1) / (2 + 2) = 1/2,
    # all others (0 + 1) / (0 + 2) = 1/2.
    mother = table.iloc[0]
    # The children: (1 - 1/2) + (0 - 1/2) = 0, over 2 and one more.
    assert mother["women_children_fared"] == pytest.approx(0)
    # The father: 0 - 1/2, over 1 and one more.
    assert mother["men_fared"] == pytest.approx(-1 / 4)
    assert mother["men_known"] == pytest.approx(np.log(2))
    assert not mother["women_children_lost"]  # Eva lived
    assert not mother["women_children_saved"]  # Tom died
    assert mother["men_lost"]
    # To Tom: his mother and sister lived, (1 - 1/2) + (1 - 1/2) over 3; his own death is unknown.
    boy = table.iloc[2]
    assert boy["women_children_fared"] == pytest.approx(1 / 3)
    assert boy["women_children_saved"]
    # The neighbours on ticket 100 are those two as well.
    assert boy["ticket_neighbours_fared"] == pytest.approx(1 / 3)
    # To the father, of the second half: expected of women (1 + 1) / (1 + 2) = 2/3, of girls the
    # same, of boys (0 + 1) / (1 + 2) = 1/3. So 1/3 + 1/3 - 1/3 over 4.
    father = table.iloc[3]
    assert father["women_children_fared"] == pytest.approx(1 / 12)
    # No other men, and the flags are for women and children.
    assert father["men_known"] == father["men_fared"] == 0
    assert not father[["women_children_lost", "women_children_saved", "men_lost"]].any()
    # To the stranger nothing at all.
    assert not table.iloc[4].any()


def test_all_women_and_children_lost() -> None:
    rows = told(FAMILY, np.array([0, 0, 1, 1, 1]), FAMILY)
    assert rows["women_children_lost"].tolist() == [False, False, True, False, False]


def test_a_party_holds_together_through_a_third() -> None:
    """A shares a ticket with B, and B a family's name and fare with C."""
    train = party(
        ("Ash, Mr. A", "male", 30.0, "100", 8),
        ("Birch, Mr. B", "male", 30.0, "100", 9),
        ("Birch, Mr. C", "male", 30.0, "300", 9),
    )
    assert np.expm1(told(train, np.array([1, 0, 0]), train)["men_known"]).tolist() == pytest.approx(
        [2, 2, 2]
    )
    # A newcomer may link two parties: both are theirs. With one of them only, there is one.
    apart = train.iloc[[0, 2]]
    linking = party(("Birch, Mr. B", "male", 30.0, "100", 9), first_id=101)
    alone = party(("Elm, Mr. E", "male", 30.0, "100", 9), first_id=101)
    companions = Companions().fit(Columns.of(apart), np.array([1, 0]))
    for newcomer, men in ((linking, 2), (alone, 1)):
        men_known = companions.transform(Columns.of(newcomer))["men_known"]
        assert np.expm1(men_known).tolist() == pytest.approx([men])


def test_spellings_of_a_name_do_not_part_a_family() -> None:
    train = party(("Andersson, Mr. A", "male", 30.0, "100", 8))
    rows = party(
        ("Anderson, Mr. B", "male", 30.0, "300", 8),
        ("ANDERS-SON, Mr. C", "male", 30.0, "301", 8),
        ("Anders, Mr. D", "male", 30.0, "302", 8),
        first_id=101,
    )
    known = told(train, np.array([1]), rows)["men_known"]
    assert (known > 0).tolist() == [True, True, False]


def test_who_has_neither_number_nor_comma_has_no_companions() -> None:
    rows = party(*[("Nemo", "male", 30.0, "LINE", 8)] * 3)
    assert not told(rows, np.array([1, 1, 1]), rows).to_numpy(float).any()


def test_ticket_neighbours_are_at_most_eight_off_and_of_the_same_class() -> None:
    train = party(("Ash, Mr. A", "male", 30.0, "PC 1000", 8)).assign(half=0)
    members = [(f"B{n}, Mr. B", "male", 30.0, str(n), 9) for n in (991, 992, 1008, 1009)]
    rows = party(*members, first_id=101).assign(half=1)
    near = told(train, np.array([1]), rows)["ticket_neighbours_fared"]
    # One survivor where men are expected to live at (1 + 1) / (1 + 2): 1/3 over 1 and one more.
    assert near.tolist() == pytest.approx([0, 1 / 6, 1 / 6, 0])
    rows["class"] = "1"
    assert not told(train, np.array([1]), rows)["ticket_neighbours_fared"].any()


def bundled() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    train = load_passengers(Path(__file__).parents[2] / "data/bundled").train
    return passenger_features(train), train["Survived"].to_numpy()


def synthetic() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    passengers = make_passengers(300, seed=0)
    return passenger_features(passengers), passengers["Survived"].to_numpy()


@pytest.mark.parametrize("table", [bundled, synthetic])
def test_a_training_row_is_told_what_it_would_be_told_if_it_were_held_out(table) -> None:  # type: ignore[no-untyped-def]
    features, y = table()
    together = told(features, y, features)
    for row in range(0, len(features), 13):
        others = np.delete(np.arange(len(features)), row)
        held_out = told(features.iloc[others], y[others], features.iloc[[row]])
        pd.testing.assert_frame_equal(held_out, together.iloc[[row]], check_exact=True)


def test_parties_by_hand_over_hand() -> None:
    """The referee walks from passenger to passenger, and counts one by one."""
    features, y = bundled()
    features, y = features[:400], y[:400]
    known = told(features, y, features)["men_known"]
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


def auc_of_telling_apart(table: pd.DataFrame, held_out: NDArray[np.bool_]) -> float:
    """How well trees can tell held-out rows from training rows, in cross-validation."""
    trees = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    with threadpool_limits(1):  # on tables this small more threads wait for one another
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
        table = told(features.iloc[split.train], y[split.train], features).astype(float)
        aucs.append(auc_of_telling_apart(table, np.isin(np.arange(len(y)), split.held_out)))
    # 178 rows against 713 leave an AUC a standard error of 0.025, five folds' mean one of 0.011.
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.035)


def test_a_rate_that_leaves_out_the_own_label_alone_is_caught() -> None:
    """The leak that no flipped label shows: who died is compared with a higher rate."""
    features, y = bundled()
    split = repeated_stratified_splits(y, folds=5, repeats=1, seed=0)[0]
    survived, rows = y[split.train].sum(), len(split.train)
    rate = np.full(len(y), survived / rows)
    rate[split.train] = (survived - y[split.train]) / (rows - 1)
    table = told(features.iloc[split.train], y[split.train], features).astype(float)
    held_out = np.isin(np.arange(len(y)), split.held_out)
    assert auc_of_telling_apart(table.assign(men_fared=table["men_fared"] + rate), held_out) > 0.9


def test_its_state_makes_it_again() -> None:
    features, y = bundled()
    companions = Companions().fit(Columns.of(features[:500]), y[:500])
    restored = Companions.from_state(json.loads(json.dumps(companions.state())))
    others = Columns.of(features[500:])
    np.testing.assert_equal(restored.transform(others), companions.transform(others))
