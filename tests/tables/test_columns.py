"""Features as arrays: rows are taken, categories are counted and looked up."""

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal

from benchmarks.synthetic import make_passengers
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
