"""A submission is checked as strictly as Kaggle reads it."""

from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.errors import DataError
from titanic_nn.kaggle.submission import check_submission, write_submission

IDS = pd.Series([11, 12, 13])
GOOD = b"PassengerId,Survived\n11,0\n12,1\n13,1\n"


@pytest.mark.parametrize(
    "content", [GOOD, GOOD.replace(b"\n", b"\r\n"), b"PassengerId,Survived\n13,1\n11,0\n12,1"]
)
def test_a_good_file_passes_in_any_order(content: bytes) -> None:
    assert check_submission(content, IDS, file="mine.csv") == 2


def test_what_is_written_passes(tmp_path: Path) -> None:
    write_submission(tmp_path / "mine.csv", [11, 12, 13], [0.1, 0.5, 0.9])
    assert (tmp_path / "mine.csv").read_bytes() == GOOD
    assert check_submission(GOOD, IDS, file="mine.csv") == 2


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
        (b"11,0\n12,1\n13,1\n", b"", "has a header but no passengers"),
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
        check_submission(GOOD.replace(old, new), IDS, file="mine.csv")
    assert str(raised.value).startswith("mine.csv")
    assert message in str(raised.value)


def test_a_hundred_thousand_rows_are_checked_too() -> None:
    ids = pd.Series(range(100_000))
    rows = "".join(f"{number},{number % 2}\n" for number in range(100_000))
    content = b"PassengerId,Survived\n" + rows.encode()
    assert check_submission(content, ids, file="big.csv") == 50_000
