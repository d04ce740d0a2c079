"""The file that Kaggle scores: PassengerId and Survived as 0 or 1, nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from titanic_nn.errors import DataError
from titanic_nn.files import write_text
from titanic_nn.tables.schema import Column, Text, check_table

THRESHOLD = 0.5
HEADER = b"PassengerId,Survived"


def write_submission(path: Path, passenger_ids: ArrayLike, probability: ArrayLike) -> None:
    """Write a submission for passengers (rows,) and their probabilities of surviving (rows,)."""
    survived = (np.asarray(probability) >= THRESHOLD).astype(int)
    table = pd.DataFrame({"PassengerId": np.asarray(passenger_ids), "Survived": survived})
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def check_submission(content: bytes, passenger_ids: "pd.Series[int]", *, file: str) -> int:
    """Check a submission's bytes against the test passengers' ids (rows,); count its survivors.

    Stricter than any other table: "1.0" reads well, but Kaggle scores it as a wrong answer.

    Raises:
        DataError: Kaggle would refuse the file, or misread it.
    """
    checked = check_table(content, file=file, columns=_COLUMNS)
    header = content.splitlines()[0]
    if header != HEADER:
        raise DataError(
            f"{file}, line 1: the header is {header.decode(errors='replace')!r}; "
            f"expected {HEADER.decode()} and nothing else"
        )
    given = pd.Index(checked.table["PassengerId"])
    asked = pd.Index(passenger_ids)
    foreign = ~given.isin(asked)
    if foreign.any():
        row = int(foreign.argmax())
        raise DataError(
            f"{file}, line {checked.lines[row]}, column PassengerId: {given[row]} is none of the "
            f"{len(asked)} passengers that the competition asks for"
        )
    if len(given) < len(asked):
        lacking = asked[~asked.isin(given)]
        raise DataError(
            f"{file}, column PassengerId: lacks {lacking[0]}"
            + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")
            + f"; expected all {len(asked)} passengers of the competition"
        )
    return int(checked.table["Survived"].sum())


def _digits(text: Text) -> pd.Series:
    return pd.to_numeric(text.where(text.str.fullmatch("[0-9]{1,15}")))


def _zero_or_one(text: Text) -> pd.Series:
    return pd.to_numeric(text.where(text.isin(["0", "1"])))


_COLUMNS = (
    Column("PassengerId", "int64", _digits, "a whole number, in digits only"),
    Column("Survived", "int64", _zero_or_one, "0 or 1, without a decimal point"),
)
