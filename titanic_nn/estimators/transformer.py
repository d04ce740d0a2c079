"""Raw passengers to numbers, as a scikit-learn transformer."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from titanic_nn.errors import DataError
from titanic_nn.tables import schema
from titanic_nn.tables.encode import Encoder
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.config import FeatureConfig, check_config

PASSENGER_ID = schema.PASSENGER_ID.name


class TitanicFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encodes passengers in Kaggle's columns: titles, families, tickets, decks, ... as numbers.

    Whatever is fitted (medians, scales, vocabularies, who shares a ticket, how companions fared) is
    fitted on the rows that `fit` is given, so that in a Pipeline nothing leaks from held-out rows.

    PassengerId may be left out. Where it is there it tells who was already counted among the
    holders of their ticket, and whose own label to leave out (a row with a training passenger's
    number and ticket is taken for that passenger); where it is not, `transform` takes everyone for
    a new passenger.

    Args:
        min_category_rows: categories that fewer training rows carry share one column.

    Attributes, after `fit`:
        encoder_: what was fitted (`titanic_nn.tables.encode.Encoder`).
        n_features_in_, feature_names_in_: columns of X.

    Examples:
        >>> from sklearn.pipeline import make_pipeline
        >>> from titanic_nn import ReLUClassifier, TitanicFeatures, load_passengers
        >>> passengers = load_passengers()
        >>> X, y = passengers.train.drop(columns="Survived"), passengers.train["Survived"]
        >>> model = make_pipeline(TitanicFeatures(), ReLUClassifier(random_state=0)).fit(X, y)
        >>> model.predict_proba(passengers.test).shape
        (418, 2)
        >>> model[0].get_feature_names_out()[:3].tolist()
        ['title=Master', 'title=Miss', 'title=Mr']
    """

    def __init__(self, *, min_category_rows: int = 5) -> None:
        self.min_category_rows = min_category_rows

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:  # noqa: N803
        """Learn medians, scales, vocabularies and the fate of parties from training rows.

        Args:
            X: passengers in Kaggle's columns; further columns, Survived too, are not read.
            y: who survived, 0 or 1, (rows,): it tells how companions fared.

        Raises:
            DataError: X breaks the schema: column, row and value are named; or y is not 0 or 1.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Fit on training rows and encode them; none counts twice, or sees its own label."""
        values = {"min_category_rows": self.min_category_rows}
        encoder = Encoder(check_config(FeatureConfig, values))
        rows, with_ids = _features(X)
        x = encoder.fit(rows, _labels(y, len(rows))).transform(rows)
        if not with_ids:
            encoder.counted = encoder.counted[:0]
            encoder.companions.labels = encoder.companions.labels[:0]
        self.set_fitted(encoder, [str(column) for column in X.columns])
        return x

    def set_fitted(self, encoder: Encoder, columns: Sequence[str]) -> Self:
        """Take over an encoder that was fitted elsewhere, on a table with these columns."""
        self.encoder_ = encoder
        self.feature_names_in_ = np.array(columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:  # noqa: N803
        """Encode any passengers, (rows, features). Raises DataError, like `fit`."""
        check_is_fitted(self)
        return self.encoder_.transform(_features(X)[0])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the encoded columns: `title=Mr`, `age`, ...; input_features is not read."""
        check_is_fitted(self)
        return np.asarray(self.encoder_.feature_names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # A DataFrame of words and numbers, not a matrix.
        tags.input_tags.two_d_array = False
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags


def _labels(y: ArrayLike, rows: int) -> NDArray[np.int64]:
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise DataError(f"y has shape {labels.shape}: give one label a passenger, ({rows},)")
    if not np.isin(labels, (0, 1)).all():
        raise DataError("y has labels other than 0 (died) and 1 (survived)")
    return labels.astype(np.int64)


def _features(X: pd.DataFrame) -> tuple[pd.DataFrame, bool]:  # noqa: N803
    """The row-wise features of checked passengers, and whether PassengerId tells who they are."""
    with_ids = isinstance(X, pd.DataFrame) and PASSENGER_ID in X.columns
    columns = schema.TEST_COLUMNS if with_ids else schema.FEATURES
    table = schema.check_frame(X, name="X", columns=columns)
    if not with_ids:
        # Numbers that no passenger has.
        table = table.assign(**{PASSENGER_ID: -1 - np.arange(len(table))})
    return passenger_features(table), with_ids
