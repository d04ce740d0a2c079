"""A competition's tables to numbers, as a scikit-learn transformer."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import find_competition, get_competition
from titanic_nn.config import Config, FeatureConfig, Reference, check_config
from titanic_nn.errors import DataError
from titanic_nn.estimators.table_encoder import TableEncoder, checked_columns
from titanic_nn.tables.encode import Encoder


class CompetitionFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encodes the rows of a competition's tables as numbers.

    Everything is fitted (medians, scales, categories, features of groups) on the rows that `fit` is
    given, so that in a Pipeline no held-out row leaks.

    The id column may be left out. With it, `transform` recognizes training rows, which are not
    counted twice and do not see their own label. Without it, every row is a new one.

    Args:
        competition: its slug, or the path of a TOML file that describes a table.
        min_category_rows: categories with fewer training rows share one column.
        n_bins: bins of the piecewise-linear encoding of numbers; 0: numbers are standardized.

    Attributes, after `fit`:
        competition_: its slug or, of an own table, the description that the file then held.
        encoder_: the fitted encoder (`titanic_nn.tables.encode.Encoder`).
        n_features_in_, feature_names_in_: columns of X.

    Examples:
        >>> from sklearn.pipeline import make_pipeline
        >>> from titanic_nn import CompetitionFeatures, ReLUClassifier, load_tables
        >>> tables = load_tables()
        >>> X, y = tables.train, tables.y
        >>> net = ReLUClassifier(random_state=0)
        >>> model = make_pipeline(CompetitionFeatures(), net).fit(X, y)
        >>> model.predict_proba(tables.test).shape
        (418, 2)
    """

    def __init__(
        self,
        competition: Reference = Config.competition,
        *,
        min_category_rows: int = FeatureConfig.min_category_rows,
        n_bins: int = FeatureConfig.n_bins,
    ) -> None:
        self.competition = competition
        self.min_category_rows = min_category_rows
        self.n_bins = n_bins

    @classmethod
    def from_encoder(
        cls, competition: Competition, encoder: Encoder, columns: Sequence[str] = ()
    ) -> Self:
        """The fitted transformer with an encoder that was fitted on a table with these columns.

        By default it has those of the competition's test table.
        """
        reference, config = competition.reference, encoder.config
        features = cls(reference, min_category_rows=config.min_category_rows, n_bins=config.n_bins)
        columns = columns or [column.name for column in competition.schema.test_columns]
        return features._take(reference, encoder, columns)

    def state(self) -> dict[str, Any]:
        """What was fitted, as JSON values, from which `from_state` makes an equal transformer."""
        return {
            "competition": self.competition_,
            "columns": self.feature_names_in_.tolist(),
            "encoder": self.encoder_.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted transformer with this state.

        Raises ConfigError for a competition unknown, ModelError where `state` gives no such state.
        """
        read = TableEncoder.from_state(state)
        return cls.from_encoder(read.competition, read.encoder_, read.columns)

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:  # noqa: N803
        """Fit on training rows.

        Args:
            X: a table in the competition's columns; further columns, such as the target, are not
                read.
            y: class codes 0, 1, ..., (rows,), from which some features of other rows are made.

        Raises:
            ConfigError: a parameter is not valid.
            DataError: X breaks the schema (column, row and value are named), or y has other codes.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Fit on training rows and encode them, (rows, features); no row sees its own label."""
        competition = find_competition(self.competition)
        settings = {"min_category_rows": self.min_category_rows, "n_bins": self.n_bins}
        config = check_config(FeatureConfig, settings)
        encoder = Encoder(competition.features, config)
        rows, with_ids = checked_columns(competition, X)
        schema, labels = competition.schema, np.asarray(y)
        if labels.shape != (len(rows),):
            raise DataError(
                f"y has shape {labels.shape}: give one label per {schema.row_name}, ({len(rows)},)"
            )
        if not np.isin(labels, range(len(schema.labels))).all():
            *others, last = (f"{code} ({name})" for code, name in enumerate(schema.class_names))
            raise DataError(f"y has labels other than {', '.join(others)} and {last}")
        x = encoder.fit(rows, labels.astype(np.int64)).transform(rows)
        if not with_ids:
            encoder.forget_ids()
        self._take(competition.reference, encoder, [str(column) for column in X.columns])
        return x

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:  # noqa: N803
        """Encode any rows, (rows, features). Raises DataError, like `fit`."""
        check_is_fitted(self)
        return self.encoder_.transform(checked_columns(get_competition(self.competition_), X)[0])

    def feature_table(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """The features of any rows as they are, a column for each: neither imputed nor scaled.

        Missing is None for a category and NaN for a number. Raises DataError, like `fit`.
        """
        check_is_fitted(self)
        competition = get_competition(self.competition_)
        rows = checked_columns(competition, X)[0]
        table: dict[str, Any] = {}
        features = competition.features.features
        for feature, column in zip(features, self.encoder_.raw(rows).T, strict=True):
            if feature.kind == "category":
                names = np.array([*rows.categories[feature.name], None], dtype=object)
                table[feature.name] = names[rows.codes[feature.name]]
            else:
                table[feature.name] = column.astype(bool) if feature.kind == "flag" else column
        return pd.DataFrame(table)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the encoded columns; input_features is not read."""
        check_is_fitted(self)
        return np.asarray(self.encoder_.feature_names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # A DataFrame of text and numbers, not a matrix.
        tags.input_tags.two_d_array = False
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def _take(self, competition: Reference, encoder: Encoder, columns: Sequence[str]) -> Self:
        """Set the fitted state: an encoder, and the columns of the table it was fitted on."""
        self.competition_, self.encoder_ = competition, encoder
        self.feature_names_in_ = np.array(columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self
