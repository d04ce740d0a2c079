"""From features to the numbers a net reads: impute, scale, one-hot, all fitted on training rows.

scikit-learn has a piece for each step. They are a line or two each here, because what was fitted
can then be read, and saved, as plain numbers and names; the tests hold them to scikit-learn's.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from titanic_nn.errors import SettingsError
from titanic_nn.passengers.companions import Companions
from titanic_nn.passengers.features import FEATURES
from titanic_nn.passengers.folds import Split
from titanic_nn.settings import FeatureSettings, check_settings

NUMBERS = [feature for feature in FEATURES if feature.kind == "number"]
FLAGS = [feature for feature in FEATURES if feature.kind == "flag"]
CATEGORIES = [feature for feature in FEATURES if feature.kind == "category"]

# How a row's column from labels is scaled, or whether it is there at all, must not hang on the
# row's own label: it always is, in quarters of a life where it is a number.
READ_LABELS = {feature.label for feature in FEATURES if feature.reads_labels}
FARED_UNIT = 0.25

# Numbers of the encoded matrices that are held at a time: splits of a long table take turns.
ENCODED_AT_ONCE = 2**26

# A missing number becomes the median of the passengers who agree in these columns. Where the
# training rows hold none, the last column is given up, and so on up to the median of everyone.
IMPUTED_WITHIN: dict[str, tuple[str, ...]] = {
    "age": ("title", "class"),
    "log_fare": ("class",),
    "fare_per_head": ("class",),
}


class Encoder:
    """Encodes passengers as the training rows suggest: `fit` on those, then `transform` any.

    Rows are recognised by their index, PassengerId as `passenger_features` leaves it: it tells
    whether a passenger is already counted among the holders of their ticket, and whose own label is
    among those of their companions.

    Attributes, after `fit`:
        ticket_holders: ticket -> how many of the counted passengers hold it.
        counted: the index of the counted passengers.
        companions: how the training rows' parties fared.
        medians: number -> group of passengers -> median, e.g. `["age"]["Mr, 3"]`.
        categories: category feature -> the values that have a column of their own.
        rare: category feature -> the values that share the column `deck=rare`.
        scaling: encoded column -> (mean, standard deviation); fixed for what isn't a number.
    """

    ticket_holders: dict[str, int]
    counted: list[int]
    companions: Companions
    medians: dict[str, dict[str, float]]
    categories: dict[str, list[str]]
    rare: dict[str, list[str]]
    scaling: dict[str, tuple[float, float]]

    def __init__(self, settings: FeatureSettings) -> None:
        self.settings = settings

    @property
    def feature_names(self) -> list[str]:
        """The encoded columns in order: `title=Mr`, `age`, `age missing`, `deck=rare`, ..."""
        return list(self.scaling)

    def fit(
        self, rows: pd.DataFrame, y: NDArray[np.int64], known: pd.DataFrame | None = None
    ) -> Self:
        """Learn medians, vocabularies and scales, and how parties fared.

        Args:
            rows: `passenger_features` of the training rows.
            y: their labels, (rows,).
            known: features of everyone whose ticket counts when `count_tickets_among = "known"`;
                otherwise not looked at.

        Raises:
            SettingsError: tickets are to be counted among the known passengers, and none are given.
        """
        counted = rows if self.settings.count_tickets_among == "training" else known
        if counted is None:
            raise SettingsError('count_tickets_among = "known" needs the known passengers')
        self.ticket_holders = dict(Counter(counted["ticket"]))
        self.counted = counted.index.tolist()
        self.companions = Companions().fit(rows, y)

        rows = self._complete(rows)
        self.medians = {number.name: _medians(rows, number.name) for number in NUMBERS}

        self.categories, self.rare = {}, {}
        for category in CATEGORIES:
            holders = rows[category.name].value_counts().sort_index()
            is_rare = holders < self.settings.min_category_rows
            self.categories[category.name] = holders.index[~is_rare].tolist()
            self.rare[category.name] = holders.index[is_rare].tolist()

        numbers = {number.label for number in NUMBERS}
        self.scaling = {}
        for label, values in self._columns(rows).items():
            # From a constant column nothing can be learnt, yet a held-out row could differ in it
            # and meet a weight that was never trained.
            if label in READ_LABELS:
                self.scaling[label] = (0.0, FARED_UNIT if label in numbers else 1.0)
            elif np.ptp(values) > 0:
                mean, sd = (values.mean(), values.std()) if label in numbers else (0, 1)
                self.scaling[label] = (float(mean), float(sd))
        return self

    def state(self) -> dict[str, Any]:
        """What was fitted, as plain JSON values, from which `from_state` makes an equal encoder.

        No passenger's row is in it; of the training rows it has the tickets' holders, counted, and
        the PassengerIds, by which a passenger is known to be counted already.
        """
        return {
            "settings": asdict(self.settings),
            "ticket_holders": self.ticket_holders,
            "counted": self.counted,
            "companions": self.companions.state(),
            "medians": self.medians,
            "categories": self.categories,
            "rare": self.rare,
            "scaling": {label: list(numbers) for label, numbers in self.scaling.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted encoder that `state` tells of."""
        encoder = cls(check_settings(FeatureSettings, state["settings"]))
        encoder.ticket_holders = dict(state["ticket_holders"])
        encoder.counted = list(state["counted"])
        encoder.companions = Companions.from_state(state["companions"])
        encoder.medians = dict(state["medians"])
        encoder.categories, encoder.rare = dict(state["categories"]), dict(state["rare"])
        encoder.scaling = {label: (mean, sd) for label, (mean, sd) in state["scaling"].items()}
        return encoder

    def transform(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        """Encode `passenger_features` of any passengers.

        Each row is encoded by itself: who stands beside it makes no difference. A category that no
        training row had is encoded as none, zeros in all of its columns, like a missing one.

        Returns:
            Shape (rows, features), numbers in standard deviations from the training mean.
        """
        columns = self._columns(self._complete(rows))
        scaled = [(columns[label] - mean) / sd for label, (mean, sd) in self.scaling.items()]
        return np.stack(scaled, axis=1).astype(np.float32)  # (rows, features)

    def _complete(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add what takes more than a passenger's own row: the ticket's holders, the companions."""
        holders = rows["ticket"].map(self.ticket_holders).fillna(0)
        # Everyone holds their own ticket, so a training row and a held-out row mean the same by it.
        # Of a ticket that nobody holds it is a stranger with a counted passenger's number.
        counted = rows.index.isin(self.counted) & (holders > 0)
        shared_by = holders + ~counted
        fare = np.expm1(rows["log_fare"])
        return rows.assign(
            ticket_shared_by=shared_by,
            fare_per_head=np.log1p(fare / shared_by),
            **self.companions.transform(rows, counted),
        )

    def _columns(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Every encoded column by label, each of shape (rows,): filled in, not yet scaled."""
        columns: dict[str, ArrayLike] = {}
        for feature in FEATURES:
            if feature.kind == "category":
                values = rows[feature.name].to_numpy(object)
                for value in self.categories[feature.name]:
                    columns[f"{feature.label}={value}"] = values == value
                columns[f"{feature.label}=rare"] = np.isin(values, self.rare[feature.name])
            elif feature.kind == "number":
                columns[feature.label] = _impute(rows, feature.name, self.medians[feature.name])
            else:
                columns[feature.label] = rows[feature.name]
        return {label: np.asarray(values, np.float64) for label, values in columns.items()}


class SplitEncoders:
    """An encoder for each split, fitted on its training rows, for one table.

    Fitted all at once, so that the columns are known; encoding is done on demand, because the
    matrices of many splits of a long table would not fit in memory.

    Args:
        features: `passenger_features` of the whole table; the splits hold positions of its rows.
        y: labels 0 or 1 of the table's first rows, (labelled rows,).
    """

    def __init__(
        self,
        features: pd.DataFrame,
        y: NDArray[np.int64],
        splits: Sequence[Split],
        settings: FeatureSettings,
    ) -> None:
        self._features = features
        self._encoders = [
            Encoder(settings).fit(features.iloc[split.train], y[split.train], known=features)
            for split in splits
        ]
        names = {name for encoder in self._encoders for name in encoder.feature_names}
        self.feature_names = sorted(names, key=_column_order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(splits, rows, features) of all matrices together."""
        return len(self._encoders), len(self._features), len(self.feature_names)

    def encoder(self, split: int) -> tuple[Encoder, list[int]]:
        """A split's encoder, and where its columns stand among `feature_names`."""
        encoder = self._encoders[split]
        return encoder, [self.feature_names.index(name) for name in encoder.feature_names]

    def in_turn(self) -> Iterator[range]:
        """The splits, as many at a time as may have their matrices in memory together."""
        splits, rows, features = self.shape
        at_once = max(1, ENCODED_AT_ONCE // (rows * features))
        for first in range(0, splits, at_once):
            yield range(first, min(first + at_once, splits))

    def encode(self, which: Sequence[int]) -> NDArray[np.float32]:
        """Every row of the table, training or not, as each of these splits encodes it.

        A column that a split's encoder lacks (a deck too rare in its training rows) is zero there.
        Returns (splits asked for, rows, features).
        """
        x = np.zeros((len(which), *self.shape[1:]), dtype=np.float32)
        for x_split, i in zip(x, which, strict=True):  # (rows, features)
            encoder, columns = self.encoder(i)
            x_split[:, columns] = encoder.transform(self._features)
        return x


@dataclass(frozen=True, eq=False)
class EncodedSplits:
    """One table, encoded once per split by an encoder fitted on that split's training rows."""

    x: NDArray[np.float32]  # (splits, rows, features): every row of the table, training or not
    feature_names: list[str]


def encode_splits(
    features: pd.DataFrame,
    y: NDArray[np.int64],
    splits: Sequence[Split],
    settings: FeatureSettings,
) -> EncodedSplits:
    """Encode every row of a table for every split at once (see SplitEncoders)."""
    encoders = SplitEncoders(features, y, splits, settings)
    return EncodedSplits(encoders.encode(range(len(splits))), encoders.feature_names)


def _column_order(name: str) -> tuple[int, str]:
    """Sort key: features in the order of `FEATURES`, the values of a category by name."""
    label, _, value = name.partition("=")
    return [feature.label for feature in FEATURES].index(label), value


def _groups(rows: pd.DataFrame, number: str) -> list["pd.Series[str]"]:
    """The groups whose medians stand in for a number, widest first: "Mr", then "Mr, 3"."""
    groups: list[pd.Series[str]] = []
    for column in IMPUTED_WITHIN.get(number, ()):
        groups.append(groups[-1] + ", " + rows[column] if groups else rows[column])
    return groups


def _medians(rows: pd.DataFrame, number: str) -> dict[str, float]:
    """Group -> median of a number, for "everyone" and all groups in which somebody's is known."""
    values = rows[number]
    medians = {
        "everyone": float(np.nan_to_num(values.dropna().median()))
    }  # 0 where nobody's is known
    for group in _groups(rows, number):
        in_group = values.groupby(group).median().dropna()
        medians |= dict(zip(in_group.index, in_group, strict=True))
    return medians


def _impute(rows: pd.DataFrame, number: str, medians: dict[str, float]) -> "pd.Series[float]":
    """Fill what is missing from the narrowest group that has a median."""
    values = rows[number]
    if not values.hasnans:
        return values
    for group in reversed(_groups(rows, number)):
        values = values.fillna(group.map(medians))
    return values.fillna(medians["everyone"])
