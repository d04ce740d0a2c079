"""A submission scored without Kaggle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.errors import DataError
from titanic_nn.kaggle.offline import offline_score
from titanic_nn.tables.sources import Tables

TRUE = pd.DataFrame({"PassengerId": [11, 12, 13, 14], "Survived": [0, 1, 1, 0]})


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Tables with four test rows and their answers."""
    TRUE.to_csv(tmp_path / "answers.csv", index=False)
    return replace(bundled(), test=TRUE[["PassengerId"]], answers=tmp_path / "answers.csv")


def bundled() -> Tables:
    places = [place for place in TITANIC.search if place[0] == "bundled"]
    return replace(TITANIC, search=places).load()


def test_the_score_is_the_share_of_right_labels(tables: Tables) -> None:
    submission = TRUE.assign(Survived=[0, 1, 0, 0])  # passenger 13 is wrong: 3 of 4
    assert offline_score(submission, tables) == 0.75
    assert offline_score(TRUE, tables) == 1.0
    assert offline_score(TRUE.assign(Survived=1 - TRUE["Survived"]), tables) == 0.0


def test_passengers_are_matched_by_id_not_by_place(tables: Tables) -> None:
    submission = TRUE.assign(Survived=[0, 1, 0, 0]).iloc[[2, 0, 3, 1]]
    assert offline_score(submission, tables) == 0.75


def test_a_file_scores_as_its_frame_does(tables: Tables, tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    submission = TRUE.assign(Survived=[1, 1, 0, 0])
    submission.to_csv(path, index=False)
    assert offline_score(path, tables) == offline_score(submission, tables) == 0.5


def test_the_sex_rule_on_the_bundled_table_scores_as_scikit_learn_says() -> None:
    tables = bundled()
    assert tables.answers is not None
    rule = (tables.test["Sex"] == "female").astype(int)
    submission = pd.DataFrame({"PassengerId": tables.test["PassengerId"], "Survived": rule})
    expected = accuracy_score(pd.read_csv(tables.answers)["Survived"], rule)
    assert offline_score(submission, tables) == pytest.approx(expected, abs=1e-12)


def test_tables_without_answers_are_refused(tables: Tables) -> None:
    with pytest.raises(DataError, match="has no answers; only a bundled table has them"):
        offline_score(TRUE, replace(tables, answers=None))


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (TRUE.iloc[:3], r"the submission, column PassengerId: lacks 14; expected all 4 passengers"),
        (TRUE.iloc[:0], r"the submission: has a header but no rows"),
        (TRUE.assign(PassengerId=[11, 12, 13, 11]), r"line 5, column PassengerId: 11 stands twice"),
        (TRUE.assign(Survived=[0, 1, 2, 0]), r"line 4, column Survived: '2' is not accepted"),
        (TRUE.assign(Survived=[0.0, 1, 1, 0]), r"line 2, column Survived: '0.0' is not accepted"),
        (
            TRUE.assign(Survived=["0", "1", np.nan, "0"]),
            r"column Survived: the value is missing",
        ),
        (TRUE[["PassengerId"]], r"line 1: 'PassengerId' is a single field"),
        (TRUE.rename(columns={"Survived": "survived"}), r"column Survived is missing; rename"),
        (
            pd.concat([TRUE, pd.DataFrame({"PassengerId": [99], "Survived": [1]})]),
            r"line 6, column PassengerId: 99 is none of the 4 passengers",
        ),
    ],
)
def test_what_kaggle_would_refuse_is_refused(
    submission: pd.DataFrame, message: str, tables: Tables
) -> None:
    with pytest.raises(DataError, match=message):
        offline_score(submission, tables)


def test_missing_files_are_named(tables: Tables, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.csv"
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read as a file: No such file"):
        offline_score(nowhere, tables)
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read as a file: No such file"):
        offline_score(TRUE, replace(tables, answers=nowhere))
