"""The columns and features of an own table, from its description."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass as checked_dataclass

from titanic_nn.competitions.own_table.description import KINDS, Description
from titanic_nn.config import FeatureConfig
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.features import Feature, FeatureSet, FittedFeatures
from titanic_nn.tables.schema import (
    Column,
    TableSchema,
    Text,
    any_text,
    class_codes,
    numbers,
)
from titanic_nn.tables.state import SMALLEST_SCALE, STRICT, Scale, check_names, check_state

LARGEST = 1e15  # of a number, in either direction; scaled, it is finite in float32
# Skewness above which a column without negative numbers is replaced by its logarithm: that of the
# exponential distribution is 2.
SKEWED = 1.0

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
# Of years that a timestamp in nanoseconds can have, so that no other row decides what is a date.
DATE = re.compile(
    r"(1[7-9]|2[01])\d\d-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def booleans(text: Text) -> Text:
    """Booleans as "true" and "false", from the usual spellings; anything else becomes NaN."""
    return text.str.lower().map({**dict.fromkeys(TRUE, "true"), **dict.fromkeys(FALSE, "false")})


def dates(text: Text) -> Text:
    """Texts that are dates, with or without a time; anything else becomes NaN."""
    return text.where(timestamps(text).notna())


def timestamps(text: Text) -> pd.Series:
    """Dates in UTC, in nanoseconds; NaT where a text is none."""
    known = text.where(text.str.fullmatch(DATE, na=False))
    return pd.to_datetime(known, format="ISO8601", errors="coerce", utc=True).dt.as_unit("ns")


# Kind of column -> its type, what turns text into it, and what is expected.
PARSERS: Mapping[str, tuple[Any, Callable[[Text], pd.Series], str]] = {
    "numbers": ("float64", partial(numbers, low=-LARGEST, high=LARGEST), "a number"),
    "categories": ("str", any_text, "a text"),
    "booleans": ("str", booleans, "true or false, yes or no, 1 or 0"),
    "dates": ("str", dates, "a date like 2024-05-31 or 2024-05-31 13:45, from 1700 to 2199"),
}


def schema_of(description: Description) -> TableSchema:
    """The columns, in the order of the description's lists."""
    file, labels = description.file, description.labels
    shown = f"{', '.join(labels[:-1])} or {labels[-1]}"
    expected = shown if len(shown) <= 200 else f"one of the {len(labels)} labels"
    columns = []
    for kind in KINDS:
        dtype, parse, what = PARSERS[kind]
        what = f"{what}, or nothing ({file} lists the column in {kind})"
        columns += [
            Column(name, dtype, parse, what, may_be_missing=True, named_by=file)
            for name in getattr(description, kind)
        ]
    if description.groups:
        columns.append(_text(description.groups, "a group, or nothing", file, missing=True))
    parse_label = partial(class_codes, labels=labels)
    return TableSchema(
        id=_text(description.id, "an id", file),
        target=Column(
            description.target, "int64", parse_label, f"{expected} ({file})", named_by=file
        ),
        columns=tuple(columns),
        row_name=description.row_name,
        labels=labels,
        class_names=description.class_names or labels,
        submission=description.submission,
        ignored=description.ignore,
    )


def _text(name: str, what: str, file: str, *, missing: bool = False) -> Column:
    return Column(name, "str", any_text, what, may_be_missing=missing, named_by=file)


