"""What a table must look like, and the error where it does not."""

import csv
import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_tables import BAD_TABLES, TEST, TRAIN, BadTable, write_good_pair
from frogs import FROGS

from titanic_nn.competitions.titanic.columns import SCHEMA
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.files import read_bytes
from titanic_nn.tables.schema import (
    LONGEST_LINE,
    CheckedTable,
    Column,
    TableSchema,
    any_text,
    check_frame,
    check_labelled,
    check_pair,
    check_table,
    class_codes,
    numbers,
    read_in_parts,
)
from titanic_nn.tables.sources import load_tables


def check(text: str, *, labelled: bool = True, schema: TableSchema = SCHEMA) -> CheckedTable:
    if labelled:
        return check_labelled(text.encode(), file="train.csv", schema=schema)
    columns, id = schema.test_columns, schema.id
    return check_table(text.encode(), file="train.csv", columns=columns, id=id)


@pytest.mark.parametrize("bad", BAD_TABLES, ids=lambda bad: bad.id)
def test_bad_data_is_refused_with_the_facts_in_one_line(bad: BadTable, tmp_path: Path) -> None:
    write_good_pair(tmp_path)
    bad.spoil(tmp_path)

    with pytest.raises(DataError) as caught:
        TITANIC.load(tmp_path)

    message = str(caught.value)
    assert str(tmp_path) in message
    for fragment in bad.fragments:
        assert fragment in message
    assert len(message.splitlines()) == 1


def test_a_good_table_comes_back_typed(tmp_path: Path) -> None:
    write_good_pair(tmp_path)

    train = check(read_bytes(tmp_path / "train.csv").decode())
    test = check(read_bytes(tmp_path / "test.csv").decode(), labelled=False)

    assert list(train.table) == [column.name for column in SCHEMA.train_columns]
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


def test_extra_columns_are_dropped_with_a_note() -> None:
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


def test_an_unknown_port_is_accepted() -> None:
    checked = check(TEST.replace(",,,Q", ",,,Belfast"), labelled=False)
    assert checked.table["Embarked"][0] == "Belfast"


def test_numbers_are_read_to_the_last_bit() -> None:
    fares = ["7.2292", "26.2875", "151.55", "512.3292", "0.1", "1e-3", "247.5208"]
    rows = [f'{i},3,"A, Mr. B",male,,0,0,T,{fare},,S' for i, fare in enumerate(fares)]
    text = "\n".join([TEST.splitlines()[0], *rows])
    assert check(text, labelled=False).table["Fare"].tolist() == [float(fare) for fare in fares]


def test_a_large_table_is_read_whole_and_its_lines_are_right() -> None:
    rows = [f'{i},{i % 2},3,"A,\nMr. B",male,,0,0,T,7,,S' for i in range(30_000)]
    text = "\n".join([TRAIN.splitlines()[0], *rows])
    checked = check(text)
    assert checked.table["PassengerId"].tolist() == list(range(30_000))
    # Line 1 is the header, and each row takes two lines.
    assert checked.lines.tolist() == list(range(2, 60_002, 2))
    with pytest.raises(DataError, match=r"line 60000, column Sex: 'Mail' is not accepted"):
        check("Mail".join(text.rsplit("male", 1)))


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(DataError) as caught:
        check(TRAIN.replace("54.5", "9" * 10_000))
    assert len(str(caught.value)) < 200


def test_no_row_may_be_in_both_tables() -> None:
    train, test = check(TRAIN), check(TEST, labelled=False)
    check_pair(train, test, SCHEMA)
    with pytest.raises(DataError, match=r"line 2, column PassengerId: 1 also stands in .*line 2"):
        check_pair(train, check(TRAIN, labelled=False), SCHEMA)


def test_each_class_must_be_in_each_fold(tmp_path: Path) -> None:
    # Two rows of either class.
    write_good_pair(tmp_path)
    tables = TITANIC.load(tmp_path)
    tables.check_folds(2)
    with pytest.raises(
        DataError, match=r"train\.csv, column Survived: 2 passengers have 0, too few for 3 folds"
    ):
        tables.check_folds(3)
    (tmp_path / "train.csv").write_text(re.sub(r"^3,1.*\n", "", TRAIN, flags=re.MULTILINE))
    with pytest.raises(DataError, match="1 passengers have 1, too few for 2 folds"):
        TITANIC.load(tmp_path).check_folds(2)


