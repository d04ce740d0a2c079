"""Score a submission without Kaggle, against the bundled table's answers.csv.

No other module opens that file, so none of its labels can get into training.
"""

from pathlib import Path

import pandas as pd

from titanic_nn.errors import DataError
from titanic_nn.files import read_bytes
from titanic_nn.kaggle.submission import check_submission
from titanic_nn.tables.schema import check_table
from titanic_nn.tables.sources import Tables


def offline_score(submission: Path | pd.DataFrame, tables: Tables) -> float:
    """The accuracy of a submission, as on Kaggle's leaderboard: the fraction of right labels.

    Where it holds probabilities, the likeliest class is a row's label.
    `submission` is a CSV file, or a DataFrame of the id column and the target column. Raises
    DataError if it is malformed or has other ids, or if the tables, unlike bundled ones, have no
    answers.
    """
    if tables.answers is None:
        raise DataError(f"{tables.location}: has no answers; only a bundled table has them")
    if isinstance(submission, Path):
        file, content = str(submission), read_bytes(submission)
    else:
        file, content = "the submission", submission.to_csv(index=False).encode()
    predicted = check_submission(content, tables, file=file)
    id, target = tables.schema.id, tables.schema.target
    file, content = str(tables.answers), read_bytes(tables.answers)
    true = check_table(content, file=file, columns=(id, target), id=id).table
    return float((predicted.loc[true[id.name]].to_numpy() == true[target.name]).mean())
