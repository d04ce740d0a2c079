"""A submission scored without Kaggle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from titanic_nn.errors import DataError
from titanic_nn.kaggle.offline import offline_score
from titanic_nn.tables.sources import SEARCH, load_passengers

TRUE = pd.DataFrame({"PassengerId": [11, 12, 13, 14], "Survived": [0, 1, 1, 0]})


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    TRUE.to_csv(path, index=False)
    return path


def test_the_score_is_the_share_of_right_labels(answers: Path) -> None:
    submission = TRUE.assign(Survived=[0, 1, 0, 0])  # passenger 13 is wrong: 3 of 4
    assert offline_score(submission, answers) == 0.75
    assert offline_score(TRUE, answers) == 1.0
    assert offline_score(TRUE.assign(Survived=1 - TRUE["Survived"]), answers) == 0.0


def test_passengers_are_matched_by_id_not_by_place(answers: Path) -> None:
    submission = TRUE.assign(Survived=[0, 1, 0, 0]).iloc[[2, 0, 3, 1]]
    assert offline_score(submission, answers) == 0.75


def test_a_file_scores_as_its_frame_does(answers: Path, tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    submission = TRUE.assign(Survived=[1, 1, 0, 0])
    submission.to_csv(path, index=False)
    assert offline_score(path, answers) == offline_score(submission, answers) == 0.5


def test_the_sex_rule_on_the_bundled_table_scores_as_scikit_learn_says() -> None:
    passengers = load_passengers(search=SEARCH[3:])
    assert passengers.answers is not None
    rule = (passengers.test["Sex"] == "female").astype(int)
    submission = pd.DataFrame({"PassengerId": passengers.test["PassengerId"], "Survived": rule})
    expected = accuracy_score(pd.read_csv(passengers.answers)["Survived"], rule)
    assert offline_score(submission, passengers.answers) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (TRUE.iloc[:3], r"the submission, column PassengerId: lacks 14; expected the 4 passengers"),
        (TRUE.iloc[:0], r"the submission: has a header but no passengers"),
        (TRUE.assign(PassengerId=[11, 12, 13, 11]), r"line 5, column PassengerId: 11 stands twice"),
        (TRUE.assign(Survived=[0, 1, 2, 0]), r"line 4, column Survived: '2' is not accepted"),
        (TRUE.assign(Survived=[0, 1, 0.7, 0]), r"line 4, column Survived: '0.7' is not accepted"),
        (TRUE.assign(Survived=[0, 1, np.nan, 0]), r"line 4, column Survived: the value is missing"),
        (TRUE[["PassengerId"]], r"line 1: 'PassengerId' is a single field"),
        (TRUE.rename(columns={"Survived": "survived"}), r"column Survived is missing; rename"),
        (
            pd.concat([TRUE, pd.DataFrame({"PassengerId": [99], "Survived": [1]})]),
            r"column PassengerId: has 99, who is unknown",
        ),
    ],
)
def test_what_kaggle_would_refuse_is_refused(
    submission: pd.DataFrame, message: str, answers: Path
) -> None:
    with pytest.raises(DataError, match=message):
        offline_score(submission, answers)


def test_missing_files_are_named(answers: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read as a file: No such file"):
        offline_score(tmp_path / "nowhere.csv", answers)
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read as a file: No such file"):
        offline_score(TRUE, tmp_path / "nowhere.csv")