# --- A DataFrame is checked as a file is ---


def test_a_frame_comes_back_as_its_file_does() -> None:
    expected = check(TEST, labelled=False).table
    frame = pd.read_csv(io.StringIO(TEST))[::-1].assign(Deck="F")
    checked = check_frame(frame, name="X", columns=SCHEMA.test_columns)
    pd.testing.assert_frame_equal(checked, expected[::-1].reset_index(drop=True))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([[1, 2]], "X: is a list; expected a pandas DataFrame"),
        (check(TEST, labelled=False).table[:0], "X: has no rows"),
        (check(TEST, labelled=False).table.drop(columns="Age"), "X: the column Age is missing"),
        (
            check(TEST, labelled=False).table.assign(Pclass=[3, 4]),
            "X, row 1, column Pclass: 4 is not accepted; expected 1, 2 or 3",
        ),
        (
            check(TEST, labelled=False).table.assign(Sex=["male", np.nan]),
            "X, row 1, column Sex: the value is missing; expected male or female",
        ),
    ],
)
def test_a_frame_that_breaks_the_schema_is_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError) as caught:
        check_frame(frame, name="X", columns=SCHEMA.test_columns)
    assert str(caught.value) == message


# --- Another competition's schema: text ids, text labels ---

LABELS = ("no", "yes")
CUSTOMERS = TableSchema(
    id=Column("Customer", "str", any_text, "a customer's name"),
    target=Column("Bought", "int64", partial(class_codes, labels=LABELS), "no or yes"),
    columns=(
        Column("Town", "str", any_text, "a town"),
        Column("Spent", "float64", numbers, "an amount, or nothing", may_be_missing=True),
    ),
    row_name="customer",
    labels=LABELS,
    class_names=("left", "bought"),
)
SOLD = "Customer,Bought,Town,Spent\na-1,yes,Bern,2.5\nb 2,no,Bern,\n007,yes,Uri,3\n7,no,Uri,1\n"


def unlabelled(customers: int) -> str:
    rows = "".join(f'c{i},"Bern\nWest",{i}\n' for i in range(customers))
    return f"Customer,Town,Spent\n{rows}"


def in_parts(text: str, rows: int) -> list[CheckedTable]:
    stream = io.BytesIO(text.encode())
    return list(read_in_parts(stream, file="new.csv", rows=rows, schema=CUSTOMERS))


def test_text_labels_are_read_as_class_codes_and_text_ids_as_they_are_written() -> None:
    table = check(SOLD, schema=CUSTOMERS).table
    assert list(table) == ["Customer", "Bought", "Town", "Spent"]
    assert table["Bought"].tolist() == [1, 0, 1, 0]
    assert table["Bought"].dtype == np.int64
    assert table["Customer"].tolist() == ["a-1", "b 2", "007", "7"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2,no,", "2,maybe,", "line 3, column Bought: 'maybe' is not accepted; expected no or yes"),
        ("2,no,", "2,Yes,", "line 3, column Bought: 'Yes' is not accepted; expected no or yes"),
        ("2,no,", "2,1,", "line 3, column Bought: '1' is not accepted; expected no or yes"),
        ("2,no,", "2,,", "line 3, column Bought: the value is missing; expected no or yes"),
        ("b 2", "a-1", "line 3, column Customer: a-1 stands twice, first on line 2"),
        ("b 2", "", "line 3, column Customer: the value is missing; expected a customer's name"),
    ],
)
def test_a_wrong_text_label_or_id_is_one_clear_line(old: str, new: str, message: str) -> None:
    assert SOLD.count(old) == 1
    with pytest.raises(DataError) as caught:
        check(SOLD.replace(old, new), schema=CUSTOMERS)
    assert str(caught.value) == f"train.csv, {message}"


def test_rows_of_one_class_only_are_called_by_their_label() -> None:
    with pytest.raises(
        DataError, match="column Bought: every customer has yes; expected both no and yes"
    ):
        check(SOLD.replace(",no,", ",yes,"), schema=CUSTOMERS)


