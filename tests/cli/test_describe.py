"""`titanic-nn describe`: a description that can be trained on, or one line that says why not."""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from own_tables import MESSY, SMALL, TWO_CLASSES, messy, write_table
from refusals import refused
from titanic_tables import BUNDLED

from titanic_nn.cli import describe, train
from titanic_nn.competitions.own_table.description import check_description, read_description

ROWS = 60


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(**columns: Any) -> pd.DataFrame:
    """A table with an id and a target, and these columns."""
    rows = np.arange(ROWS)
    return pd.DataFrame({"id": rows, **columns, "target": rows % 2})


def described(frame: pd.DataFrame, *options: str) -> dict[str, Any]:
    """What is said of a table, which is written as it is and has no test.csv beside it."""
    frame.to_csv("alone.csv", index=False)
    Path("own.toml").unlink(missing_ok=True)
    describe.main(["alone.csv", "--out", "own.toml", *options])
    read_description(Path("own.toml"))
    return tomllib.loads(Path("own.toml").read_text(encoding="utf-8"))


def test_titanic_is_described() -> None:
    describe.main([str(BUNDLED / "train.csv"), "--out", "ship.toml"])
    assert tomllib.loads(Path("ship.toml").read_text()) == {
        "id": "PassengerId",
        "target": "Survived",
        "labels": ["0", "1"],
        "row_name": "row",
        "submission": "labels",
        "numbers": ["Pclass", "Age", "SibSp", "Parch", "Fare"],
        "categories": ["Sex", "Embarked"],
        "booleans": [],
        "dates": [],
        "ignore": ["Name", "Ticket", "Cabin"],
    }


def test_each_line_has_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(Path("data"), messy(), "ill")
    describe.main(["data/train.csv"])
    text = capsys.readouterr().out
    found = tomllib.loads(text)
    expected = tomllib.loads(MESSY)
    for name in ("id", "target", "numbers", "categories", "booleans", "dates"):
        assert found[name] == expected[name]
    assert found["ignore"] == ["household", "note"]
    assert found["labels"] == ["ja", "nein"]  # which one is positive, it cannot know
    for line in (
        'id = "case no"  # another value in each of 180 rows',
        'target = "ill"  # test.csv lacks it',
        '    "note",  # text: 180 different values',
    ):
        assert line in text
    assert re.search(r'"seen",  # 2023-11-\d\d to 2024-\d\d-\d\d; \d+\.\d % missing\n', text)
    check_description(found)


def test_the_description_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(Path("data"), TWO_CLASSES["moons"]())
    describe.main(["data/train.csv", "--out", "moons.toml"])
    assert capsys.readouterr().out == (
        "Written: moons.toml. Correct it, then "
        "`titanic-nn train --competition moons.toml --data data`\n"
    )
    before = Path("moons.toml").read_text()
    message = "--out moons.toml: is there already; choose another name"
    refused(describe.main, ["data/train.csv", "--out", "moons.toml"], message, capsys)
    assert Path("moons.toml").read_text() == before
    message = "--out moons: choose a name that ends in .toml"
    refused(describe.main, ["data/train.csv", "--out", "moons"], message, capsys)


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (["yes", "no"], "booleans", "no and yes"),
        (["True", "False"], "booleans", "False and True"),
        (["0", "1"], "booleans", "0 and 1"),
        (["1", "2", "3"], "numbers", "3 whole numbers; categories, if they are codes"),
        ([f"{i}.5" for i in range(30)], "numbers", "30 different values"),
        ([f"{i}" for i in range(30)], "numbers", "30 different values"),
        (["-1.5e3", "", "7", "8.25"], "numbers", "3 different values; 25.0 % missing"),
        (["01234", "20095"], "categories", "2 different values"),
        (["red", "green", ""], "categories", "2 different values; 33.3 % missing"),
        (["2024-02-29", "2023-01-01 10:00"], "dates", "2023-01-01 10:00 to 2024-02-29"),
        ([f"{i} said" for i in range(30)], "ignore", "text: 30 different values"),
        ([f"{i}" for i in range(19)] + ["n.a."], "ignore", "numbers, but for n.a. on line 21"),
        (["same"], "ignore", "the same in every row"),
        ([""], "ignore", "empty"),
        (["x", ""], "categories", "1 different values; 50.0 % missing"),
    ],
)
def test_a_column_is_what_its_values_are(values: list[str], kind: str, why: str) -> None:
    column = [values[i % len(values)] for i in range(ROWS)]
    found = described(table(number=np.arange(ROWS) / 7, column=column))
    assert "column" in found[kind]
    assert f'    "column",  # {why}\n' in Path("own.toml").read_text()


def test_a_second_id_and_what_may_be_groups_are_not_used() -> None:
    number = np.arange(ROWS)
    found = described(table(row_id=number + 7, patient_id=[f"p{i // 2}" for i in number], x=number))
    assert found["id"] == "id"
    assert found["ignore"] == ["row_id", "patient_id"]
    text = Path("own.toml").read_text()
    assert '"row_id",  # another value in each row: a second id' in text
    assert '"patient_id",  # 30 different values; it may be groups' in text


