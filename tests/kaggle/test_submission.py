"""A submission is checked as strictly as Kaggle reads it."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from toads import LIKELY_TOADS, TOADS

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.titanic.columns import SCHEMA
from titanic_nn.errors import DataError
from titanic_nn.kaggle.submission import check_submission, describe_score, predicted_counts
from titanic_nn.tables.sources import Tables

GOOD = b"PassengerId,Survived\n11,0\n12,1\n13,1\n"


def tables_of(ids: list[int]) -> Tables:
    return Tables(
        schema=SCHEMA,
        train=pd.DataFrame(),
        test=pd.DataFrame({"PassengerId": ids}),
        source="given",
        location=Path("here"),
        train_sha256="",
        test_sha256="",
        notes=(),
        answers=None,
    )


@pytest.mark.parametrize(
    "content", [GOOD, GOOD.replace(b"\n", b"\r\n"), b"PassengerId,Survived\n13,1\n11,0\n12,1"]
)
def test_a_good_file_passes_in_any_order(content: bytes) -> None:
    codes = check_submission(content, tables_of([11, 12, 13]), file="mine.csv")
    assert codes.to_dict() == {11: 0, 12: 1, 13: 1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"12,1", b"12,1.0", "line 3, column Survived: '1.0' is not accepted; expected 0 or 1,"),
        (b"12,1", b"12,True", "line 3, column Survived: 'True' is not accepted"),
        (b"12,1", b"12,2", "line 3, column Survived: '2' is not accepted"),
        (b"12,1", b"12,", "is missing; expected 0 or 1"),
        (b"12,1", b"12,NaN", "is missing; expected 0 or 1"),
        (b"12,1", b"12.0,1", "line 3, column PassengerId: '12.0' is not accepted"),
        (b"12,1", b"11,1", "line 3, column PassengerId: 11 stands twice"),
        (b"12,1", b"99,1", "line 3, column PassengerId: 99 is none of the 3 passengers"),
        (b"12,1\n", b"", "column PassengerId: lacks 12; expected all 3 passengers"),
        (b"12,1\n13,1\n", b"", "column PassengerId: lacks 12 and 1 more"),
        (b"11,0\n12,1\n13,1\n", b"", "has a header but no rows"),
        (b"PassengerId", b"passengerid", "the column PassengerId is missing; rename"),
        (b"PassengerId", b" PassengerId", "line 1: the header is ' PassengerId,Survived'"),
        (b"PassengerId", b"\xef\xbb\xbfPassengerId", "line 1: the header is '\\ufeffPassenger"),
        (b"Survived\n11,0\n12,1\n13,1", b"Survived,x\n11,0,1\n12,1,1\n13,1,1", "nothing else"),
        (GOOD, b"", "is empty"),
    ],
)
def test_whatever_kaggle_would_refuse_or_misread_is_refused(
    old: bytes, new: bytes, message: str
) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(DataError) as raised:
        check_submission(GOOD.replace(old, new), tables_of([11, 12, 13]), file="mine.csv")
    assert str(raised.value).startswith("mine.csv")
    assert message in str(raised.value)


TOADS_WANTED = [f"t-{i}" for i in range(3)]
KINDS = b"""Code,Kind
t-0,common
t-1,"natterjack, running"
t-2,green = Bufotes
"""
LIKELY = b"""Code,common,green = Bufotes,"natterjack, running"
t-0,0.5,0.2,0.3
t-1,1e-9,0,1
t-2,0.3,0.4,0.3
"""


def toads_of(competition: Competition) -> Tables:
    table = tables_of([1])
    return replace(table, schema=competition.schema, test=pd.DataFrame({"Code": TOADS_WANTED}))


@pytest.mark.parametrize(("content", "toads"), [(KINDS, TOADS), (LIKELY, LIKELY_TOADS)])
def test_a_submission_of_three_classes_passes(content: bytes, toads: Competition) -> None:
    codes = check_submission(content, toads_of(toads), file="mine.csv")
    found = {"t-0": 0, "t-1": 2, "t-2": 1}
    assert codes.to_dict() == found
    counts = "1 predicted as common, 1 predicted as green, 1 predicted as natterjack"
    assert predicted_counts(codes, toads.schema) == counts


@pytest.mark.parametrize(
    ("toads", "old", "new", "message"),
    [
        (TOADS, b"common", b"Common", "line 2, column Kind: 'Common' is not accepted; expected"),
        (TOADS, b",Kind", b",kind", "the column Kind is missing; rename 'kind'?"),
        (LIKELY_TOADS, b"0.5", b"1.5", "line 2, column common: '1.5' is not accepted; expected a"),
        (LIKELY_TOADS, b"0.5", b"", "line 2, column common: the value is missing; expected a prob"),
        (LIKELY_TOADS, b"0.5", b"nan", "line 2, column common: the value is missing; expected"),
        (LIKELY_TOADS, b"0.5", b"-0.5", "line 2, column common: '-0.5' is not accepted"),
        (LIKELY_TOADS, b"0.5", b"0.6", "line 2: the probabilities of t-0 sum to 1.1; expected 1"),
        (LIKELY_TOADS, b"0.4", b"0.3", "line 4: the probabilities of t-2 sum to 0.9; expected 1"),
        (
            LIKELY_TOADS,
            b"Code,common,green = Bufotes",
            b"Code,green = Bufotes,common",
            "line 1: the header is 'Code,green = Bufotes,common,\"natterjack, running\"'; "
            'expected Code,common,green = Bufotes,"natterjack, running" and nothing else',
        ),
        (LIKELY_TOADS, LIKELY, KINDS, "the column common is missing"),
    ],
)
def test_a_bad_submission_of_three_classes_is_refused(
    toads: Competition, old: bytes, new: bytes, message: str
) -> None:
    content = (KINDS if toads is TOADS else LIKELY).replace(old, new, 1)
    with pytest.raises(DataError) as raised:
        check_submission(content, toads_of(toads), file="mine.csv")
    assert str(raised.value).startswith("mine.csv")
    assert message in str(raised.value)


def test_of_two_classes_the_probability_of_the_second_is_submitted() -> None:
    schema = replace(SCHEMA, submission="probabilities")
    tables = replace(tables_of([11, 12, 13]), schema=schema)
    content = b"PassengerId,Survived\n11,0.49\n12,0.5\n13,1\n"
    codes = check_submission(content, tables, file="mine.csv")
    assert codes.to_dict() == {11: 0, 12: 1, 13: 1}
    with pytest.raises(
        DataError, match=r"line 3, column Survived: '2' is not accepted; expected a"
    ):
        check_submission(content.replace(b"0.5", b"2"), tables, file="mine.csv")


def test_a_score_of_probabilities_is_not_taken_for_an_accuracy() -> None:
    assert describe_score("0.41", 40, LIKELY_TOADS) == "public score 0.41"
    assert "0.41 ± 0.152 (95 %, 40 toads)" in describe_score("0.41", 40, TOADS)


def test_a_hundred_thousand_rows_are_checked_too() -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(100_000))
    content = b"PassengerId,Survived\n" + rows.encode()
    codes = check_submission(content, tables_of([*range(100_000)]), file="big.csv")
    assert codes.sum() == 50_000
