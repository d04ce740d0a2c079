"""A competition's table to numbers: the encoder as a scikit-learn transformer."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from titanic_nn import CompetitionFeatures, LinearClassifier, load_tables
from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import FeatureConfig
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.features import Feature, FeatureSet
from titanic_nn.tables.schema import Column, TableSchema, any_text, class_codes, numbers

TABLES = load_tables()
TRAIN, TEST, Y = TABLES.train, TABLES.test, TABLES.y


def test_scikit_learn_s_own_checks() -> None:
    # scikit-learn tests with matrices of numbers, and warns of this as for its DictVectorizer.
    with pytest.warns(UserWarning, match="Can't test estimator CompetitionFeatures"):
        check_estimator(CompetitionFeatures())


def test_parameters_are_the_settings() -> None:
    # Groups can be counted among all known rows only where these are known: in a run.
    names = {f.name for f in fields(FeatureConfig)} - {"count_groups_among"} | {"competition"}
    assert set(CompetitionFeatures().get_params()) == names


def test_it_is_the_encoder() -> None:
    features = CompetitionFeatures().fit(TRAIN, Y)
    columns = TITANIC.features.columns
    encoder = Encoder(TITANIC.features, FeatureConfig()).fit(columns(TRAIN), Y)
    assert_array_equal(features.transform(TEST), encoder.transform(columns(TEST)))
    again = CompetitionFeatures.from_encoder(TITANIC, encoder)
    assert_array_equal(again.transform(TEST), features.transform(TEST))
    assert again.feature_names_in_.tolist() == TEST.columns.tolist()
    assert features.get_feature_names_out().tolist() == encoder.feature_names
    assert features.n_features_in_ == 12
    assert_array_equal(CompetitionFeatures().fit_transform(TRAIN, Y), features.transform(TRAIN))


def test_min_category_rows_acts() -> None:
    few, many = (CompetitionFeatures(min_category_rows=n).fit(TRAIN, Y) for n in (1, 50))
    assert len(few.get_feature_names_out()) > len(many.get_feature_names_out())


def test_a_table_as_pandas_reads_it() -> None:
    # Mixed types, another order of columns, one more column, as in a notebook.
    raw = TRAIN.assign(Pclass=TRAIN["Pclass"].astype(object), Note="x")[
        ["Note", *reversed(TRAIN.columns)]
    ]
    assert_array_equal(
        CompetitionFeatures().fit_transform(raw, Y), CompetitionFeatures().fit_transform(TRAIN, Y)
    )


def test_without_ids_every_row_is_a_new_one() -> None:
    anonymous = TRAIN.drop(columns="PassengerId")
    with_ids, without = CompetitionFeatures().fit(TRAIN, Y), CompetitionFeatures().fit(anonymous, Y)
    assert_array_equal(
        CompetitionFeatures().fit_transform(anonymous, Y),
        CompetitionFeatures().fit_transform(TRAIN, Y),
    )
    assert_array_equal(
        without.transform(TEST.drop(columns="PassengerId")), with_ids.transform(TEST)
    )
    # Recognized by their id they are counted once, else twice.
    shared = list(without.get_feature_names_out()).index("ticket shared by")
    once, twice = with_ids.transform(TRAIN), without.transform(anonymous)
    assert (twice[:, shared] > once[:, shared]).all()


def test_another_row_with_a_training_row_s_id_is_a_new_one() -> None:
    features = CompetitionFeatures().fit(TRAIN, Y)
    strangers = TEST.assign(PassengerId=TRAIN["PassengerId"][: len(TEST)], Ticket="unheard of")
    anonymous = strangers.drop(columns="PassengerId")
    assert_array_equal(features.transform(strangers), features.transform(anonymous))
    assert np.isfinite(features.transform(strangers)).all()


def test_set_output_names_rows_and_columns() -> None:
    features = CompetitionFeatures().set_output(transform="pandas").fit(TRAIN, Y)
    frame = features.transform(TEST)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == features.get_feature_names_out().tolist()
    assert frame.index.equals(TEST.index)
    assert {"title=Mr", "age missing", "fare per head"} <= set(frame.columns)


def test_pipelines_and_other_transformers_take_it() -> None:
    net = LinearClassifier(n_seeds=1, random_state=0)
    model = clone(make_pipeline(CompetitionFeatures(), net)).fit(TRAIN, Y)
    assert model.score(TRAIN, Y) > 0.8
    columns = ColumnTransformer([("features", CompetitionFeatures(), list(TEST.columns))])
    assert_array_equal(columns.fit(TRAIN, Y).transform(TEST), model[0].transform(TEST))


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("Sex", "man", "X, row 3, column Sex: 'man' is not accepted; expected male or female"),
        ("Pclass", 4, "X, row 3, column Pclass: 4 is not accepted; expected 1, 2 or 3"),
        ("SibSp", np.nan, "X, row 3, column SibSp: the value is missing"),
        ("Age", -1.0, "X, row 3, column Age: -1.0 is not accepted"),
    ],
)
def test_a_bad_value_is_named(column: str, value: Any, error: str) -> None:
    bad = TEST.copy()
    bad[column] = [value if row == 3 else old for row, old in enumerate(TEST[column])]
    with pytest.raises(DataError, match=error):
        CompetitionFeatures().fit(TRAIN, Y).transform(bad)


def test_what_is_no_table_of_the_competition() -> None:
    with pytest.raises(DataError, match="X: is a ndarray; expected a pandas DataFrame"):
        CompetitionFeatures().fit(np.zeros((2, 2)), [0, 1])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"X: the column Sex is missing; rename 'sex'\?"):
        CompetitionFeatures().fit(TRAIN.rename(columns={"Sex": "sex"}), Y)
    with pytest.raises(DataError, match="X: has no rows"):
        CompetitionFeatures().fit(TRAIN[:0], [])
    with pytest.raises(NotFittedError):
        CompetitionFeatures().transform(TEST)


def test_features_read_the_labels_of_other_rows_but_not_their_own() -> None:
    names = [f.label for f in TITANIC.features.features if f.reads_labels]
    train = TRAIN.drop(columns="PassengerId")
    encoded = pd.DataFrame(
        CompetitionFeatures().set_output(transform="pandas").fit_transform(train, Y), TRAIN.index
    )[names]
    row = 7
    flipped = Y.copy()
    flipped[row] = 1 - flipped[row]
    again = (
        CompetitionFeatures().set_output(transform="pandas").fit_transform(train, flipped)[names]
    )
    assert_array_equal(encoded.iloc[row], again.iloc[row])
    assert (encoded.to_numpy() != again.to_numpy()).any()


@pytest.mark.parametrize(
    ("y", "error"),
    [(Y[:5], "give one label per passenger"), (Y + 1, r"other than 0 \(died\) and 1 \(survived\)")],
)
def test_wrong_labels_are_one_line(y: Any, error: str) -> None:
    with pytest.raises(DataError, match=error):
        CompetitionFeatures().fit(TRAIN, y)


def test_a_competition_that_is_not_known() -> None:
    with pytest.raises(ConfigError, match="competition 'other' is not known here"):
        CompetitionFeatures("other").fit(TRAIN, Y)


@pytest.fixture
def shops(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A competition with text ids and no fitted features; its table."""
    text: dict[str, Any] = {"dtype": "str", "parse": any_text, "expected": "text"}
    schema = TableSchema(
        id=Column("shop", **text),
        target=Column("open", "int64", lambda t: class_codes(t, ("no", "yes")), "yes or no"),
        columns=(Column("city", **text), Column("size", "float64", numbers, "a number")),
        row_name="shop",
        labels=("no", "yes"),
        class_names=("closed", "open"),
    )
    features = FeatureSet(
        (Feature("city", "category", "", ""), Feature("size", "number", "", "")),
        lambda table: table.set_index("shop")[["city", "size"]],
    )
    rule = Rule("none", "no rule", lambda names: pytest.fail("not used"))
    competition = Competition(
        slug="shops", title="Shops", schema=schema, features=features, rule=rule
    )
    monkeypatch.setitem(COMPETITIONS, "shops", competition)
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "shop": [f"A{i}" for i in range(40)],
            "city": rng.choice(["Rome", "Oslo"], 40),
            "size": rng.random(40),
        }
    )


def test_another_competition_with_text_ids_or_none(shops: pd.DataFrame) -> None:
    y = (shops["size"] > 0.5).astype(int)
    features = CompetitionFeatures("shops").fit(shops, y)
    assert features.get_feature_names_out().tolist() == ["city=Oslo", "city=Rome", "size"]
    anonymous = shops.drop(columns="shop")
    assert_array_equal(features.transform(anonymous), features.transform(shops))
    again = CompetitionFeatures.from_state(features.state())
    assert again.get_params() == features.get_params()
    assert_array_equal(again.transform(shops), features.transform(shops))
    with pytest.raises(DataError, match=r"0 \(closed\) and 1 \(open\)"):
        features.fit(shops, y + 1)
