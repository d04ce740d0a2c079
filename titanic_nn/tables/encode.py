"""From features to the numbers a net reads: impute, scale, one-hot, all fitted on training rows.

A number is one scaled column, or a piecewise-linear encoding (Gorishniy, Rubachev and Babenko 2022,
"On Embeddings for Numerical Features in Tabular Deep Learning"): a column for each of its bins,
which rises from 0 to 1 within the bin,

    column_b = (x - edge_b) / (edge_b+1 - edge_b), at least 0, at most 1

A weighted sum of them is a function with a bend at every edge.

scikit-learn has a class for each step. They are a line or two each here, because what was fitted
can then be read, and saved, as plain numbers and names; the tests compare them with scikit-learn's.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass as checked_dataclass
from scipy import ndimage

from titanic_nn.config import FeatureConfig
from titanic_nn.errors import ConfigError, ModelError
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.features import Feature, FeatureSet, FittedFeatures
from titanic_nn.tables.splits import Split
from titanic_nn.tables.state import STRICT, Number, Scale, check_names, check_state

# The scale of a number that is made from labels: such a column's scaling, and whether it is there
# at all, must not depend on the row's own label, so both are fixed.
LABEL_SCALE = 0.25

RARE = "rare"  # the column that rare values of a category share is `deck=rare`

# Numbers of the encoded matrices that are in memory at a time: splits of a long table take turns.
ENCODED_AT_ONCE = 2**26
ROWS_AT_ONCE = 2**12  # of a matrix that is filled
# Rows of the tables of all encoders that are kept; one is kept in any case.
ROWS_KEPT = 2**20


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _EncoderState:
    """An encoder's state; Encoder documents its fields."""

    config: dict[str, Any]
    fitted: dict[str, Any] | None
    medians: dict[str, dict[str, Number]]
    categories: dict[str, list[str]]
    rare: dict[str, list[str]]
    scaling: dict[str, tuple[Number, Scale]]
    edges: dict[str, list[Number]] = field(default_factory=dict)


