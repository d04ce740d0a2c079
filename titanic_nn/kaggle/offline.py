"""Score a submission without Kaggle, against the bundled answers.csv.

No other module opens that file, so no label of it can find its way into training.
"""

from pathlib import Path

import pandas as pd

from titanic_nn.errors import DataError
from titanic_nn.tables.schema import PASSENGER_ID, SURVIVED, check_table, read_bytes


def offline_score(submission: Path | pd.DataFrame, answers: Path) -> float:
    """Return the accuracy, as Kaggle's leaderboard does: the share of passengers labelled rightly.

    Args:
        submission: a CSV file or a frame with the columns PassengerId and Survived (0 or 1).
        answers: the CSV file of true labels, with the same columns and passengers in any order.

    Raises:
        DataError: either is malformed, or they don't list the same passengers.
    """
    if isinstance(submission, Path):
        file, content = str(submission), read_bytes(submission)
    else:
        file, content = "the submission", submission.to_csv(index=False).encode()
    predicted = _labels(content, file)
    true = _labels(read_bytes(answers), str(answers))

    lacking = true.index.difference(predicted.index)
    unknown = predicted.index.difference(true.index)
    if len(lacking) or len(unknown):
        fault = f"lacks {lacking[0]}" if len(lacking) else f"has {unknown[0]}, who is unknown"
        raise DataError(
            f"{file}, column PassengerId: {fault}; expected the {len(true)} passengers of {answers}"
        )
    return float((predicted.loc[true.index] == true).mean())


def _labels(content: bytes, file: str) -> "pd.Series[int]":
    """Read Survived, indexed by PassengerId."""
    checked = check_table(content, file=file, columns=(PASSENGER_ID, SURVIVED))
    return checked.table.set_index("PassengerId")["Survived"]
