"""Nothing leaks; and each check for leaks fails where a leak is planted."""

import numpy as np
import pandas as pd
import pytest
from leaks import Encode, assert_held_out_features_do_not_leak, assert_labels_do_not_leak
from numpy.typing import NDArray
from titanic_tables import KAGGLE
from titanic_tables import encode as encode_table

from titanic_nn.config import FeatureConfig
from titanic_nn.tables.splits import Split


@pytest.fixture(params=["synthetic", "kaggle"])
def passengers(request: pytest.FixtureRequest) -> pd.DataFrame | None:
    if request.param == "synthetic":
        return None
    if not KAGGLE.is_dir():
        pytest.skip("Kaggle's files are not here")
    return pd.read_csv(KAGGLE / "train.csv")


def encode(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    return encode_as(FeatureConfig(), passengers, splits)


def encode_known(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    return encode_as(FeatureConfig(count_groups_among="known"), passengers, splits)


def encode_bins(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    return encode_as(FeatureConfig(n_bins=6), passengers, splits)


def encode_as(
    config: FeatureConfig, passengers: pd.DataFrame, splits: list[Split]
) -> NDArray[np.float32]:
    y = passengers["Survived"].fillna(-1).to_numpy(np.int64)  # -1: must not be read
    return encode_table(passengers, y, splits, config)


@pytest.mark.parametrize("encode", [encode, encode_known, encode_bins])
def test_no_label_leaks(encode: Encode, passengers: pd.DataFrame | None) -> None:
    assert_labels_do_not_leak(encode, passengers)


@pytest.mark.parametrize("encode", [encode, encode_bins])
def test_no_held_out_feature_leaks(encode: Encode, passengers: pd.DataFrame | None) -> None:
    assert_held_out_features_do_not_leak(encode, passengers)


# --- The checks can fail ---


def companions_survival(passengers: pd.DataFrame, counts: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean label of the rows on the same ticket for which `counts` is true, 0.5 without any."""
    labels = passengers["Survived"].where(counts)
    mean = labels.groupby(passengers["Ticket"]).transform("mean").fillna(0.5)
    return mean.to_numpy(np.float32)[:, None]  # (rows, 1)


def encode_with_held_out_labels(
    passengers: pd.DataFrame, splits: list[Split]
) -> NDArray[np.float32]:
    """A held-out passenger's own label counts among those on the ticket."""
    everyone = np.ones(len(passengers), dtype=bool)
    return np.stack([companions_survival(passengers, everyone) for _ in splits])


def encode_with_own_label(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    """Only training labels count, but a training row's own label is among them."""
    rows = np.arange(len(passengers))
    return np.stack([companions_survival(passengers, np.isin(rows, s.train)) for s in splits])


def encode_out_of_fold(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    """No leak: a row is encoded by the training labels of the inner fold that it is not in."""
    inner_fold = np.arange(len(passengers)) % 2
    x = np.zeros((len(splits), len(passengers), 1), dtype=np.float32)
    for split, s in enumerate(splits):
        in_training = np.isin(np.arange(len(passengers)), s.train)
        for fold in (0, 1):
            other_fold = companions_survival(passengers, in_training & (inner_fold != fold))
            x[split][inner_fold == fold] = other_fold[inner_fold == fold]
    return x


def encode_fitted_on_all_rows(passengers: pd.DataFrame, splits: list[Split]) -> NDArray[np.float32]:
    """The scaler and everything else is fitted on the held-out rows too."""
    everyone = np.arange(len(passengers))
    return encode(passengers, [Split(s.repeat, s.fold, everyone, s.held_out) for s in splits])


def test_a_planted_held_out_label_is_caught() -> None:
    with pytest.raises(AssertionError, match="held-out labels, flipped, reached the encoding"):
        assert_labels_do_not_leak(encode_with_held_out_labels)


def test_a_planted_own_label_is_caught() -> None:
    with pytest.raises(AssertionError, match="own label reached its encoding"):
        assert_labels_do_not_leak(encode_with_own_label)


def test_the_labels_of_other_training_rows_may_be_used() -> None:
    assert_labels_do_not_leak(encode_out_of_fold)


def test_an_encoder_fitted_on_all_rows_is_caught() -> None:
    with pytest.raises(AssertionError, match="held-out features reached the training rows"):
        assert_held_out_features_do_not_leak(encode_fitted_on_all_rows)


def test_counting_groups_among_the_known_rows_lets_held_out_features_in() -> None:
    """As documented: tickets of held-out passengers are counted, their labels are not read."""
    with pytest.raises(AssertionError, match="held-out features reached the training rows"):
        assert_held_out_features_do_not_leak(encode_known)