class Encoder:
    """Encodes rows by what was fitted on training rows: `fit` on those, then `transform` any."""

    fitted: FittedFeatures | None  # the features that need more than a row, if there are any
    medians: dict[str, dict[str, float]]  # number -> group of rows: ["age"]["Mr, 3"]
    categories: dict[str, list[str]]  # category feature -> the values that have their own column
    rare: dict[str, list[str]]  # category feature -> the values that share the column `deck=rare`
    edges: dict[str, list[float]]  # number -> the edges of its bins, if it is encoded by bins
    # Encoded column -> (mean, standard deviation); (0, 1) for what is not scaled.
    scaling: dict[str, tuple[float, float]]

    def __init__(self, features: FeatureSet, config: FeatureConfig) -> None:
        self.features, self.config = features, config

    @property
    def feature_names(self) -> list[str]:
        """The encoded columns in order: `title=Mr`, `age`, `age missing`, `deck=rare`, ...

        With bins, `age=bin 1` and so on instead of `age`.
        """
        return list(self.scaling)

    def fit(self, rows: Columns, y: NDArray[np.int64], known: Columns | None = None) -> Self:
        """Fit on training rows and their class codes y (rows,).

        known: every row whose features are known; read only where the settings say so.
        Raises ConfigError where groups are to be counted among the known rows and none are given.
        """
        made = self.features.fitted
        self.fitted = made(self.config).fit(rows, y, known) if made else None
        plain = self.plain(rows)
        numbers = [f for f in self.features.features if f.kind == "number"]
        self.medians = {n.name: _medians(plain[n.name], _groups(rows, n)) for n in numbers}

        self.edges = {}
        if self.config.n_bins:
            for number in numbers:
                # What is made from labels has a fixed scale, so it has no bins of its own either.
                if not number.reads_labels:
                    column = np.asarray(plain[number.name], np.float64)
                    values = np.unique(_impute(column, rows, number, self.medians[number.name]))
                    # Of distinct values: else a bill that most did not have would fill most bins.
                    edges = np.quantile(values, np.linspace(0, 1, self.config.n_bins + 1))
                    self.edges[number.name] = np.unique(edges).tolist()
        self.categories, self.rare = {}, {}
        for name in [f.name for f in self.features.features if f.kind == "category"]:
            counts, enough = sorted(rows.count(name).items()), self.config.min_category_rows
            self.categories[name] = [value for value, count in counts if count >= enough]
            self.rare[name] = [value for value, count in counts if count < enough]

        self.scaling = {}
        for label, column, feature in self._columns(rows, plain):
            is_number = feature.kind == "number"
            if feature.reads_labels:
                self.scaling[label] = (0.0, LABEL_SCALE if is_number else 1.0)
            # From a constant column nothing can be learnt, yet a held-out row could differ in it
            # and meet a weight that was never trained.
            elif column.min() < column.max():
                scaled = is_number and feature.name not in self.edges
                mean, sd = (column.mean(), column.std()) if scaled else (0, 1)
                self.scaling[label] = (float(mean), float(sd))
        return self

    def forget_ids(self) -> None:
        """Forget which rows were training rows: every row is a new one from now on."""
        if self.fitted:
            self.fitted.forget_ids()

    def state(self) -> dict[str, Any]:
        """What was fitted, as JSON values, for `from_state`. It holds no row of the table.

        Raises ModelError if a number is not finite.
        """
        state = {
            "config": asdict(self.config),
            "fitted": self.fitted.state() if self.fitted else None,
            "medians": self.medians,
            "categories": self.categories,
            "rare": self.rare,
            "scaling": {label: list(numbers) for label, numbers in self.scaling.items()},
            "edges": self.edges,
        }
        check_state(_EncoderState, state, "encoder")
        return state

    @classmethod
    def from_state(cls, features: FeatureSet, state: Mapping[str, Any]) -> Self:
        """The fitted encoder with this state. Raises ModelError where `state` gives no such."""
        checked = check_state(_EncoderState, state, "encoder")
        for part, kind in (("medians", "number"), ("categories", "category"), ("rare", "category")):
            names = [feature.name for feature in features.features if feature.kind == kind]
            check_names(getattr(checked, part), names, f"encoder.{part}")
        for name, medians in checked.medians.items():
            if "everyone" not in medians:
                raise ModelError(f"encoder.medians.{name}.everyone is missing")
        numbers = {feature.name for feature in features.features if feature.kind == "number"}
        for name, edges in checked.edges.items():
            if name not in numbers:
                raise ModelError(f"encoder.edges: there is no number {name!r}")
            if (np.diff(edges) <= 0).any() or not edges:
                raise ModelError(f"encoder.edges.{name} do not rise")
        for name, values in checked.categories.items():  # in the order of their columns
            rare = checked.rare[name]
            if values != sorted({*values} - {*rare}) or rare != sorted({*rare}):
                raise ModelError(f"encoder.categories.{name} do not rise, or one stands twice")

        encoder = cls(features, check_state(FeatureConfig, checked.config, "encoder.config"))
        made = features.fitted
        if (made is None) != (checked.fitted is None):
            raise ModelError("encoder.fitted: is not that of the competition's features")
        if made and checked.fitted is not None:
            encoder.fitted = made.from_state(encoder.config, checked.fitted)
        else:
            encoder.fitted = None
        encoder.medians, encoder.categories = checked.medians, checked.categories
        encoder.rare, encoder.edges = checked.rare, checked.edges
        # In their order as columns, which JSON does not promise to keep.
        labels = dict.fromkeys(label for f in features.features for label in encoder._labels(f))
        if unknown := sorted(checked.scaling.keys() - labels):
            raise ModelError(f"encoder.scaling: there is no column {unknown[0]!r}")
        encoder.scaling = {n: checked.scaling[n] for n in labels if n in checked.scaling}
        return encoder

    def with_columns(self, names: Sequence[str]) -> Self:
        """This encoder with more columns, in the order of `names`; they are 0 in every row.

        Raises ConfigError for a column that a row could have: it must stay without one.
        """
        lacking = [name for name in names if name not in self.scaling]
        for name in lacking:
            feature = self.features.of_column(name)
            if name != f"{feature.label}=rare" or self.rare.get(feature.name) != []:
                raise ConfigError(f"the column {name} is not always 0; it cannot be added")
        wider = copy(self)
        wider.scaling = {name: self.scaling.get(name, (0.0, 1.0)) for name in names}
        return wider

    def with_labels(self, rows: Columns, y: NDArray[np.int64], known: Columns) -> Self:
        """A copy of this encoder with the labels of the rows that it was fitted on.

        A loaded encoder has no labels, and counts a training row's own label among its group's. The
        arguments are those of `fit`, with which it was fitted.
        """
        if not self.fitted:
            return self
        labelled = copy(self)
        labelled.fitted = type(self.fitted)(self.config).fit(rows, y, known)
        return labelled

    def transform(self, rows: Columns) -> NDArray[np.float32]:
        """Encode any rows: (rows, features), numbers in standard deviations from training means.

        With bins, numbers are from 0 to 1; beyond the training rows' range they are 0 or 1.
        The rows beside a row make no difference. A category that no training row had is encoded as
        zeros, like a missing one.
        """
        x = np.empty((len(rows), len(self.scaling)), dtype=np.float32)
        self.transform_into(x, range(len(self.scaling)), rows)
        return x

    def transform_into(self, x: NDArray[np.float32], columns: Sequence[int], rows: Columns) -> None:
        """Write what `transform` returns into these columns of x, (rows, at least features)."""
        at = dict(zip(self.scaling, columns, strict=True))
        encoded: dict[int, NDArray[np.float32]] = {}  # each (rows,)
        for label, column, _ in self._columns(rows, self.plain(rows)):
            if label in at:
                mean, sd = self.scaling[label]
                encoded[at[label]] = ((column - mean) / sd).astype(np.float32)
        # Some rows at a time, which stay in the cache while they are filled column by column.
        for first in range(0, len(rows), ROWS_AT_ONCE):
            some = slice(first, first + ROWS_AT_ONCE)
            for i, column in encoded.items():
                x[some, i] = column[some]

    def encode_values(
        self, feature: Feature, values: Sequence[Any]
    ) -> tuple[list[int], NDArray[np.float32]]:
        """The positions of a feature's columns, and values of it encoded, (values, columns).

        values: none is missing; of a category text, of a flag False and True.
        """
        codes: dict[str, NDArray[np.integer]] = {}
        categories: dict[str, list[str]] = {}
        if feature.kind == "category":
            codes, categories = {feature.name: np.arange(len(values))}, {feature.name: [*values]}
        rows = Columns(np.arange(len(values)), {}, codes, categories)
        found = dict(self._of_feature(feature, rows, {feature.name: np.asarray(values)}))
        names = [name for name in self.feature_names if name in found]
        x = [(found[n] - self.scaling[n][0]) / self.scaling[n][1] for n in names]
        at = [self.feature_names.index(name) for name in names]
        return at, np.array(x, np.float32).reshape(len(names), len(values)).T

    def raw(self, rows: Columns) -> NDArray[np.float64]:
        """The feature table of any rows as it is, (rows, features): neither imputed nor scaled.

        A category is its code in `rows`. NaN stands where a value is missing.
        """
        plain = self.plain(rows)
        x = np.empty((len(rows), len(self.features.features)))
        for column, feature in zip(x.T, self.features.features, strict=True):
            if feature.kind == "category":
                codes = rows.codes[feature.name]
                column[:] = np.where(codes < 0, np.nan, codes)
            else:
                column[:] = plain[feature.name]
        return x

    def plain(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """Numbers and flags by name (rows,), the fitted ones included; NaN where one is missing."""
        return {**rows.numbers, **(self.fitted.transform(rows) if self.fitted else {})}

    def definitions(self) -> list[dict[str, Any]]:
        """Each encoded column, in order, as another program can compute it; JSON values.

        Its `feature`, and `mean` and `sd`, by which it is scaled: (value - mean) / sd, in float32.
        With `values`, the value is 1 where the feature is one of them, else 0. A number has
        `medians` and `within`, by which it is imputed, and with `bin`, two edges, the value is
        (number - low) / (high - low), at least 0, at most 1. A flag is 1 or 0.
        """
        found = []
        for feature in self.features.features:
            name = feature.name
            parts: list[dict[str, Any]] = [{}]
            if feature.kind == "category":
                parts = [{"values": [value]} for value in self.categories[name]]
                parts.append({"values": self.rare[name]})
            elif feature.kind == "number":
                of_number = {"medians": self.medians[name], "within": list(feature.impute_within)}
                parts = [of_number]
                if name in self.edges:
                    parts = [of_number | {"bin": list(bin)} for bin in pairwise(self.edges[name])]
            for label, part in zip(self._labels(feature), parts, strict=True):
                if label in self.scaling:
                    mean, sd = self.scaling[label]
                    found.append({"feature": name, "mean": mean, "sd": sd, **part})
        return found

    def _labels(self, feature: Feature) -> list[str]:
        """The labels of a feature's encoded columns, in order."""
        if feature.name in self.edges:
            bins = range(1, len(self.edges[feature.name]))
            return [f"{feature.label}=bin {i:0{len(str(self.config.n_bins))}}" for i in bins]
        if feature.kind != "category":
            return [feature.label]
        # A value that is called as the column of rare ones is gets quotes.
        values = (
            f'"{value}"' if value.strip('"') == RARE else value
            for value in self.categories[feature.name]
        )
        return [f"{feature.label}={value}" for value in (*values, RARE)]

    def _columns(
        self, rows: Columns, plain: Mapping[str, NDArray[Any]]
    ) -> Iterator[tuple[str, NDArray[Any], Feature]]:
        """Every encoded column (rows,) with its label, in order: imputed, not yet scaled."""
        for feature in self.features.features:
            for label, column in self._of_feature(feature, rows, plain):
                yield label, column, feature

    def _of_feature(
        self, feature: Feature, rows: Columns, plain: Mapping[str, NDArray[Any]]
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """A feature's encoded columns (rows,), each with its label."""
        name, label = feature.name, feature.label
        if feature.kind == "category":
            at = {value: i for i, value in enumerate(self.categories[name])}
            at |= dict.fromkeys(self.rare[name], len(at))
            code = rows.look_up(name, at)
            for i, of_value in enumerate(self._labels(feature)):
                yield of_value, code == i
        elif feature.kind == "number":
            column = np.asarray(plain[name], np.float64)
            column = _impute(column, rows, feature, self.medians[name])
            if name not in self.edges:
                yield label, column
            else:
                edges = pairwise(self.edges[name])
                for of_bin, (low, high) in zip(self._labels(feature), edges, strict=True):
                    yield of_bin, np.clip((column - low) / (high - low), 0, 1)
        else:
            yield label, plain[name]


@dataclass(frozen=True, eq=False)
class EncodedSplits:
    """Some splits, and every row of the table as each split's encoder encodes it."""

    splits: Sequence[Split]
    x: NDArray[np.float32]  # (splits, rows, features): training rows or not

    def each(self) -> "Iterator[EncodedSplits]":
        """Every split by itself."""
        for i in range(len(self.splits)):
            yield EncodedSplits(self.splits[i : i + 1], self.x[i : i + 1])


class SplitEncoders:
    """An encoder for each split of one table, fitted on the split's training rows.

    They are all fitted at first, so that the columns are known. Matrices are made on demand, since
    those of many splits of a long table do not fit in memory. Neither do thousands of encoders, or
    a few of a long table: the newest are kept, the others are fitted again when they are needed.

    Args:
        rows: the whole table; the splits hold positions of its rows.
        y: class codes of the table's first rows, (labelled rows,).
        splits: every split that will be asked for.
        features, config: an Encoder's.
    """

    def __init__(
        self,
        rows: Columns,
        y: NDArray[np.int64],
        splits: Sequence[Split],
        features: FeatureSet,
        config: FeatureConfig,
    ) -> None:
        self._rows, self._y, self._features, self._config = rows, y, features, config
        self.splits = splits
        self._kept: dict[Split, Encoder] = {}
        names: set[str] = set()
        for split in reversed(splits):  # the first ones will be needed first
            names.update(self._fit(split).feature_names)
        labels = [feature.label for feature in features.features]
        # In the order of every encoder's own columns.
        self.feature_names = sorted(
            names, key=lambda n: (labels.index(n.partition("=")[0]), n.endswith("=rare"), n)
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(splits, rows, features) of all matrices together."""
        return len(self.splits), len(self._rows), len(self.feature_names)

    @property
    def columns_of_features(self) -> dict[str, list[int]]:
        """Feature -> the positions of its columns: `title` has those of `title=Mr`, ...

        A feature that no split encodes, since all training rows agree in it, is left out.
        """
        found: dict[str, list[int]] = {}
        for i, column in enumerate(self.feature_names):
            found.setdefault(self._features.of_column(column).name, []).append(i)
        return found

    def encoder(self, split: Split) -> tuple[Encoder, list[int]]:
        """A split's encoder, and the positions of its columns among `feature_names`."""
        encoder = self._kept.get(split) or self._fit(split)
        return encoder, [self.feature_names.index(name) for name in encoder.feature_names]

    @property
    def categories(self) -> list[int]:
        """The positions of the categories among the columns of `raw`."""
        features = self._features.features
        return [i for i, feature in enumerate(features) if feature.kind == "category"]

    def raw(self, split: Split) -> NDArray[np.float64]:
        """Every row of the table as `Encoder.raw` of a split's encoder has it, (rows, features)."""
        return self.encoder(split)[0].raw(self._rows)

    def _fit(self, split: Split) -> Encoder:
        rows = self._rows.take(split.train)
        encoder = Encoder(self._features, self._config)
        encoder.fit(rows, self._y[split.train], known=self._rows)
        self._kept[split] = encoder
        while len(self._kept) > 1 and len(self._kept) * len(self._rows) > ROWS_KEPT:
            del self._kept[next(iter(self._kept))]  # the oldest
        return encoder

    def batches(self, splits: Sequence[Split] | None = None) -> Iterator[EncodedSplits]:
        """These splits with their matrices, as many at a time as memory allows; all by default."""
        splits = self.splits if splits is None else splits
        at_once = max(1, ENCODED_AT_ONCE // (self.shape[1] * self.shape[2]))
        for first in range(0, len(splits), at_once):
            part = splits[first : first + at_once]
            yield EncodedSplits(part, self._encode(part))

    def encode(
        self, which: Sequence[int], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """The matrices of the splits at these positions, (splits asked for, rows, features).

        rows: the positions of the rows to encode; all by default.
        """
        return self._encode([self.splits[i] for i in which], rows)

    def _encode(
        self, splits: Sequence[Split], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Rows of the table, training or not, as each of these splits encodes them; all by default.

        A column that a split's encoder lacks (a category too rare in its training rows) is zero.
        """
        table = self._rows if rows is None else self._rows.take(rows)
        x = np.zeros((len(splits), len(table), self.shape[2]), dtype=np.float32)
        for x_split, split in zip(x, splits, strict=True):  # (rows, features)
            encoder, columns = self.encoder(split)
            encoder.transform_into(x_split, columns, table)
        return x


def _groups(rows: Columns, number: Feature) -> list[tuple[NDArray[np.integer], list[str]]]:
    """The groups whose medians impute a number, widest first: "Mr", then "Mr, 3".

    Each as the code of a row's group (rows,), -1 where it is in none, and the groups' names.
    """
    groups: list[tuple[NDArray[np.integer], list[str]]] = []
    for column in number.impute_within:
        codes, names = rows.codes[column], rows.categories[column]
        if groups:
            wide_codes, wide_names = groups[-1]
            inside = (wide_codes >= 0) & (codes >= 0)
            codes = np.where(inside, wide_codes * len(names) + codes, -1)
            names = [f"{wide}, {name}" for wide in wide_names for name in names]
        groups.append((codes, names))
    return groups


def _medians(
    values: NDArray[np.float64], groups: Sequence[tuple[NDArray[np.integer], list[str]]]
) -> dict[str, float]:
    """Group -> median of a number, for "everyone" and each group in which a value is known."""
    known = ~np.isnan(values)
    everyone = float(np.median(values[known])) if known.any() else 0.0
    medians = {"everyone": everyone}
    for codes, names in groups:
        in_group = known & (codes >= 0)
        if in_group.any():
            found = np.unique(codes[in_group])
            middle = ndimage.median(values[in_group], codes[in_group], found)
            medians |= dict(zip([names[i] for i in found], middle.tolist(), strict=True))
    return medians


def _impute(
    values: NDArray[np.float64], rows: Columns, number: Feature, medians: Mapping[str, float]
) -> NDArray[np.float64]:
    """Fill in what is missing from the narrowest group that has a median."""
    if not np.isnan(values).any():
        return values
    filled = values.copy()
    for codes, names in reversed(_groups(rows, number)):
        missing = np.isnan(filled)
        # A row's code is -1, the last, where it is in no group.
        of_group = np.array([*(medians.get(name, np.nan) for name in names), np.nan])
        filled[missing] = of_group[codes[missing]]
    return np.where(np.isnan(filled), medians["everyone"], filled)