def test_a_pair_with_text_ids_and_labels_is_loaded_from_a_folder_and_named_in_errors(
    tmp_path: Path,
) -> None:
    (tmp_path / "train.csv").write_text(SOLD)
    (tmp_path / "test.csv").write_text(unlabelled(3))
    tables = load_tables(CUSTOMERS, tmp_path, archive="customers.zip")
    assert tables.y.tolist() == [1, 0, 1, 0]
    assert tables.describe().startswith("Customers: 4 train, 3 test, given")
    with pytest.raises(DataError, match="column Bought: 2 customers have no, too few for 3 folds"):
        tables.check_folds(3)
    (tmp_path / "test.csv").write_text(unlabelled(3).replace("c1", "b 2"))
    with pytest.raises(DataError, match=r"line 4, column Customer: b 2 also stands in .*line 3; a"):
        load_tables(CUSTOMERS, tmp_path, archive="customers.zip")


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_a_table_read_in_parts_is_the_table_read_whole(rows: int) -> None:
    text = unlabelled(7)
    parts = in_parts(text, rows)
    assert [len(part.table) for part in parts] == [min(rows, 7 - i) for i in range(0, 7, rows)]
    whole = check(text, labelled=False, schema=CUSTOMERS)
    together = pd.concat([part.table for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together, whole.table)
    # Each record takes two lines, counted over the parts.
    lines = np.concatenate([part.lines for part in parts])
    assert lines.tolist() == whole.lines.tolist() == list(range(2, 16, 2))


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_an_id_must_be_unique_over_all_parts(rows: int) -> None:
    text = unlabelled(7).replace("c5", "c1")
    message = r"^new\.csv, line 12, column Customer: c1 stands twice, first on line 4$"
    with pytest.raises(DataError, match=message):
        in_parts(text, rows)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_mistake_in_a_later_part_is_named_by_its_line_in_the_file(rows: int) -> None:
    text = unlabelled(7).replace(",5\n", ",much\n")
    with pytest.raises(DataError, match=r"^new\.csv, line 12, column Spent: 'much' is not"):
        in_parts(text, rows)


def test_parts_may_lack_the_id_column() -> None:
    records = csv.reader(io.StringIO(unlabelled(5)))
    text = "".join(f'"{town}",{spent}\n' for _, town, spent in records)
    parts = in_parts(text, rows=2)
    assert [list(part.table) for part in parts] == [["Town", "Spent"]] * 3
    assert [amount for part in parts for amount in part.table["Spent"]] == [0, 1, 2, 3, 4]


def test_a_file_without_line_breaks_is_not_read_to_its_end() -> None:
    with open("/dev/zero", "rb") as zeros, pytest.raises(DataError, match="line 1: holds a NUL"):
        next(read_in_parts(zeros, file="/dev/zero", rows=10, schema=SCHEMA))
    line = io.BytesIO(b"a" * (LONGEST_LINE + 1))
    with pytest.raises(DataError, match=f"line 1: has {LONGEST_LINE} bytes and more"):
        next(read_in_parts(line, file="long", rows=10, schema=SCHEMA))


def test_text_columns_that_pandas_took_for_numbers_are_text_again() -> None:
    frame = pd.read_csv(io.StringIO(TEST), dtype={"Ticket": str})
    frame["Ticket"] = [113803, 4]
    frame["Cabin"] = np.nan
    frame["Embarked"] = [7.0, np.nan]
    checked = check_frame(frame, name="X", columns=SCHEMA.test_columns)
    assert checked["Ticket"].tolist() == ["113803", "4"]
    assert checked["Cabin"].isna().all()
    assert checked["Embarked"].fillna("none").tolist() == ["7", "none"]
    assert len(TITANIC.features.columns(checked)) == 2
    for age in (120.5, -1, 2 + 3j, np.inf):
        frame["Age"] = age
        with pytest.raises(DataError, match=r"row 0, column Age: .*years from 0 to 120"):
            check_frame(frame, name="X", columns=SCHEMA.test_columns)


@pytest.mark.parametrize("changes", [{"labels": ("x", "Code", "z")}, {"labels": ("x", "y")}])
def test_a_submission_s_columns_have_names_of_their_own(changes: dict[str, Any]) -> None:
    target = replace(FROGS.schema.target, name="Code" if len(changes["labels"]) == 2 else "Voice")
    with pytest.raises(ConfigError, match="and the id's, Code: choose another name"):
        replace(FROGS.schema, target=target, submission="probabilities", **changes)
