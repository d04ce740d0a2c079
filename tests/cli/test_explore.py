"""A first look at the tables, as a user takes it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frogs import FROGS, register, write_frogs
from refusals import refused

from titanic_nn.analysis.exploration import explore
from titanic_nn.cli.explore import main
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import DataError

BUNDLED = get_competition("titanic").search[-1][1]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_rates_and_missing_values_are_those_of_the_tables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--data", str(BUNDLED), "--out", "look"])
    shown = capsys.readouterr().out
    assert shown.startswith("Passengers: 891 train")
    assert "left out: Name, Ticket." in shown
    assert {path.name for path in Path("look").iterdir()} == {
        "explore.csv",
        "missing.csv",
        "explore.png",
    }
    assert Path("look/explore.png").read_bytes().startswith(b"\x89PNG")
    train, test = (pd.read_csv(BUNDLED / f"{name}.csv") for name in ("train", "test"))
    rates = pd.read_csv("look/explore.csv")
    for column in ("Sex", "Pclass"):
        own = rates[rates["column"] == column].set_index("value")
        expected = train.groupby(train[column].astype(str))["Survived"].agg(["size", "mean"])
        assert own["rows"].to_dict() == expected["size"].to_dict()
        np.testing.assert_allclose(own["rate"], expected["mean"])
    cabins = rates[rates["column"] == "Cabin"].set_index("value")
    known = train["Cabin"].notna()
    assert cabins.loc["(known)", "rate"] == pytest.approx(train.loc[known, "Survived"].mean())
    # Each row is in one value of each column, missing or not.
    assert (rates.groupby("column")["rows"].sum() == len(train)).all()
    ages = rates[(rates["column"] == "Age") & (rates["value"] != "(missing)")]
    assert len(ages) == 5
    assert ages["rows"].max() < 1.3 * ages["rows"].min()
    low, high = map(float, ages["value"].iloc[1].split(" to "))
    inside = train["Age"].gt(low) & train["Age"].le(high)
    assert ages["rate"].iloc[1] == pytest.approx(train.loc[inside, "Survived"].mean())
    missing = pd.read_csv("look/missing.csv").set_index("column")
    assert missing.loc["Age", "train"] == pytest.approx(train["Age"].isna().mean())
    assert missing.loc["Age", "test"] == pytest.approx(test["Age"].isna().mean())
    assert "Sex" not in missing.index


def test_another_competition_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(monkeypatch)
    write_frogs(Path("frogs"))
    main(["--competition", FROGS.slug, "--data", "frogs", "--json"])
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert Path(found["folder"], "explore.png").is_file()
    by_column = {row["column"] for row in found["rates"]}
    assert by_column == {"Length", "Colour"}
    frogs = pd.read_csv("frogs/train.csv")
    green = next(row for row in found["rates"] if row["value"] == "green")
    of_green = frogs.loc[frogs["Colour"] == "green", "Voice"] == "croaks"
    assert green["rate"] == pytest.approx(of_green.mean())
    assert green["low"] < green["rate"] < green["high"]
    assert "Fraction of class croaking" in output.err


def test_a_table_with_no_value_in_a_column_is_shown() -> None:
    text = "Code,Voice,Length,Colour\nA,silent,,red\nB,croaks,,red\n"
    Path("tables").mkdir()
    Path("tables/train.csv").write_text(text, encoding="utf-8")
    Path("tables/test.csv").write_text("Code,Length,Colour\nC,1,red\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        main(["--competition", FROGS.slug, "--data", "tables", "--out", "look"])
    rates = pd.read_csv("look/explore.csv")
    assert rates["value"].tolist() == ["(missing)", "red"]
    assert rates["rate"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere"], "nowhere: cannot be read as a folder"),
        (["--out", "."], "--out .: is there already"),
        (["--competition", "nothing"], "nothing"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").touch()
    refused(main, words, said, capsys)
    assert [path.name for path in Path().iterdir()] == ["mine"]


def test_a_table_of_names_only_is_refused() -> None:
    write_frogs(Path("frogs"))
    tables = FROGS.load(Path("frogs"))
    names = [f"colour {i}" for i in range(len(tables.train))]
    with pytest.raises(DataError, match="frogs: every column is text with more than 10 values"):
        explore(
            replace(
                tables,
                schema=replace(tables.schema, columns=tables.schema.columns[1:]),
                train=tables.train.assign(Colour=names),
            )
        )
