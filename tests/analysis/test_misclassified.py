import io

import pandas as pd
import pytest

from titanic_nn.errors import DataError
from titanic_nn.analysis.misclassified import companions, hard_passengers

# Two Greens on one ticket with their maid; Browns who are kin, and one who only bears the name.
TRAIN = pd.read_csv(
    io.StringIO(
        """\
PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked
1,0,1,"Green, Mrs. Ann",female,38,1,0,100,70,,S
2,1,1,"Green, Mr. Bob",male,40,1,0,100,70,,S
3,1,1,"Maid, Miss. Cat",female,22,0,0,100,70,,S
4,1,3,"Brown, Mr. Dan",male,25,0,1,200,8,,S
5,0,3,"Brown, Mr. Eli",male,50,0,1,300,8,,S
6,0,3,"Brown, Mr. Fay",male,30,0,0,400,8,,S
"""
    )
)
TEST = TRAIN.drop(columns="Survived").tail(1).assign(PassengerId=7, SibSp=0, Parch=1)
EVERYONE = pd.concat([TRAIN, TEST], ignore_index=True)


def oof(**said: list[float]) -> pd.DataFrame:
    """Two repeats of the six passengers, half of the rows each."""
    ids = [*TRAIN["PassengerId"], *TRAIN["PassengerId"]]
    table = pd.DataFrame({"PassengerId": ids, "Survived": [*TRAIN["Survived"]] * 2})
    return table.assign(repeat=[0] * 6 + [1] * 6, fold=0, **said)


def test_those_are_hard_whom_every_model_gets_wrong_on_average() -> None:
    # 1 died: a says (0.9 + 0.7) / 2 = 0.8 and b 0.6: both wrong.
    # 2 lived: a says (0.6 + 0.2) / 2 = 0.4 and b 0.5, which is rightly "lives": not hard.
    # 4 lived: a says 0.1 and b 0.1: both wrong, and surer than of passenger 1.
    a = [0.9, 0.6, 0.9, 0.1, 0.1, 0.1, 0.7, 0.2, 0.9, 0.1, 0.1, 0.1]
    b = [0.6, 0.5, 0.9, 0.1, 0.9, 0.1] * 2
    hard = hard_passengers(oof(a=a, b=b), TRAIN)
    assert hard["PassengerId"].tolist() == [4, 1]
    assert list(hard) == ["PassengerId", "Survived", "a", "b", *TRAIN.columns[2:]]
    assert hard["a"].tolist() == pytest.approx([0.1, 0.8])
    assert hard["Name"].tolist() == ["Brown, Mr. Dan", "Green, Mrs. Ann"]
    assert hard["Survived"].tolist() == [1, 0]


def test_where_all_are_right_nobody_is_hard() -> None:
    right = [0.1, 0.9, 0.9, 0.9, 0.1, 0.1] * 2
    hard = hard_passengers(oof(a=right), TRAIN)
    assert hard.empty
    assert companions(hard["PassengerId"], EVERYONE).empty


def test_companions_share_a_ticket_or_a_surname_and_the_size_of_the_family() -> None:
    found = companions(pd.Series([1, 5, 6]), EVERYONE)
    pairs = found[["of", "PassengerId"]].to_numpy().tolist()
    # Passenger 6 bears the name alone; passenger 7 of test.csv is kin, and on 6's ticket.
    assert pairs == [[1, 2], [1, 3], [5, 4], [5, 7], [6, 7]]
    fates = found["Survived"].tolist()
    assert fates[:3] == [1, 1, 1]
    assert pd.isna(fates[3])


@pytest.mark.parametrize("spoilt", [TRAIN.head(5), TRAIN.assign(Survived=1 - TRAIN["Survived"])])
def test_another_table_is_refused(spoilt: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"not those of train\.csv"):
        hard_passengers(oof(a=[0.5] * 12), spoilt)