def test_the_target_is_the_one_that_is_named() -> None:
    frame = table(kind=["a", "b", "c"] * 20)
    assert described(frame)["target"] == "target"
    found = described(frame, "--target", "kind")
    assert (found["target"], found["labels"]) == ("kind", ["a", "b", "c"])
    assert found["booleans"] == ["target"]
    last = frame[["id", "target", "kind"]].rename(columns={"target": "x"})
    assert described(last)["target"] == "kind"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["yes", "no"], ["no", "yes"]),
        (["True", "False"], ["False", "True"]),
        (["10", "9"], ["9", "10"]),
        (["b", "a"], ["a", "b"]),
    ],
)
def test_labels_are_in_the_order_of_their_classes(values: list[str], labels: list[str]) -> None:
    found = described(table(x=np.arange(ROWS) / 7).assign(target=values * (ROWS // 2)))
    assert found["labels"] == labels


def test_any_name_of_a_column_is_read_back() -> None:
    names = ['a "b"', "back\\slash", "bell\x07", "\u202eright", "hash # tag", "ünï 🐸", "x\x9by"]
    found = described(table(**{name: np.arange(ROWS) / 7 for name in names}))
    assert found["numbers"] == names


def test_a_column_without_a_name_is_left_out() -> None:
    found = described(table(x=np.arange(ROWS) / 7).rename_axis("").reset_index())
    assert found["numbers"] == ["x"]


def test_what_test_csv_lacks_is_no_feature() -> None:
    Path("data").mkdir()
    frame = table(x=np.arange(ROWS) / 7, later=np.arange(ROWS) / 3)
    frame.to_csv("data/train.csv", index=False)
    frame[["id", "x"]].assign(id=frame["id"] + 100).to_csv("data/test.csv", index=False)
    describe.main(["data/train.csv", "--out", "own.toml"])
    found = tomllib.loads(Path("own.toml").read_text())
    assert (found["target"], found["numbers"], found["ignore"]) == ("target", ["x"], ["later"])
    train.main(["--competition", "own.toml", "--data", "data", "--models", "linear", *SMALL])


X = np.arange(ROWS) / 7


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (table(x=X), ["--target", "y"], "alone.csv, line 1: there is no column y"),
        (
            table(x=X).assign(target="a"),
            ["--target", "target"],
            "column target: every row has a; e",
        ),
        (
            table(x=X).assign(target=[""] + ["a", "b"] * 29 + ["a"]),
            ["--target", "target"],
            "alone.csv, line 2, column target: the value is missing; expected a label",
        ),
        (
            table(x=X).assign(target=X),
            [],
            "alone.csv: no column has 2 to 20 values and none missing, to be predicted; name one",
        ),
        (
            table(x=X).assign(id=[*range(1, ROWS), 1]),
            [],
            "alone.csv: no column has another value in each row; id has 1 on line 2 and on line 61",
        ),
        (table(), [], "alone.csv: no column but id and target has numbers, dates or categories"),
        (
            table(fold=X),
            [],
            "alone.csv: the column 'fold' (numbers) has a name that a run's own tables use; rename",
        ),
        (table(x=X).head(0), [], "alone.csv: has a header but no rows below it"),
        (
            table(x=X)[["id"]],
            [],
            "alone.csv, line 1: 'id' is a single field; expected names betwee",
        ),
    ],
)
def test_what_cannot_be_described_is_one_line(
    frame: pd.DataFrame,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    frame.to_csv("alone.csv", index=False)
    refused(describe.main, ["alone.csv", "--out", "own.toml", *options], message, capsys)
    assert [path.name for path in Path().iterdir()] == ["alone.csv"]


def test_a_number_is_no_target(capsys: pytest.CaptureFixture[str]) -> None:
    rows = np.arange(1000)
    pd.DataFrame({"id": rows, "x": rows % 7, "price": rows / 8}).to_csv("alone.csv", index=False)
    message = (
        "alone.csv, column price: 1000 different values, like '0.0'; a target has 2 to 100 "
        "classes: predicting a number (regression) is not possible"
    )
    refused(describe.main, ["alone.csv", "--target", "price"], message, capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "alone.csv: cannot be read as a file: No such file or directory"),
        (b"\x89PNG\r\n\x1a\n\xff", "alone.csv, line 1: the byte 0x89 is not UTF-8"),
        (b"id,x,x,target\n1,2,3,0\n", "alone.csv, line 1: the column x stands 2 times"),
        (b"id,x,target\n1,2,0\n1,2\n", "alone.csv, line 3: the record that begins with '1' has 2"),
        (b"", "alone.csv: is empty; expected a CSV file with a header line"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(
    content: bytes | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("alone.csv").write_bytes(content)
    refused(describe.main, ["alone.csv"], message, capsys)
