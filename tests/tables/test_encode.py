"""What the encoder fits on training rows, and how it then encodes any rows."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from titanic_tables import KAGGLE, bundled

from benchmarks.synthetic import make_passengers
from titanic_nn.competitions.form import raw_values
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.features import FEATURES, passenger_features
from titanic_nn.config import FeatureConfig
from titanic_nn.errors import ConfigError, ModelError
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder, SplitEncoders
from titanic_nn.tables.features import FeatureSet
from titanic_nn.tables.splits import Split, final_split, repeated_stratified_splits

EVERY_CATEGORY = FeatureConfig(min_category_rows=1)
KNOWN = FeatureConfig(min_category_rows=1, count_groups_among="known")
LABELS_OF = {feature.name: feature.label for feature in FEATURES}
READ_LABELS = {feature.label for feature in FEATURES if feature.reads_labels}

# Labels for tests in which they do not matter.
NOBODY = np.zeros(100, dtype=np.int64)


def columns(features: pd.DataFrame) -> Columns:
    """A table of features, as arrays."""
    return Columns.of(features, TITANIC.features.text_columns)


def fitted(
    train: Columns,
    y: NDArray[np.int64],
    config: FeatureConfig | None = None,
    known: Columns | None = None,
) -> Encoder:
    return Encoder(TITANIC.features, config or FeatureConfig()).fit(train, y, known)


def split_encoders(
    rows: Columns,
    y: NDArray[np.int64],
    splits: list[Split],
    config: FeatureConfig | None = None,
) -> SplitEncoders:
    return SplitEncoders(rows, y, splits, TITANIC.features, config or FeatureConfig())


def matrices(encoders: SplitEncoders) -> NDArray[np.float32]:
    """Those of all splits, (splits, rows, features)."""
    return np.concatenate([encoded.x for encoded in encoders.batches()])


def synthetic(rows: int) -> tuple[Columns, NDArray[np.int64]]:
    """Features and labels of made-up passengers."""
    passengers = make_passengers(rows, seed=0)
    return TITANIC.features.columns(passengers), passengers["Survived"].to_numpy()


def features_of(first_id: int = 1, **values: list[Any]) -> pd.DataFrame:
    """Features of passengers who differ in the given columns only."""
    rows = len(next(iter(values.values())))
    everyone = {
        "PassengerId": range(first_id, first_id + rows),
        "Pclass": 3,
        "Name": "Doe, Mr. John",
        "Sex": "male",
        "Age": 30.0,
        "SibSp": 0,
        "Parch": 0,
        "Ticket": [f"T {i}" for i in range(first_id, first_id + rows)],
        "Fare": 8.0,
        "Cabin": None,
        "Embarked": "S",
    }
    return passenger_features(pd.DataFrame(everyone | values))


def encode(
    train: pd.DataFrame, rows: pd.DataFrame, config: FeatureConfig = EVERY_CATEGORY
) -> pd.DataFrame:
    """Fit on `train`, and encode `rows` with named columns."""
    everyone = columns(pd.concat([train, rows]))
    encoder = fitted(columns(train), NOBODY[: len(train)], config, everyone)
    return pd.DataFrame(encoder.transform(columns(rows)), rows.index, encoder.feature_names)


def unscaled(
    train: pd.DataFrame,
    rows: pd.DataFrame,
    number: str,
    config: FeatureConfig = EVERY_CATEGORY,
) -> list[float]:
    """One number after imputation, in its own unit."""
    encoder = fitted(columns(train), NOBODY[: len(train)], config, columns(rows))
    column = encoder.transform(columns(rows))[:, encoder.feature_names.index(number)]
    mean, sd = encoder.scaling[number]
    return [round(float(value), 4) for value in column * sd + mean]


# --- Numbers ---


def test_a_missing_age_is_the_median_of_title_and_class_else_of_title_else_of_everyone() -> None:
    train = features_of(
        Name=["A, Mr. A", "B, Mr. B", "C, Mr. C", "D, Mr. D", "E, Mrs. E"],
        Pclass=[3, 3, 3, 1, 1],
        Age=[20.0, 22.0, np.nan, 50.0, 60.0],
    )
    rows = features_of(
        first_id=101,
        Name=["F, Mr. F", "G, Mr. G", "H, Mr. H", "I, Dr. I", "J"],
        Pclass=[3, 1, 2, 1, 1],
        Age=[np.nan] * 5,
    )
    # Mr in class 3: (20 + 22) / 2 = 21. Mr in class 1: 50. No Mr in class 2: all Mr 20, 22, 50.
    # No Dr at all, and no title at all: everyone, 20, 22, 50, 60, (22 + 50) / 2 = 36.
    assert unscaled(train, rows, "age") == [21, 50, 22, 36, 36]


def test_a_group_whose_ages_are_all_unknown_falls_back() -> None:
    train = features_of(
        Name=["A, Mr. A", "B, Mr. B", "C, Mr. C"], Pclass=[3, 1, 1], Age=[np.nan, 40.0, 60.0]
    )
    assert unscaled(train, train, "age") == [50, 40, 60]


def test_a_missing_fare_is_the_median_of_the_class() -> None:
    train = features_of(Pclass=[1, 1, 1, 3], Fare=[50.0, 80.0, 90.0, 8.0])
    rows = features_of(first_id=101, Pclass=[1, 3], Fare=[np.nan, np.nan])
    expected = pytest.approx([np.log(81), np.log(9)], abs=1e-3)
    assert unscaled(train, rows, "log fare") == expected
    assert unscaled(train, rows, "fare per head") == expected


@pytest.mark.parametrize("number", [f.name for f in FEATURES if f.kind == "number"])
def test_a_gap_that_only_a_held_out_row_has_is_filled(number: str) -> None:
    features = passenger_features(make_passengers(100, seed=0).fillna({"Age": 30, "Fare": 8}))
    train, rows = features.iloc[:80], features.iloc[80:].copy()
    if number in rows:
        rows[number] = np.nan
    else:  # made from these two
        rows[["ticket", "log_fare"]] = np.nan
    assert np.isfinite(encode(train, rows)).all(axis=None)


def test_a_number_that_no_training_row_has_is_left_out() -> None:
    train = features_of(Age=[np.nan, np.nan], Fare=[8.0, 9.0])
    rows = features_of(first_id=101, Age=[20.0], Fare=[8.0])
    assert "age" not in encode(train, rows)


def test_numbers_are_scaled_as_scikit_learn_scales_them() -> None:
    features = passenger_features(make_passengers(100, seed=0)).dropna(subset=["age"])
    train, rows = features.iloc[:50], features.iloc[50:]
    scaler = StandardScaler().fit(train[["age", "family_size"]].to_numpy())
    np.testing.assert_allclose(
        encode(train, rows)[["age", "family size"]],
        scaler.transform(rows[["age", "family_size"]].to_numpy()),
        atol=1e-6,
    )


# --- Categories, flags, constant columns ---


@pytest.mark.parametrize("min_rows", [1, 5, 10])
def test_categories_are_encoded_as_scikit_learn_encodes_them(min_rows: int) -> None:
    features = passenger_features(make_passengers(200, seed=0)).dropna(subset=["deck"])
    train, rows = features.iloc[:50], features.iloc[50:]
    encoded = encode(train, rows, FeatureConfig(min_category_rows=min_rows))
    referee = OneHotEncoder(handle_unknown="ignore", min_frequency=min_rows, sparse_output=False)
    referee.fit(train[["deck"]].to_numpy(object))

    decks = encoded.filter(like="deck=")
    np.testing.assert_array_equal(decks, referee.transform(rows[["deck"]].to_numpy(object)))
    theirs = [name.replace("x0_", "deck=") for name in referee.get_feature_names_out()]
    assert decks.columns.tolist() == [n.replace("infrequent_sklearn", "rare") for n in theirs]


def test_an_unknown_category_and_a_missing_one_are_encoded_as_zeros() -> None:
    train = features_of(Embarked=["S", "S", "C", "Q"])
    rows = features_of(first_id=101, Embarked=["S", "Belfast", None])
    encoded = encode(train, rows)[["embarked=C", "embarked=Q", "embarked=S"]]
    assert encoded.to_numpy().tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_rare_categories_share_a_column() -> None:
    train = features_of(Embarked=["S", "S", "S", "C", "C", "Q"])
    encoded = encode(train, train, FeatureConfig(min_category_rows=3))
    assert encoded.filter(like="embarked").columns.tolist() == ["embarked=S", "embarked=rare"]
    assert encoded["embarked=rare"].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"Age": [20.0, np.nan]}, "age missing"),
        ({"Fare": [20.0, np.nan]}, "fare missing"),
        ({"Embarked": ["S", None]}, "embarked missing"),
    ],
)
def test_what_is_missing_is_flagged(values: dict[str, Any], flag: str) -> None:
    rows = features_of(**values)
    assert encode(rows, rows)[flag].tolist() == [0, 1]


def test_a_column_that_is_constant_on_the_training_rows_is_dropped() -> None:
    train = features_of(Age=[20.0, 30.0], Fare=[8.0, 8.0], Embarked=["S", "S"])
    rows = features_of(first_id=101, Age=[40.0], Fare=[np.nan], Embarked=["C"])
    kept = set(encode(train, rows)) - READ_LABELS  # these are kept whatever the labels are
    assert kept == {"age"}


# --- Tickets ---


# Training rows hold A A B C; the others A A D.
TRAIN = features_of(Ticket=["A", "A", "B", "C"])
HELD_OUT = features_of(first_id=101, Ticket=["A", "A", "D"])


def test_holders_among_the_training_rows_include_the_row_itself() -> None:
    assert unscaled(TRAIN, TRAIN, "ticket shared by") == [2, 2, 1, 1]
    assert unscaled(TRAIN, HELD_OUT, "ticket shared by") == [3, 3, 1]  # A, A and the row itself


def test_holders_among_the_known_rows_are_all_of_them() -> None:
    everyone = pd.concat([TRAIN, HELD_OUT])
    shared_by = unscaled(TRAIN, everyone, "ticket shared by", KNOWN)
    assert shared_by == [4, 4, 1, 1, 4, 4, 1]


def test_counting_among_the_known_needs_them() -> None:
    with pytest.raises(ConfigError, match='count_groups_among = "known" needs the known'):
        fitted(columns(TRAIN), NOBODY[: len(TRAIN)], KNOWN)


def test_the_fare_of_a_ticket_is_shared_by_its_holders() -> None:
    train = features_of(Ticket=["A", "A", "B"], Fare=[30.0, 30.0, 10.0])
    assert unscaled(train, train, "fare per head") == pytest.approx(
        [np.log(1 + 30 / 2), np.log(1 + 30 / 2), np.log(1 + 10 / 1)], abs=1e-3
    )


# --- The whole ---


def test_the_encoding_of_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    rows, y = synthetic(100)
    encoder = fitted(rows.take(np.arange(60)), y[:60])
    together = encoder.transform(rows)
    for row in (0, 59, 60, 99):
        alone = encoder.transform(rows.take(np.array([row])))
        np.testing.assert_array_equal(alone[0], together[row])


def test_columns_are_in_the_order_of_the_features() -> None:
    rows, y = synthetic(200)
    names = fitted(rows, y).feature_names
    assert list(dict.fromkeys(name.partition("=")[0] for name in names)) == [
        feature.label for feature in FEATURES
    ]


def test_splits_share_the_union_of_their_columns() -> None:
    features = features_of(Age=[20.0, 30.0, 40.0, 50.0], Embarked=["S", "C", "S", "Q"])
    first = Split(0, 0, train=np.array([0, 1]), held_out=np.array([2, 3]))
    second = Split(0, 1, train=np.array([2, 3]), held_out=np.array([0, 1]))

    encoders = split_encoders(columns(features), NOBODY[:4], [first, second], EVERY_CATEGORY)

    names = [name for name in encoders.feature_names if name not in READ_LABELS]
    assert names == ["age", "embarked=C", "embarked=Q", "embarked=S"]
    # Training ages 20, 30: mean 25, sd 5. Then 40, 50: mean 45, sd 5.
    x = matrices(encoders)
    assert x[..., :4].tolist() == [
        [[-1, 0, 0, 1], [1, 1, 0, 0], [3, 0, 0, 1], [5, 0, 0, 0]],  # Q is unknown to the first
        [[-5, 0, 0, 1], [-3, 0, 0, 0], [-1, 0, 0, 1], [1, 0, 1, 0]],  # C to the second
    ]
    swapped = split_encoders(columns(features), NOBODY[:4], [second, first], EVERY_CATEGORY)
    assert swapped.feature_names == encoders.feature_names
    np.testing.assert_array_equal(matrices(swapped), x[::-1])


def test_columns_are_found_by_the_feature_that_they_encode() -> None:
    rows, y = synthetic(200)
    encoders = split_encoders(rows, y, [final_split(train_rows=200, test_rows=0)])
    found = encoders.columns_of_features
    assert [c for of_feature in found.values() for c in of_feature] == list(
        range(len(encoders.feature_names))
    )
    for feature, of_feature in found.items():
        for column in of_feature:
            label = encoders.feature_names[column].partition("=")[0]
            assert label == LABELS_OF[feature]
    assert len(found["title"]) > 1  # title=Mr, title=Mrs, ...
    assert len(found["age"]) == len(found["age_missing"]) == 1


def test_a_feature_that_no_split_encodes_has_no_columns() -> None:
    features = features_of(Age=[20.0, 30.0], Embarked=["S", "S"])
    split = final_split(train_rows=2, test_rows=0)
    found = split_encoders(columns(features), NOBODY[:2], [split], EVERY_CATEGORY)
    assert "age" in found.columns_of_features
    assert not {"embarked", "fare_missing"} & set(found.columns_of_features)


def test_an_encoder_of_some_rows_does_not_depend_on_the_table_they_were_taken_from() -> None:
    features = passenger_features(passengers := make_passengers(300, seed=0))
    y, train = passengers["Survived"].to_numpy(), np.arange(0, 300, 2)
    taken = fitted(columns(features).take(train), y[train])
    alone = fitted(columns(features.iloc[train]), y[train])
    assert taken.state() == alone.state()


def test_an_encoder_made_from_its_state_encodes_the_same_bits() -> None:
    rows, y = synthetic(200)
    encoder = fitted(rows.take(np.arange(120)), y[:120])
    state = json.loads(json.dumps(encoder.state()))
    new = rows.take(np.arange(120, 200))
    restored = Encoder.from_state(TITANIC.features, state)
    assert restored.feature_names == encoder.feature_names
    np.testing.assert_array_equal(restored.transform(new), encoder.transform(new))


def test_without_ids_every_row_is_a_new_one() -> None:
    rows, y = synthetic(100)
    # The same passengers under ids of their own: their labels are in the parties that they join.
    strangers = replace(rows, ids=rows.ids + 1000)
    encoder = fitted(rows, y)
    as_strangers = encoder.transform(strangers)
    assert (encoder.transform(rows) != as_strangers).any()
    encoder.forget_ids()
    np.testing.assert_array_equal(encoder.transform(rows), as_strangers)


def test_a_competition_may_have_no_fitted_features() -> None:
    rows, y = synthetic(100)
    names = {"age", "sex", "age_missing"}
    plain = FeatureSet(tuple(f for f in FEATURES if f.name in names), passenger_features)
    encoder = Encoder(plain, FeatureConfig()).fit(rows, y)
    assert encoder.fitted is None
    assert encoder.feature_names == ["sex=female", "sex=male", "age", "age missing"]
    encoder.forget_ids()
    restored = Encoder.from_state(plain, json.loads(json.dumps(encoder.state())))
    np.testing.assert_array_equal(restored.transform(rows), encoder.transform(rows))


def test_encoders_that_were_not_kept_are_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, y = synthetic(100)
    splits = repeated_stratified_splits(y, folds=4, repeats=1, seed=0)
    kept = split_encoders(rows, y, splits)
    for at_most in (0, 150):  # of no encoder, and of one of them
        monkeypatch.setattr("titanic_nn.tables.encode.ROWS_KEPT", at_most)
        again = split_encoders(rows, y, splits)
        assert again.feature_names == kept.feature_names
        np.testing.assert_array_equal(matrices(again), matrices(kept))


def test_splits_that_do_not_fit_in_memory_together_come_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, y = synthetic(100)
    splits = repeated_stratified_splits(y, folds=5, repeats=1, seed=0)
    encoders = split_encoders(rows, y, splits)
    (together,) = encoders.batches()
    assert together.splits == splits
    assert together.x.shape == encoders.shape
    monkeypatch.setattr(
        "titanic_nn.tables.encode.ENCODED_AT_ONCE", 2 * len(rows) * len(encoders.feature_names)
    )
    batches = list(encoders.batches())
    assert [len(batch.splits) for batch in batches] == [2, 2, 1]
    assert [split for batch in batches for split in batch.splits] == splits
    np.testing.assert_array_equal(np.concatenate([batch.x for batch in batches]), together.x)
    (some,) = encoders.batches(splits[3:1:-1])
    np.testing.assert_array_equal(some.x, together.x[[3, 2]])
    np.testing.assert_array_equal(encoders.encode([3, 2]), some.x)


def test_one_split_is_encoded_as_its_encoder_does() -> None:
    rows, y = synthetic(100)
    split = final_split(train_rows=70, test_rows=30)
    encoder = fitted(rows.take(np.arange(70)), y[:70])

    encoders = split_encoders(rows, y, [split])

    assert encoders.feature_names == encoder.feature_names
    x = matrices(encoders)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[0], encoder.transform(rows))
    own, positions = encoders.encoder(split)
    assert own.state() == encoder.state()
    assert positions == list(range(len(encoders.feature_names)))


def test_raw_features_are_neither_imputed_nor_scaled() -> None:
    rows, y = synthetic(300)
    split = Split(0, 0, train=np.arange(200), held_out=np.arange(200, 300))
    encoders = split_encoders(rows, y, [split])
    encoder, _ = encoders.encoder(split)
    assert encoder.fitted is not None
    made, x = encoder.fitted.transform(rows), encoders.raw(split)
    assert x.shape == (300, len(FEATURES))
    for i, feature in enumerate(FEATURES):
        assert (i in encoders.categories) == (feature.kind == "category")
        if feature.kind == "category":
            codes = rows.codes[feature.name].astype(float)
            expected = np.where(codes < 0, np.nan, codes)
        else:
            expected = (rows.numbers | made)[feature.name].astype(float)
        np.testing.assert_array_equal(x[:, i], expected)
    assert np.isnan(x).any(axis=0).sum() >= 3  # ages, fares and decks are missing


@pytest.mark.skipif(not KAGGLE.is_dir(), reason="Kaggle's files are not here")
def test_kaggles_tables_are_encoded_without_a_gap() -> None:
    train, test = pd.read_csv(KAGGLE / "train.csv"), pd.read_csv(KAGGLE / "test.csv")
    rows = TITANIC.features.columns(pd.concat([train, test], ignore_index=True))
    splits = [
        *repeated_stratified_splits(train["Survived"], folds=10, repeats=1, seed=0),
        final_split(train_rows=891, test_rows=418),
    ]
    y = train["Survived"].to_numpy()
    x = matrices(split_encoders(rows, y, splits))
    assert x.shape[:2] == (11, 1309)
    assert np.isfinite(x).all()


BINS = FeatureConfig(n_bins=4)


def test_a_number_is_encoded_by_ramps_between_quantiles_of_its_distinct_values() -> None:
    rows, y = synthetic(300)
    encoder = fitted(rows, y, BINS)
    x = dict(zip(encoder.feature_names, encoder.transform(rows).T, strict=True))
    for name in ("age", "log_fare"):
        values = fitted(rows, y, FeatureConfig()).transform(rows)  # imputed and scaled
        plain = fitted(rows, y, FeatureConfig())
        mean, sd = plain.scaling[LABELS_OF[name]]
        numbers = values[:, plain.feature_names.index(LABELS_OF[name])] * sd + mean
        edges = pd.Series(np.unique(numbers.round(4))).quantile([0, 0.25, 0.5, 0.75, 1]).to_numpy()
        for b in range(4):
            expected = np.interp(numbers, edges[b : b + 2], [0, 1])
            np.testing.assert_allclose(x[f"{LABELS_OF[name]}=bin {b + 1}"], expected, atol=2e-3)


def test_beyond_the_training_rows_a_ramp_stays_where_it_ends() -> None:
    train, far = features_of(Age=list(range(20, 61))), features_of(100, Age=[1.0, 80.0])
    encoder = fitted(columns(train), NOBODY[:41], BINS)
    bins = [i for i, name in enumerate(encoder.feature_names) if name.startswith("age=bin")]
    np.testing.assert_array_equal(
        encoder.transform(columns(far))[:, bins], [[0, 0, 0, 0], [1, 1, 1, 1]]
    )


def test_what_is_made_from_labels_has_no_bins() -> None:
    rows, y = synthetic(300)
    encoder = fitted(rows, y, BINS)
    of_labels = {f.name for f in FEATURES if f.reads_labels}
    assert encoder.edges
    assert not of_labels & set(encoder.edges)
    assert READ_LABELS & set(encoder.feature_names) == READ_LABELS & set(
        fitted(rows, y).feature_names
    )


def test_bins_are_saved_and_come_in_order() -> None:
    rows, y = synthetic(300)
    encoder = fitted(rows, y, FeatureConfig(n_bins=12))
    ages = [name for name in encoder.feature_names if name.startswith("age=bin")]
    assert ages == sorted(ages)
    assert ages[1] == "age=bin 02"
    at = [encoder.feature_names.index(name) for name in ages]
    again = Encoder.from_state(TITANIC.features, json.loads(json.dumps(encoder.state())))
    assert again.feature_names == encoder.feature_names
    np.testing.assert_array_equal(again.transform(rows)[:, at], encoder.transform(rows)[:, at])
    splits = repeated_stratified_splits(y, folds=3, repeats=1, seed=0)
    together = split_encoders(rows, y, splits, BINS).feature_names
    assert [name for name in together if name.startswith("age=")] == [
        f"age=bin {i}" for i in range(1, 5)
    ]


@pytest.mark.parametrize(
    ("edges", "complaint"),
    [({"age": [1.0, 1.0]}, "age do not rise"), ({"sex": [0.0, 1.0]}, "there is no number 'sex'")],
)
def test_forged_edges_are_refused(edges: dict[str, list[float]], complaint: str) -> None:
    rows, y = synthetic(300)
    state = fitted(rows, y, BINS).state() | {"edges": edges}
    with pytest.raises(ModelError, match=complaint):
        Encoder.from_state(TITANIC.features, state)


def test_with_bins_a_linear_model_follows_a_hump() -> None:
    from titanic_nn import LinearClassifier

    x = np.linspace(0, 1, 200)
    y = (np.abs(x - 0.5) < 0.25).astype(np.int64)  # 1 in the middle
    train = columns(features_of(Age=(60 * x + 1).tolist()))
    accuracy = {}
    for n_bins in (0, 8):
        encoder = fitted(train, y, FeatureConfig(n_bins=n_bins))
        ages = [i for i, n in enumerate(encoder.feature_names) if n.partition("=")[0] == "age"]
        matrix = encoder.transform(train)[:, ages]
        accuracy[n_bins] = (
            LinearClassifier(random_state=0, n_seeds=1).fit(matrix, y).score(matrix, y)
        )
    assert accuracy[0] < 0.8
    assert accuracy[8] > 0.95


@pytest.mark.parametrize("config", [FeatureConfig(), FeatureConfig(min_category_rows=50, n_bins=4)])
def test_its_definitions_are_all_that_another_program_needs(config: FeatureConfig) -> None:
    tables = bundled()
    rows = TITANIC.features.columns(tables.train.assign(Parch=0))  # a number without any bin
    encoder = Encoder(TITANIC.features, config).fit(rows, tables.y)
    definitions = json.loads(json.dumps(encoder.definitions()))
    everyone = TITANIC.features.columns(pd.concat([tables.train, tables.test]))
    raw = raw_values(encoder, everyone)

    def value(definition: dict[str, Any], row: dict[str, Any]) -> float:
        own: Any = row[definition["feature"]]
        if "values" in definition:
            return float(own in definition["values"])
        if "medians" not in definition:
            return float(own)
        medians, groups = definition["medians"], [row[name] for name in definition["within"]]
        for n in range(len(groups), 0, -1):
            if own is None and None not in groups[:n]:
                own = medians.get(", ".join(groups[:n]))
        own = medians["everyone"] if own is None else own
        low, high = definition.get("bin", (None, None))
        return float(own if low is None else min(1, max(0, (own - low) / (high - low))))

    found = [[(value(d, row) - d["mean"]) / d["sd"] for d in definitions] for row in raw]
    assert_allclose(np.array(found), encoder.transform(everyone), atol=1e-6)


def test_some_rows_are_encoded_as_all_are() -> None:
    rows, y = synthetic(200)
    encoders = split_encoders(rows, y, [final_split(150, 50), final_split(200, 0)])
    some = np.array([3, 7, 160, 199])
    assert np.array_equal(encoders.encode([1, 0], some), encoders.encode([1, 0])[:, some])
