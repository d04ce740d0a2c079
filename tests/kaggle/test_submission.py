"""A submission is checked as strictly as Kaggle reads it."""

from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.competitions.titanic.columns import SCHEMA
from titanic_nn.errors import DataError
from titanic_nn.kaggle.submission import check_submission
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


def test_a_hundred_thousand_rows_are_checked_too() -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(100_000))
    content = b"PassengerId,Survived\n" + rows.encode()
    codes = check_submission(content, tables_of([*range(100_000)]), file="big.csv")
    assert codes.sum() == 50_000
