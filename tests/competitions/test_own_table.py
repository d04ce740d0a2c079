"""An own table's columns and features: parsed as described, fitted on training rows only."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from leaks import Encode, assert_held_out_features_do_not_leak, assert_labels_do_not_leak
from numpy.typing import NDArray
from own_tables import MESSY, messy, write_table

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.own_table.competition import own_table
from titanic_nn.competitions.own_table.description import Description, check_description
from titanic_nn.competitions.own_table.features import SkewedNumbers, group_numbers
from titanic_nn.config import FeatureConfig
from titanic_nn.errors import ConfigError, DataError, ModelError
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder, SplitEncoders
from titanic_nn.tables.schema import check_frame
from titanic_nn.tables.splits import Split


def described(**columns: object) -> Competition:
    """A table with the id `id`, the target `y`, and these columns."""
    return own_table(check_description({"id": "id", "target": "y", "labels": [0, 1], **columns}))


def features(competition: Competition, **values: object) -> pd.DataFrame:
    """The features of rows with these values."""
    table = pd.DataFrame(values).assign(id=lambda t: [f"i{i}" for i in range(len(t))])
    checked = check_frame(table, name="X", columns=competition.schema.test_columns)
    return competition.features.row_features(checked)


def test_equal_descriptions_are_one_competition() -> None:
    a = described(numbers=["x"], labels=["0", "1"])
    assert described(numbers=["x"], row_name="row") is a
    assert described(numbers=["x"], row_name="pea") is not a
    assert check_description(json.loads(json.dumps(a.own))) == Description(
        id="id", target="y", labels=("0", "1"), numbers=("x",)
    )
    assert a.identity != described(numbers=["z"]).identity


def test_more_than_two_labels_are_classes_in_their_order() -> None:
    schema = described(numbers=["x"], labels=["low", "mid", "high"]).schema
    assert schema.labels == schema.class_names == ("low", "mid", "high")
    codes = schema.target.parse(pd.Series(["high", "low", "other"], dtype=str))
    assert codes.tolist()[:2] == [2, 0]
    assert np.isnan(codes[2])


def test_booleans_are_read_in_the_usual_spellings() -> None:
    competition = described(booleans=["b"])
    found = features(competition, b=["True", "no", "Y", "0", None, "t"])
    assert found["b"].tolist() == [True, False, True, False, False, True]
    assert found["b missing"].tolist() == [False] * 4 + [True, False]
    assert features(competition, b=[True, False])["b"].tolist() == [True, False]
    with pytest.raises(DataError, match="column b: 'maybe' is not accepted; expected true or fals"):
        features(competition, b=["maybe"])


def test_a_date_is_split() -> None:
    found = features(described(dates=["d"]), d=["1970-01-03", "2024-02-29T18:30", None])
    assert found["d year"].tolist()[:2] == [1970, 2024]
    assert found["d month"].tolist()[:2] == ["01", "02"]
    assert found["d weekday"].tolist()[:2] == ["Saturday", "Thursday"]
    assert found["d hour"].tolist()[:2] == [0, 18.5]
    assert found["d days"].tolist()[:2] == [2, 19782 + 18.5 / 24]
    assert found.iloc[2].isna().sum() == 5
    assert found["d missing"].tolist() == [False, False, True]


def test_a_date_does_not_depend_on_the_rows_beside_it() -> None:
    dates = ["1700-01-01", "2199-12-31 23:59", "2024-01-01 00:00:00.123456789", "2024-01-01"]
    competition = described(dates=["d"])
    together = features(competition, d=dates)
    for i, date in enumerate(dates):
        alone = features(competition, d=[date])
        assert alone.iloc[0].tolist() == together.iloc[i].tolist()


@pytest.mark.parametrize(
    "date",
    ["1699-12-31", "2200-01-01", "2024-02-30", "20240229", "29.2.2024", "2024", "2024-02-29T25:00"],
)
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(
        DataError, match=f"column d: '{date}' is not accepted; expected a date like"
    ):
        features(described(dates=["d"]), d=["2024-02-29", date])


def test_a_checked_table_is_checked_again_as_it_is(tmp_path: Path) -> None:
    write_table(tmp_path / "data", messy(), "ill")
    competition = own_table(check_description(dict(_messy())))
    tables = competition.load(tmp_path / "data")
    again = check_frame(tables.test, name="X", columns=competition.schema.test_columns)
    pd.testing.assert_frame_equal(again, tables.test)


def _messy() -> dict[str, object]:
    import tomllib

    return tomllib.loads(MESSY)


def test_no_two_columns_have_one_name(tmp_path: Path) -> None:
    write_table(tmp_path / "data", messy(), "ill")
    competition = own_table(check_description(_messy()))
    tables = competition.load(tmp_path / "data")
    rows = competition.features.columns(tables.train)
    encoder = Encoder(competition.features, FeatureConfig(min_category_rows=70))
    encoder.fit(rows, tables.y)
    names = encoder.feature_names
    assert len(set(names)) == len(names)
    x = dict(zip(names, encoder.transform(rows).T, strict=True))
    kind = tables.train["kind"].to_numpy()
    counts = tables.train["kind"].value_counts()
    for value in ("rare", "common", "=odd"):
        label = f'kind="{value}"' if value == "rare" else f"kind={value}"
        if counts[value] >= 70:
            assert (x[label] == (kind == value)).all()
    assert (x["kind missing"] == tables.train["kind"].isna()).all()
    shared = [value for value in counts.index if counts[value] < 70]
    assert ("kind=rare" in x) == bool(shared)
    assert {"a b", "a b 2"} <= set(names)


def test_a_value_called_rare_keeps_its_column() -> None:
    values = ["rare"] * 6 + ["common"] * 6 + ["odd"] * 2
    competition = described(categories=["kind"])
    rows = competition.features.columns(
        pd.DataFrame({"id": [f"i{i}" for i in range(14)], "kind": values})
    )
    encoder = Encoder(competition.features, FeatureConfig()).fit(rows, np.zeros(14, np.int64))
    assert encoder.feature_names == ["kind=common", 'kind="rare"', "kind=rare"]
    expected = [[v == "common", v == "rare", v == "odd"] for v in values]
    assert encoder.transform(rows).tolist() == np.array(expected, np.float32).tolist()
    restored = Encoder.from_state(competition.features, json.loads(json.dumps(encoder.state())))
    assert restored.feature_names == encoder.feature_names


# --- Skewed numbers ---


def skewed(**numbers: list[float]) -> SkewedNumbers:
    """Fitted on training rows with these numbers."""
    made = described(numbers=[*numbers]).features.fitted
    assert made is not None
    fitted = made(FeatureConfig()).fit(columns(**numbers), np.zeros(0), None)
    assert isinstance(fitted, SkewedNumbers)
    return fitted


def columns(**numbers: list[float]) -> Columns:
    arrays = {name: np.array(values, np.float64) for name, values in numbers.items()}
    return Columns(np.arange(len(next(iter(arrays.values())))), arrays, {}, {})


def test_skewed_numbers_without_a_minus_become_logarithms() -> None:
    rng = np.random.default_rng(0)
    skew = np.exp(rng.normal(0, 1.5, 200))
    fitted = skewed(
        skew=skew.tolist(),
        even=rng.normal(9, 1, 200).tolist(),
        signed=(skew - 1).tolist(),
        missing=[np.nan] * 200,
        constant=[3.0] * 200,
    )
    assert fitted.scales == {"skew": pytest.approx(np.median(skew))}
    found = fitted.transform(columns(skew=[0, fitted.scales["skew"], -1, np.nan]))["skew"]
    assert found[:2].tolist() == pytest.approx([0, np.log(2)])
    assert found[2] == pytest.approx(-np.log1p(1 / fitted.scales["skew"]))
    assert np.isnan(found[3])


def test_the_unit_of_a_skewed_number_makes_no_difference() -> None:
    x = np.exp(np.random.default_rng(0).normal(0, 1.5, 100))
    metres, miles = (skewed(x=(x * unit).tolist()) for unit in (1.0, 0.0006))
    assert metres.transform(columns(x=x.tolist()))["x"].tolist() == pytest.approx(
        miles.transform(columns(x=(0.0006 * x).tolist()))["x"].tolist()
    )


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"scales": {"x": 0.0}},
        {"scales": {"x": float("inf")}},
        {"scales": {"x": "1"}},
        {"scales": {"z": 1.0}},
        {"scales": {"x": 1.0}, "more": 1},
        {"scales": [1.0]},
    ],
)
def test_a_state_that_is_none_is_refused(state: dict[str, object]) -> None:
    fitted = skewed(x=[0.0, 1, 1, 1, 50])
    assert type(fitted).from_state(FeatureConfig(), fitted.state()).scales == fitted.scales
    with pytest.raises(ModelError, match="fitted"):
        type(fitted).from_state(FeatureConfig(), {**state})


# --- Nothing leaks ---

SHIP = described(
    id="PassengerId",
    target="Survived",
    numbers=["Age", "SibSp", "Parch", "Fare"],
    categories=["Sex", "Embarked", "Cabin"],
    booleans=["Pclass"],
)


def encode(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    y = passengers["Survived"].fillna(-1).to_numpy(np.int64)  # -1: must not be read
    table = passengers.assign(Pclass=np.where(passengers["Pclass"] == 1, "true", "false"))
    rows = SHIP.features.columns(table)
    encoders = SplitEncoders(rows, y, splits, SHIP.features, FeatureConfig())
    return encoders.encode(range(len(splits)))


@pytest.mark.parametrize("check", [assert_labels_do_not_leak, assert_held_out_features_do_not_leak])
def test_nothing_leaks(check: object) -> None:
    assert callable(check)
    check(encode)


def test_the_scale_of_a_logarithm_is_that_of_the_training_rows() -> None:
    def fitted_on_all(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
        everyone = np.arange(len(passengers))
        return encode(passengers, [Split(s.repeat, s.fold, everyone, s.held_out) for s in splits])

    leaky: Encode = fitted_on_all
    with pytest.raises(AssertionError, match="held-out features reached the training rows"):
        assert_held_out_features_do_not_leak(leaky)


# --- Groups ---


def test_rows_that_agree_are_a_group_and_others_are_alone() -> None:
    competition = described(numbers=["x"], groups="home")
    rows = pd.DataFrame({"home": ["a", "b", np.nan, "a", np.nan]})
    assert competition.groups is not None
    found = competition.groups(rows)
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 4
    assert competition.config().group_folds
    assert not described(numbers=["x"]).config().group_folds
    assert group_numbers(pd.DataFrame({"home": [np.nan]}), "home").tolist() == [0]


def test_a_group_is_no_feature() -> None:
    found = features(described(numbers=["x"], groups="home"), x=[1.0], home=["a"])
    assert found.columns.tolist() == ["x", "x missing"]


def test_a_name_in_a_description_is_bounded() -> None:
    with pytest.raises(ConfigError, match=r"^numbers"):
        described(numbers=["x" * 201])
    with pytest.raises(ConfigError, match=r"^numbers"):
        described(numbers=[f"x{i}" for i in range(10_001)])
    with pytest.raises(ConfigError, match=r"^the names of columns have more than 262144 bytes"):
        described(numbers=[f"{i:0199}" for i in range(2000)])
    with pytest.raises(ConfigError, match=r"^name"):
        described(numbers=["x"], name="../x")
