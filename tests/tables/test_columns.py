"""Features as arrays: rows are taken, categories are counted and looked up."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal
from spaceship_tables import passengers
from titanic_tables import bundled

from benchmarks.synthetic import make_passengers
from titanic_nn.competitions.spaceship.competition import SPACESHIP
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.tables.columns import Columns


def decks(*of: str | None) -> Columns:
    passengers = make_passengers(len(of), seed=0)
    cabins = [None if deck is None else f"{deck}12" for deck in of]
    return TITANIC.features.columns(passengers.assign(Cabin=pd.Series(cabins, dtype=object)))


def test_taken_rows_have_the_values_of_the_table() -> None:
    features = TITANIC.features.row_features(make_passengers(50, seed=0))
    rows = np.array([7, 3, 44])
    taken = Columns.of(features, TITANIC.features.text_columns).take(rows)
    assert len(taken) == 3
    assert taken.ids.tolist() == features.index[rows].tolist()
    for name, column in features.iloc[rows].items():
        if name in TITANIC.features.text_columns:
            categories = [*taken.categories[str(name)], None]
            found = [categories[code] for code in taken.codes[str(name)]]
            assert found == [None if pd.isna(text) else text for text in column]
        else:
            assert_array_equal(taken.numbers[str(name)], column)


def test_categories_are_counted_among_the_rows_that_were_taken() -> None:
    columns = decks("B", "A", None, "B", "C")
    assert columns.count("deck") == {"A": 1, "B": 2, "C": 1}
    assert columns.take(np.array([0, 2, 3])).count("deck") == {"B": 2}


def test_categories_are_looked_up() -> None:
    columns = decks("B", "A", None, "B", "C")
    assert columns.look_up("deck", {"A": 10, "B": 20}).tolist() == [20, 10, -1, 20, -1]
    assert columns.look_up("deck", {}, otherwise=0).tolist() == [0] * 5


def test_counts_are_looked_up_in_rows_of_the_same_table_and_of_another() -> None:
    columns = decks("B", "A", None, "B", "C")
    for counted in (columns, columns.take(np.array([0, 2, 3]))):
        counts = counted.count("deck")
        for rows in (columns, decks("C", "B", None, "G")):
            expected = rows.look_up("deck", dict(counts), otherwise=7)
            assert rows.look_up("deck", counts, otherwise=7).tolist() == expected.tolist()


def test_the_columns_of_tables_are_those_of_their_rows(tmp_path: Path) -> None:
    together = passengers(groups=40)  # the test table cuts groups, whose size is a feature
    together[::7].drop(columns="Transported").to_csv(tmp_path / "test.csv", index=False)
    together.drop(together.index[::7]).to_csv(tmp_path / "train.csv", index=False)
    for features, tables in (
        (TITANIC.features, bundled()),
        (SPACESHIP.features, SPACESHIP.load(tmp_path)),
    ):
        both = pd.concat([tables.train, tables.test])
        for test_rows, table in ((True, both), (False, tables.train)):
            found = tables.columns(features, test_rows=test_rows)
            assert_same(found, features.columns(table))
            assert tables.columns(features, test_rows=test_rows) is found


def assert_same(found: Columns, expected: Columns) -> None:
    assert_array_equal(found.ids, expected.ids)
    assert found.numbers.keys() == expected.numbers.keys()
    for name, numbers in expected.numbers.items():
        assert_array_equal(found.numbers[name], numbers)
    for name, codes in expected.codes.items():
        texts = [
            np.array([*columns.categories[name], None], dtype=object)[at]
            for columns, at in ((found, found.codes[name]), (expected, codes))
        ]
        assert_array_equal(*texts)
