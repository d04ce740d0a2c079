"""Raw passengers in, numbers out: the encoder as a scikit-learn transformer."""

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

from titanic_nn import LinearClassifier, TitanicFeatures, load_passengers
from titanic_nn.errors import DataError
from titanic_nn.tables.encode import Encoder
from titanic_nn.competitions.titanic.features import FEATURES, passenger_features
from titanic_nn.config import FeatureConfig

PASSENGERS = load_passengers()
TRAIN, TEST = PASSENGERS.train, PASSENGERS.test
Y = TRAIN["Survived"].to_numpy()


def test_scikit_learn_s_own_checks() -> None:
    # Its matrices of numbers are no passengers; scikit-learn says so, as of its own DictVectorizer.
    with pytest.warns(UserWarning, match="Can't test estimator TitanicFeatures"):
        check_estimator(TitanicFeatures())


def test_parameters_are_the_settings() -> None:
    # Tickets can be counted among known passengers only where these are known: in a run.
    names = {f.name for f in fields(FeatureConfig)} - {"count_tickets_among"}
    assert set(TitanicFeatures().get_params()) == names


def test_it_is_the_encoder() -> None:
    features = TitanicFeatures().fit(TRAIN, Y)
    encoder = Encoder(FeatureConfig()).fit(passenger_features(TRAIN), Y)
    assert_array_equal(features.transform(TEST), encoder.transform(passenger_features(TEST)))
    assert features.get_feature_names_out().tolist() == encoder.feature_names
    assert features.n_features_in_ == 12
    assert_array_equal(TitanicFeatures().fit_transform(TRAIN, Y), features.transform(TRAIN))


def test_min_category_rows_acts() -> None:
    few, many = (TitanicFeatures(min_category_rows=n).fit(TRAIN, Y) for n in (1, 50))
    assert len(few.get_feature_names_out()) > len(many.get_feature_names_out())


def test_a_table_as_pandas_reads_it() -> None:
    # Mixed types, another order of columns, one more column: all as a notebook has them.
    raw = TRAIN.assign(Pclass=TRAIN["Pclass"].astype(object), Note="x")[
        ["Note", *reversed(TRAIN.columns)]
    ]
    assert_array_equal(
        TitanicFeatures().fit_transform(raw, Y), TitanicFeatures().fit_transform(TRAIN, Y)
    )


def test_without_ids_transform_takes_everyone_for_a_new_passenger() -> None:
    anonymous = TRAIN.drop(columns="PassengerId")
    with_ids, without = TitanicFeatures().fit(TRAIN, Y), TitanicFeatures().fit(anonymous, Y)
    assert_array_equal(
        TitanicFeatures().fit_transform(anonymous, Y), TitanicFeatures().fit_transform(TRAIN, Y)
    )
    assert_array_equal(
        without.transform(TEST.drop(columns="PassengerId")), with_ids.transform(TEST)
    )
    # Known by their id they are counted once; else a second time.
    shared = list(without.get_feature_names_out()).index("ticket shared by")
    once, twice = with_ids.transform(TRAIN), without.transform(anonymous)
    assert (twice[:, shared] > once[:, shared]).all()


def test_a_stranger_with_a_counted_passenger_s_number_is_a_new_passenger() -> None:
    features = TitanicFeatures().fit(TRAIN, Y)
    strangers = TEST.assign(PassengerId=TRAIN["PassengerId"][: len(TEST)], Ticket="unheard of")
    anonymous = strangers.drop(columns="PassengerId")
    assert_array_equal(features.transform(strangers), features.transform(anonymous))
    assert np.isfinite(features.transform(strangers)).all()


def test_set_output_names_rows_and_columns() -> None:
    features = TitanicFeatures().set_output(transform="pandas").fit(TRAIN, Y)
    frame = features.transform(TEST)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == features.get_feature_names_out().tolist()
    assert frame.index.equals(TEST.index)
    assert {"title=Mr", "age missing", "fare per head"} <= set(frame.columns)


def test_pipelines_and_other_transformers_take_it() -> None:
    net = LinearClassifier(n_seeds=1, random_state=0)
    model = clone(make_pipeline(TitanicFeatures(), net)).fit(TRAIN, Y)
    assert model.score(TRAIN, Y) > 0.8
    columns = ColumnTransformer([("features", TitanicFeatures(), list(TEST.columns))])
    assert_array_equal(columns.fit(TRAIN, Y).transform(TEST), model[0].transform(TEST))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("Sex", "man", "X, row 3, column Sex: 'man' is not accepted; expected male or female"),
        ("Pclass", 4, "X, row 3, column Pclass: 4 is not accepted; expected 1, 2 or 3"),
        ("SibSp", np.nan, "X, row 3, column SibSp: the value is missing"),
        ("Age", -1.0, "X, row 3, column Age: -1.0 is not accepted"),
    ],
)
def test_a_bad_value_is_named(column: str, value: Any, said: str) -> None:
    bad = TEST.copy()
    bad[column] = [value if row == 3 else old for row, old in enumerate(TEST[column])]
    with pytest.raises(DataError, match=said):
        TitanicFeatures().fit(TRAIN, Y).transform(bad)


def test_what_is_no_table_of_passengers() -> None:
    with pytest.raises(DataError, match="X: is a ndarray; expected a pandas DataFrame"):
        TitanicFeatures().fit(np.zeros((2, 2)), [0, 1])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"X: the column Sex is missing; rename 'sex'\?"):
        TitanicFeatures().fit(TRAIN.rename(columns={"Sex": "sex"}), Y)
    with pytest.raises(DataError, match="X: has no passengers"):
        TitanicFeatures().fit(TRAIN[:0], [])
    with pytest.raises(NotFittedError):
        TitanicFeatures().transform(TEST)


def test_labels_tell_how_companions_fared_but_not_the_own() -> None:
    names = [f.label for f in FEATURES if f.reads_labels]
    train = TRAIN.drop(columns="PassengerId")
    encoded = pd.DataFrame(
        TitanicFeatures().set_output(transform="pandas").fit_transform(train, Y), TRAIN.index
    )[names]
    row = 7
    flipped = Y.copy()
    flipped[row] = 1 - flipped[row]
    again = TitanicFeatures().set_output(transform="pandas").fit_transform(train, flipped)[names]
    assert_array_equal(encoded.iloc[row], again.iloc[row])
    assert (encoded.to_numpy() != again.to_numpy()).any()


@pytest.mark.parametrize(
    ("y", "said"), [(Y[:5], "give one label a passenger"), (Y + 1, "other than 0 .* and 1")]
)
def test_wrong_labels_are_one_line(y: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        TitanicFeatures().fit(TRAIN, y)
