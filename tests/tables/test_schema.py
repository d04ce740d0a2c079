"""What a table must look like, and what is said when it doesn't."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_tables import BAD_TABLES, TEST, TRAIN, BadTable, write_good_pair

from titanic_nn.errors import DataError
from titanic_nn.tables.schema import (
    TRAIN_COLUMNS,
    CheckedTable,
    check_classes,
    check_pair,
    check_passengers,
    read_passengers,
)
from titanic_nn.tables.sources import load_passengers


def check(text: str, *, labelled: bool = True) -> CheckedTable:
    return check_passengers(text.encode(), file="train.csv", labelled=labelled)


@pytest.mark.parametrize("bad", BAD_TABLES, ids=lambda bad: bad.id)
def test_bad_data_is_refused_with_the_facts_in_one_line(bad: BadTable, tmp_path: Path) -> None:
    write_good_pair(tmp_path)
    bad.spoil(tmp_path)

    with pytest.raises(DataError) as caught:
        load_passengers(tmp_path)

    message = str(caught.value)
    assert str(tmp_path) in message
    for fragment in bad.fragments:
        assert fragment in message
    assert len(message.splitlines()) == 1


def test_a_good_table_comes_back_typed(tmp_path: Path) -> None:
    write_good_pair(tmp_path)

    train = read_passengers(tmp_path / "train.csv", labelled=True)
    test = read_passengers(tmp_path / "test.csv", labelled=False)

    assert list(train.table) == [column.name for column in TRAIN_COLUMNS]
    assert list(test.table) == [name for name in train.table if name != "Survived"]
    for table in (train.table, test.table):
        for name in ("PassengerId", "Pclass", "SibSp", "Parch"):
            assert table[name].dtype == np.int64
        assert table["Age"].dtype == table["Fare"].dtype == np.float64
    assert train.table["Survived"].tolist() == [0, 1, 1, 0]
    assert train.table["Age"].tolist() == pytest.approx([22, 38, np.nan, 54.5], nan_ok=True)
    assert train.table["Name"][1] == 'Jones, Mrs. Eve (Ann "Nan" Hill)'
    assert train.table["Cabin"].isna().tolist() == [True, False, True, True]
    assert test.table["Fare"].isna().tolist() == [True, False]
    assert test.table["Embarked"].isna().tolist() == [False, True]
    assert train.lines.tolist() == [2, 3, 4, 5]
    assert train.notes == test.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + TRAIN, id="byte-order-mark"),
        pytest.param(TRAIN.replace("\n", "\r\n"), id="windows-line-ends"),
        pytest.param(TRAIN.replace("\n", "\r"), id="old-mac-line-ends"),
        pytest.param(TRAIN.removesuffix("\n"), id="no-last-line-end"),
        pytest.param("\n\n" + TRAIN.replace("\n", "\n\n"), id="empty-lines"),
        pytest.param(TRAIN.replace(",", ", "), id="blanks-before-fields"),
        pytest.param(TRAIN.replace(",male,", ", male\t,\t "), id="blanks-and-tabs-around-fields"),
        pytest.param(TRAIN.replace("\n1,0,3,", "\n1.0,0.0,3.00,"), id="whole-numbers-with-a-point"),
        pytest.param(TRAIN.replace(",,0,0,C", ",NA,0,0,C"), id="NA"),
        pytest.param(TRAIN.replace(",,0,0,C", ",NaN,0,0,C"), id="NaN"),
    ],
)
def test_how_the_file_is_written_does_not_matter(text: str) -> None:
    assert text != TRAIN
    table = check(text).table
    # Only ", " within a quoted name keeps its further blank.
    table["Name"] = table["Name"].str.replace(",  ", ", ")
    pd.testing.assert_frame_equal(table, check(TRAIN).table)


def test_columns_may_come_in_any_order() -> None:
    frame = check(TRAIN).table
    shuffled = frame[frame.columns[::-1]].to_csv(index=False)
    pd.testing.assert_frame_equal(check(shuffled).table, frame)


def test_extra_columns_are_dropped_with_a_word() -> None:
    rows = TRAIN.splitlines()
    text = "\n".join([rows[0] + ",Deck", *(row + ",F" for row in rows[1:])])
    checked = check(text)
    assert checked.notes == ("train.csv: the extra column 'Deck' was dropped",)
    pd.testing.assert_frame_equal(checked.table, check(TRAIN).table)


def test_labels_in_a_test_table_are_dropped_unread() -> None:
    # No 0 or 1 among them, which would be a complaint if they were read.
    text = re.sub(r"^(\d),[01]", r"\1,secret", TRAIN, flags=re.MULTILINE)
    checked = check(text, labelled=False)
    assert "Survived" not in checked.table
    assert checked.notes == ("train.csv: the extra column 'Survived' was dropped",)


def test_an_unknown_port_is_welcome() -> None:
    checked = check(TEST.replace(",,,Q", ",,,Belfast"), labelled=False)
    assert checked.table["Embarked"][0] == "Belfast"


def test_numbers_are_read_to_the_last_bit() -> None:
    fares = ["7.2292", "26.2875", "151.55", "512.3292", "0.1", "1e-3", "247.5208"]
    rows = [f'{i},3,"A, Mr. B",male,,0,0,T,{fare},,S' for i, fare in enumerate(fares)]
    text = "\n".join([TEST.splitlines()[0], *rows])
    assert check(text, labelled=False).table["Fare"].tolist() == [float(fare) for fare in fares]


def test_a_large_table_is_read_whole_and_its_lines_stay_right() -> None:
    rows = [f'{i},{i % 2},3,"A,\nMr. B",male,,0,0,T,7,,S' for i in range(30_000)]
    text = "\n".join([TRAIN.splitlines()[0], *rows])
    checked = check(text)
    assert checked.table["PassengerId"].tolist() == list(range(30_000))
    # Line 1 is the header, and each passenger takes two.
    assert checked.lines.tolist() == list(range(2, 60_002, 2))
    with pytest.raises(DataError, match=r"line 60000, column Sex: 'Mail' is not accepted"):
        check("Mail".join(text.rsplit("male", 1)))


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(DataError) as caught:
        check(TRAIN.replace("54.5", "9" * 10_000))
    assert len(str(caught.value)) < 200


def test_tables_without_a_common_passenger_are_a_pair() -> None:
    train, test = check(TRAIN), check(TEST, labelled=False)
    check_pair(train, test)
    with pytest.raises(DataError, match=r"line 2, column PassengerId: 1 also stands in .*line 2"):
        check_pair(train, check(TRAIN, labelled=False))


def test_each_class_must_reach_into_each_fold() -> None:
    # Two survivors and two victims.
    train = check(TRAIN).table
    check_classes(train, folds=2)
    with pytest.raises(
        DataError, match=r"train\.csv, column Survived: 2 passengers have 0, too few for 3 folds"
    ):
        check_classes(train, folds=3)
    with pytest.raises(DataError, match="1 passengers have 1, too few for 2 folds"):
        check_classes(train.iloc[[0, 1, 3]], folds=2)
