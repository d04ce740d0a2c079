"""The bundled table: rebuilt from its source, and compared with Kaggle's."""

import gzip
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from titanic_tables import BUNDLED, KAGGLE, REPO, bundled

from titanic_nn.competitions.titanic.competition import TITANIC

NAMES = ("train.csv", "test.csv", "answers.csv")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    script = runpy.run_path(str(REPO / "data/build_bundled.py"))
    if not script["SOURCE"].is_file():
        pytest.skip("this scikit-learn was packed without its tests' data")
    return script


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(BUNDLED / name)


def test_building_again_gives_the_same_bytes(script: dict[str, Any], tmp_path: Path) -> None:
    script["build"](tmp_path)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (BUNDLED / name).read_bytes()


def test_a_changed_source_is_refused(script: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "other.arff.gz"
    other.write_bytes(gzip.compress(gzip.decompress(script["SOURCE"].read_bytes()) + b"\n"))
    with pytest.raises(SystemExit, match="MD5"):
        script["build"](tmp_path, other)


def test_the_source_is_read_as_scikit_learns_own_parser_does(script: dict[str, Any]) -> None:
    arff = pytest.importorskip("sklearn.externals._arff")
    with gzip.open(script["SOURCE"], "rt", encoding="utf-8") as file:
        data = arff.load(file, return_type=arff.DENSE)
    names = [name for name, _ in data["attributes"]]
    for passenger, row in zip(
        script["read_passengers"](script["SOURCE"]), data["data"], strict=True
    ):
        expected = dict(zip(names, row, strict=True))
        for name, text in passenger.items():
            value = expected[name.lower()]
            if isinstance(value, float):
                assert float(text) == value
            elif name == "Name":
                assert text.replace('"', "'") == value
            else:
                assert text == (value or "")


def test_it_has_kaggles_shape() -> None:
    train, test, answers = map(read, NAMES)
    assert train["PassengerId"].tolist() == list(range(1, 892))
    assert test["PassengerId"].tolist() == answers["PassengerId"].tolist() == list(range(892, 1310))
    assert list(answers) == ["PassengerId", "Survived"]
    assert "Survived" not in test
    # 500 of 1309 survived: 0.382 of 891 are 340.3, and of 418 are 159.7.
    assert train["Survived"].sum() == 340
    assert answers["Survived"].sum() == 160
    assert set(train["Embarked"].dropna()) == {"S", "C", "Q"}


def test_columns_that_give_the_outcome_away_are_dropped() -> None:
    features = "Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
    assert list(read("train.csv")) == f"PassengerId,Survived,{features}".split(",")
    assert list(read("test.csv")) == f"PassengerId,{features}".split(",")


def test_the_order_of_rows_does_not_tell_the_class_or_the_label() -> None:
    # OpenML's file is sorted by class; shuffled, the ids correlate with it by chance alone:
    # for 891 rows a correlation's standard deviation is 1/sqrt(890), about 0.034.
    train = read("train.csv")
    for name in ("Pclass", "Survived"):
        assert abs(train["PassengerId"].corr(train[name])) < 3 * 0.034


def test_it_passes_the_schema_without_a_note() -> None:
    tables = bundled()
    assert tables.source == "bundled"
    assert tables.notes == ()
    assert (len(tables.train), len(tables.test)) == (891, 418)


@pytest.mark.skipif(not KAGGLE.is_dir(), reason="Kaggle's own files are not here")
class TestAgainstKaggle:
    def test_it_lists_the_same_people_in_the_same_spelling(self) -> None:
        """All but Name, whose quotation marks are displaced in Kaggle's test.csv."""
        ours, kaggles = bundled(), TITANIC.load(KAGGLE)
        columns = ["Pclass", "Sex", "SibSp", "Parch", "Ticket", "Cabin", "Embarked"]

        def people(*tables: pd.DataFrame) -> Counter[tuple[object, ...]]:
            rows = pd.concat(tables)[columns].fillna("").itertuples(index=False, name=None)
            return Counter(rows)

        assert people(ours.train, ours.test) == people(kaggles.train, kaggles.test)
        assert set(kaggles.train["Name"]) <= {*ours.train["Name"], *ours.test["Name"]}

    def test_kaggles_own_files_pass_as_pandas_reads_them(self) -> None:
        tables = TITANIC.load(KAGGLE)
        assert tables.notes == ()
        for name, table in (("train.csv", tables.train), ("test.csv", tables.test)):
            expected = pd.read_csv(KAGGLE / name)
            expected["Name"] = expected["Name"].str.strip()
            pd.testing.assert_frame_equal(table, expected)