def group_numbers(rows: pd.DataFrame, column: str) -> NDArray[np.int64]:
    """The number of each row's group (rows,); a row that lacks it is a group of its own."""
    codes = pd.factorize(rows[column])[0].astype(np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(len(alone))
    return codes


@dataclass(frozen=True)
class Part:
    """A feature, and what it is of its column of the table."""

    feature: Feature
    column: str
    what: str  # "value", "is missing", or a part of a date


# Parts of a date: name, kind, formula, why.
DATE_PARTS: tuple[tuple[str, Any, str, str], ...] = (
    ("year", "number", "the year", "years differ"),
    ("month", "category", "the month", "seasons differ"),
    ("weekday", "category", "the day of the week", "working days and weekends differ"),
    ("hour", "number", "hours since midnight, UTC", "times of the day differ"),
    ("days", "number", "days since 1970", "what changes steadily"),
)
LOGARITHM = "its logarithm, log(1 + value / median), where the training rows are skewed"


def feature_parts(description: Description) -> tuple[Part, ...]:
    """Every feature, in order."""
    return tuple(_parts(description))


def _parts(description: Description) -> Iterator[Part]:
    names = _Names()
    for kind, of_feature, why in (
        ("numbers", "number", LOGARITHM),
        ("categories", "category", "as it is"),
        ("booleans", "flag", "as it is"),
        ("dates", "", ""),
    ):
        for column in getattr(description, kind):
            formula = column.replace("`", "'")
            if kind == "dates":
                for what, of_part, part, reason in DATE_PARTS:
                    name = names.new(f"{column} {what}")
                    yield Part(Feature(name, of_part, f"{part} of {formula}", reason), column, what)
            else:
                name, typed = names.new(column), cast(Any, of_feature)
                yield Part(Feature(name, typed, formula, why), column, "value")
            name, why_missing = names.new(f"{column} missing"), "tells a known value from a guess"
            missing = Feature(name, "flag", f"{formula} is missing", why_missing)
            yield Part(missing, column, "is missing")


def _made(values: pd.Series, part: Part) -> pd.Series:
    """A feature's values from its column's; a date's are timestamps."""
    found: pd.Series = values
    match part.what:
        case "is missing":
            found = values.isna()
        case "value" if part.feature.kind == "flag":
            found = values == "true"
        case "year":
            found = values.dt.year.astype("float64")
        case "month":
            found = values.dt.strftime("%m")
        case "weekday":
            found = values.dt.day_name()
        case "hour":
            found = (values - values.dt.normalize()).dt.total_seconds() / 3600
        case "days":
            found = (values - pd.Timestamp(0, tz="UTC")).dt.total_seconds() / 86400
    return found


class _Names:
    """Features' names, no two of which have one label; "=" is between a feature and its value."""

    def __init__(self) -> None:
        self.labels: set[str] = set()

    def new(self, name: str) -> str:
        """The name, changed where it cannot be one or is taken."""
        name = wanted = name.replace("=", ":")
        number = 1
        while (label := name.replace("_", " ")) in self.labels:
            number += 1
            name = f"{wanted} {number}"
        self.labels.add(label)
        return name


def features_of(description: Description) -> FeatureSet:
    """The feature table, and how it is made."""
    parts = feature_parts(description)
    numbers = tuple(
        p.feature.name for p in parts if p.what == "value" and p.feature.kind == "number"
    )
    made = partial(row_features, id=description.id, dates=description.dates, parts=parts)
    # A feature set has a class, and this one is to know the numbers' names.
    fitted: type[FittedFeatures] = type("SkewedNumbers", (SkewedNumbers,), {"names": numbers})
    return FeatureSet(tuple(part.feature for part in parts), made, fitted=fitted)


def row_features(
    table: pd.DataFrame, *, id: str, dates: tuple[str, ...], parts: tuple[Part, ...]
) -> pd.DataFrame:
    """The features that a row yields by itself, indexed by id."""
    times = {column: timestamps(table[column]) for column in dates}
    values = {**table, **times}
    made = {part.feature.name: _made(values[part.column], part) for part in parts}
    return pd.DataFrame(made).set_index(table[id])


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _SkewedState:
    """The state of SkewedNumbers."""

    scales: dict[str, Scale]


class SkewedNumbers:
    """Numbers whose training rows are skewed, on a logarithmic scale; a `FittedFeatures`.

    A number x without negative training values becomes log(1 + x / median), with the median of the
    positive ones; an unseen negative one gets the same of its magnitude, and a minus. Without the
    division the result would depend on the unit.
    """

    names: ClassVar[tuple[str, ...]] = ()  # the numbers that are looked at
    scales: dict[str, float]  # of those that are skewed: the median of the positive values

    def __init__(self, config: FeatureConfig) -> None:
        self.scales = {}

    def fit(self, rows: Columns, y: NDArray[Any], known: Columns | None) -> Self:
        """Find the skewed numbers of training rows; neither labels nor other rows are read."""
        scales = {name: _scale_if_skewed(rows.numbers[name]) for name in self.names}
        self.scales = {name: scale for name, scale in scales.items() if scale is not None}
        return self

    def transform(self, rows: Columns) -> dict[str, NDArray[Any]]:
        """The skewed numbers by name, each (rows,); NaN where one is missing."""
        found = {}
        for name, scale in self.scales.items():
            x = rows.numbers[name]
            found[name] = np.sign(x) * np.log1p(np.abs(x) / scale)
        return found

    def forget_ids(self) -> None:
        """No row is known by its id."""

    def state(self) -> dict[str, Any]:
        """The scales."""
        return {"scales": self.scales}

    @classmethod
    def from_state(cls, config: FeatureConfig, state: Mapping[str, Any]) -> Self:
        """The fitted object with this state. Raises ModelError where `state` gives no such."""
        fitted = cls(config)
        fitted.scales = check_state(_SkewedState, state, "fitted").scales
        known = [name for name in cls.names if name in fitted.scales]
        check_names(fitted.scales, known, "fitted.scales")
        return fitted


def _scale_if_skewed(values: NDArray[Any]) -> float | None:
    """The median of the positive numbers, if none is negative and they are skewed."""
    from scipy.stats import skew  # half a second, which other competitions' commands need not take

    x = values[~np.isnan(values)].astype(np.float64)
    if not len(x) or x.min() < 0 or not x.std() > 0:
        return None
    scale = float(np.median(x[x > 0]))
    return scale if skew(x) > SKEWED and scale >= SMALLEST_SCALE else None
