"""What a run's folder gives back to the commands that read it."""

from pathlib import Path

import pytest

from titanic_nn.errors import DataError
from titanic_nn.runs.folder import read_table

GOOD = "model,fold,loss\nlinear,0,0.5\nlinear,1,0.25\n"


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(GOOD, encoding="utf-8")
    table = read_table(tmp_path, "history.csv", ["model"], ["fold", "loss"])
    assert table.to_dict("list") == {
        "model": ["linear", "linear"],
        "fold": [0, 1],
        "loss": [0.5, 0.25],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "history.csv: cannot be read (No such file or directory); give a run's folder"),
        (b"", "history.csv: is not the CSV file that a run writes (No columns to parse"),
        (b"\xff\xfe\x00", "history.csv: is not the CSV file that a run writes ('utf-8' codec"),
        (b'model,fold,loss\na,0,"0.5\n', "history.csv: is not the CSV file that a run writes ("),
        (b"model,fold\nlinear,0\n", "history.csv: has no column loss; make the run again"),
        (b"model,fold,loss\n", "history.csv: has a header but no rows below it"),
        (GOOD.replace("0.25", "low").encode(), "line 3, column loss: low is no finite number"),
        (GOOD.replace("0.25", "inf").encode(), "line 3, column loss: inf is no finite number"),
        (GOOD.replace("0.25", "").encode(), "line 3, column loss: nan is no finite number"),
    ],
)
def test_a_broken_table_gets_one_line(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path, "history.csv", ["model"], ["fold", "loss"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
