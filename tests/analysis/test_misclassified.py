import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from titanic_nn.analysis.misclassified import misclassified, related_rows
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import DataError
from titanic_nn.evaluation.predictions import models_of
from titanic_nn.tables.sources import Tables

TITANIC = get_competition("titanic")

# Two Greens and their maid on one ticket; two Browns who agree in name, class, port and fare, and
# a third who does not.
TRAIN = pd.read_csv(
    io.StringIO(
        """\
PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked
1,0,1,"Green, Mrs. Ann",female,38,1,0,100,70,,S
2,1,1,"Green, Mr. Bob",male,40,1,0,100,70,,S
3,1,1,"Maid, Miss. Cat",female,22,0,0,100,70,,S
4,1,3,"Brown, Mr. Dan",male,25,0,1,200,8,,S
5,0,3,"Brown, Mr. Eli",male,50,0,1,300,8,,S
6,0,3,"Brown, Mr. Fay",male,30,0,0,400,9,,Q
""",
    ),
    dtype={"Ticket": str, "Cabin": str},
)
TEST = TRAIN.drop(columns="Survived").tail(1).assign(PassengerId=7, Fare=8.0, Embarked="S")
TABLES = Tables(TITANIC.schema, TRAIN, TEST, "given", Path("here"), "0" * 64, "1" * 64, (), None)


def oof(**probabilities: list[float]) -> pd.DataFrame:
    """Two repeats of the six rows, one after the other."""
    ids = [*TRAIN["PassengerId"], *TRAIN["PassengerId"]]
    table = pd.DataFrame({"PassengerId": ids, "label": [*TRAIN["Survived"]] * 2})
    return table.assign(repeat=[0] * 6 + [1] * 6, fold=0, **probabilities)


def test_rows_that_every_model_misclassifies_on_average() -> None:
    # Row 1 is 0: a has a mean of (0.9 + 0.7) / 2 = 0.8 and b of 0.6: both wrong.
    # Row 2 is 1: a has (0.6 + 0.2) / 2 = 0.4, and b 0.5, which is right.
    # Row 4 is 1: a and b have 0.1: both wrong, and more so than for row 1.
    a = [0.9, 0.6, 0.9, 0.1, 0.1, 0.1, 0.7, 0.2, 0.9, 0.1, 0.1, 0.1]
    b = [0.6, 0.5, 0.9, 0.1, 0.9, 0.1] * 2
    found = misclassified(oof(a=a, b=b), TRAIN, TITANIC.schema)
    assert found["PassengerId"].tolist() == [4, 1]
    assert list(found) == ["PassengerId", "label", "a", "b", *TRAIN.columns[2:]]
    assert found["a"].tolist() == pytest.approx([0.1, 0.8])
    assert found["Name"].tolist() == ["Brown, Mr. Dan", "Green, Mrs. Ann"]
    assert found["label"].tolist() == [1, 0]
    assert models_of(oof(a=a, b=b)) == ["a", "b"]


def test_where_all_models_are_right_nothing_is_found() -> None:
    right = [0.1, 0.9, 0.9, 0.9, 0.1, 0.1] * 2
    found = misclassified(oof(a=right), TRAIN, TITANIC.schema)
    assert found.empty
    assert related_rows(found["PassengerId"], TABLES, TITANIC).empty


def test_another_schema_s_columns_are_used() -> None:
    names = {"PassengerId": "row", "Survived": "label"}
    schema = replace(
        TITANIC.schema,
        id=replace(TITANIC.schema.id, name="row"),
        target=replace(TITANIC.schema.target, name="label"),
    )
    wrong = oof(a=[0.9, 0.9, 0.9, 0.9, 0.1, 0.1] * 2).rename(columns=names)
    found = misclassified(wrong, TRAIN.rename(columns=names), schema)
    assert found["row"].tolist() == [1]
    assert list(found)[:3] == ["row", "label", "a"]


def test_related_rows_are_those_of_the_competition_s_group() -> None:
    found = related_rows([1, 5, 6], TABLES, TITANIC)
    # A family agrees in name, class, port and fare: row 7, of test.csv, is one of it. Row 6 is not,
    # but has the ticket of row 7, so all four are one party.
    pairs = found[["of", "PassengerId"]].to_numpy().tolist()
    assert pairs == [[1, 2], [1, 3], [5, 4], [5, 6], [5, 7], [6, 4], [6, 5], [6, 7]]
    assert found["label"].tolist()[:4] == [1, 1, 1, 0]
    assert pd.isna(found["label"].tolist()[4])
    everyone = pd.concat([TRAIN, TEST])
    assert TITANIC.groups is not None
    assert len(set(TITANIC.groups(everyone))) == 2


def test_without_groups_no_rows_are_related() -> None:
    assert related_rows([1, 5], TABLES, replace(TITANIC, groups=None)).empty


@pytest.mark.parametrize("changed", [TRAIN.head(5), TRAIN.assign(Survived=1 - TRAIN["Survived"])])
def test_another_table_is_refused(changed: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"passengers or labels are not those of train\.csv"):
        misclassified(oof(a=[0.5] * 12), changed, TITANIC.schema)
