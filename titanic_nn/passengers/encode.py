"""From features to the numbers a net reads: impute, scale, one-hot, all fitted on training rows.

scikit-learn has a piece for each step. They are a line or two each here, because what was fitted
can then be read, and saved, as plain numbers and names; the tests hold them to scikit-learn's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from titanic_nn.errors import SettingsError
from titanic_nn.passengers.columns import Columns
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
# Training rows of the encoders that are kept; of more splits they are fitted again when asked for.
ROWS_KEPT = 2**20

# A missing number becomes the median of the passengers who agree in these columns. Where the
# training rows hold none, the last column is given up, and so on up to the median of everyone.
IMPUTED_WITHIN: dict[str, tuple[str, ...]] = {
    "age": ("title", "class"),
    "log_fare": ("class",),
    "fare_per_head": ("class",),
}


class Encoder:
    """Encodes passengers as the training rows suggest: `fit` on those, then `transform` any.

    Rows are recognised by their ids, the index that `passenger_features` leaves: they tell whether
    a passenger is already counted among the holders of their ticket, and whose own label is among
    those of their companions.

    Attributes, after `fit`:
        ticket_holders: ticket -> how many of the counted passengers hold it.
        counted: the ids of the counted passengers.
        companions: how the training rows' parties fared.
        medians: number -> group of passengers -> median, e.g. `["age"]["Mr, 3"]`.
        categories: category feature -> the values that have a column of their own.
        rare: category feature -> the values that share the column `deck=rare`.
        scaling: encoded column -> (mean, standard deviation); fixed for what isn't a number.
    """

    ticket_holders: dict[str, int]
    counted: NDArray[np.int64]
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
        self,
        rows: pd.DataFrame | Columns,
        y: NDArray[np.int64],
        known: pd.DataFrame | Columns | None = None,
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
        rows = Columns.of(rows)
        counted = rows if self.settings.count_tickets_among == "training" else known
        if counted is None:
            raise SettingsError('count_tickets_among = "known" needs the known passengers')
        counted = Columns.of(counted)
        self.ticket_holders, self.counted = counted.count("ticket"), counted.ids
        self.companions = Companions().fit(rows, y)

        plain = self._plain(rows)
        self.medians = {
            number.name: _medians(plain[number.name], _groups(rows, number.name))
            for number in NUMBERS
        }

        self.categories, self.rare = {}, {}
        for category in CATEGORIES:
            holders = sorted(rows.count(category.name).items())
            enough = self.settings.min_category_rows
            self.categories[category.name] = [v for v, count in holders if count >= enough]
            self.rare[category.name] = [v for v, count in holders if count < enough]

        numbers = {number.label for number in NUMBERS}
        self.scaling = {}
        for label, column in self._columns(rows, plain):
            # From a constant column nothing can be learnt, yet a held-out row could differ in it
            # and meet a weight that was never trained.
            if label in READ_LABELS:
                self.scaling[label] = (0.0, FARED_UNIT if label in numbers else 1.0)
            elif column.min() < column.max():
                mean, sd = (column.mean(), column.std()) if label in numbers else (0, 1)
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
            "counted": self.counted.tolist(),
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
        encoder.counted = np.array(state["counted"], dtype=np.int64)
        encoder.companions = Companions.from_state(state["companions"])
        encoder.medians = dict(state["medians"])
        encoder.categories, encoder.rare = dict(state["categories"]), dict(state["rare"])
        encoder.scaling = {label: (mean, sd) for label, (mean, sd) in state["scaling"].items()}
        return encoder

    def transform(self, rows: pd.DataFrame | Columns) -> NDArray[np.float32]:
        """Encode `passenger_features` of any passengers.

        Each row is encoded by itself: who stands beside it makes no difference. A category that no
        training row had is encoded as none, zeros in all of its columns, like a missing one.

        Returns:
            Shape (rows, features), numbers in standard deviations from the training mean.
        """
        rows = Columns.of(rows)
        at = {label: i for i, label in enumerate(self.scaling)}
        x = np.empty((len(rows), len(at)), dtype=np.float32)
        for label, column in self._columns(rows, self._plain(rows)):
            if label in at:
                mean, sd = self.scaling[label]
                x[:, at[label]] = (column - mean) / sd
        return x

    def _plain(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Numbers and flags by name (rows,), with those that take more than a passenger's own row.

        The ticket's holders are counted and the companions asked; what is missing is still NaN.
        """
        holders = rows.look_up("ticket", self.ticket_holders, otherwise=0)
        # Everyone holds their own ticket, so a training row and a held-out row mean the same by it.
        # Of a ticket that nobody holds it is a stranger with a counted passenger's number.
        counted = np.isin(rows.ids, self.counted) & (holders > 0)
        shared_by = holders + ~counted
        fare = np.expm1(rows.numbers["log_fare"])
        return {
            **rows.numbers,
            "ticket_shared_by": shared_by,
            "fare_per_head": np.log1p(fare / shared_by),
            **self.companions.transform(rows, counted),
        }

    def _columns(
        self, rows: Columns, plain: Mapping[str, NDArray[Any]]
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Every encoded column (rows,) with its label, in order: filled in, not yet scaled."""
        for feature in FEATURES:
            name, label = feature.name, feature.label
            if feature.kind == "category":
                values = [*self.categories[name], "rare"]
                at = {value: i for i, value in enumerate(values[:-1])}
                at |= dict.fromkeys(self.rare[name], len(at))
                place = rows.look_up(name, at)
                for i, value in enumerate(values):
                    yield f"{label}={value}", place == i
            elif feature.kind == "number":
                column = np.asarray(plain[name], np.float64)
                yield label, _impute(column, rows, name, self.medians[name])
            else:
                yield label, plain[name]


class SplitEncoders:
    """An encoder for each split, fitted on its training rows, for one table.

    Fitted all at once, so that the columns are known; encoding is done on demand, because the
    matrices of many splits of a long table would not fit in memory. Nor would thousands of
    encoders, or a few of a long table: those that do not are forgotten, and fitted again.

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
        self._features, self._y = Columns.of(features), y
        self._splits, self._settings = splits, settings
        self._kept: list[Encoder] = []
        names: set[str] = set()
        for i in range(len(splits)):
            encoder = self._fit(i)
            names.update(encoder.feature_names)
            if (len(self._kept) + 1) * len(features) <= ROWS_KEPT:
                self._kept.append(encoder)
        self.feature_names = sorted(names, key=_column_order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(splits, rows, features) of all matrices together."""
        return len(self._splits), len(self._features), len(self.feature_names)

    def encoder(self, split: int) -> tuple[Encoder, list[int]]:
        """A split's encoder, and where its columns stand among `feature_names`."""
        encoder = self._kept[split] if split < len(self._kept) else self._fit(split)
        return encoder, [self.feature_names.index(name) for name in encoder.feature_names]

    def _fit(self, split: int) -> Encoder:
        train = self._splits[split].train
        rows = self._features.take(train)
        return Encoder(self._settings).fit(rows, self._y[train], known=self._features)

    def in_turn(self, which: range | None = None) -> Iterator[range]:
        """The splits, or some, as many at a time as may have their matrices in memory together."""
        splits, rows, features = self.shape
        which = range(splits) if which is None else which
        at_once = max(1, ENCODED_AT_ONCE // (rows * features))
        for first in range(0, len(which), at_once):
            yield which[first : first + at_once]

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


def _groups(rows: Columns, number: str) -> list[tuple[NDArray[np.integer], list[str]]]:
    """The groups whose medians stand in for a number, widest first: "Mr", then "Mr, 3".

    Each as a row's place among their names (rows,), -1 where it is in none, and the names.
    """
    groups: list[tuple[NDArray[np.integer], list[str]]] = []
    for column in IMPUTED_WITHIN.get(number, ()):
        place, names = rows.places[column], rows.words[column]
        if groups:
            wide_place, wide_names = groups[-1]
            inside = (wide_place >= 0) & (place >= 0)
            place = np.where(inside, wide_place * len(names) + place, -1)
            names = [f"{wide}, {name}" for wide in wide_names for name in names]
        groups.append((place, names))
    return groups


def _medians(
    values: NDArray[np.float64], groups: Sequence[tuple[NDArray[np.integer], list[str]]]
) -> dict[str, float]:
    """Group -> median of a number, for "everyone" and all groups in which somebody's is known."""
    known = ~np.isnan(values)
    everyone = float(np.median(values[known])) if known.any() else 0.0
    medians = {"everyone": everyone}
    for place, names in groups:
        in_group = known & (place >= 0)
        if in_group.any():
            found = np.unique(place[in_group])
            middle = ndimage.median(values[in_group], place[in_group], found)
            medians |= dict(zip([names[i] for i in found], middle.tolist(), strict=True))
    return medians


def _impute(
    values: NDArray[np.float64], rows: Columns, number: str, medians: Mapping[str, float]
) -> NDArray[np.float64]:
    """Fill what is missing from the narrowest group that has a median."""
    if not np.isnan(values).any():
        return values
    filled = values.copy()
    for place, names in reversed(_groups(rows, number)):
        missing = np.isnan(filled)
        # A row's place is -1, the last, where it is in no group.
        of_group = np.array([*(medians.get(name, np.nan) for name in names), np.nan])
        filled[missing] = of_group[place[missing]]
    return np.where(np.isnan(filled), medians["everyone"], filled)
