"""A submission's two ends: the check before it is sent, and what its public score means."""

import csv
import io
import math
from functools import partial

import numpy as np
import pandas as pd

from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import DataError
from titanic_nn.evaluation.predictions import most_probable
from titanic_nn.tables.schema import Column, TableSchema, Text, check_table, class_codes, numbers
from titanic_nn.tables.sources import TEST, TRAIN, Tables

SUM_TOLERANCE = 1e-3  # how far the sum of a row's probabilities may be from 1


def competition_tables(competition: Competition) -> Tables:
    """The competition's own tables, never the bundled ones. Raises DataError without good ones."""
    folders = [folder for source, folder in competition.search if source != "bundled"]
    names = (TRAIN, TEST, competition.archive)
    if not any((folder / name).exists() for folder in folders for name in names):
        raise DataError(
            f"{competition.folder}: has no tables of {competition.slug} to check against; get them "
            f"with `python -m titanic_nn download --competition {competition.slug}`"
        )
    return competition.load(bundled=False)


def check_submission(content: bytes, tables: Tables, *, file: str) -> "pd.Series[int]":
    """Check a submission's bytes against the test table.

    Stricter than other tables: Kaggle scores a label in another spelling ("1.0") as wrong. Raises
    DataError if Kaggle would refuse the file, or misread it. Returns the code of each row's class,
    of probabilities that of the likeliest, indexed by id.
    """
    schema = tables.schema
    id, names = schema.id.name, schema.submission_columns
    digits = Column(id, "int64", _digits, "a whole number, in digits only")
    id_column = digits if schema.id.dtype == "int64" else schema.id
    columns = (id_column, *_predicted_columns(schema))
    checked = check_table(content, file=file, columns=columns, id=id_column)
    header, expected_header = content.splitlines()[0], _record(id, *names)
    if header != expected_header.encode():
        raise DataError(
            f"{file}, line 1: the header is {header.decode(errors='replace')!r}; "
            f"expected {expected_header} and nothing else"
        )
    given, expected = pd.Index(checked.table[id]), pd.Index(tables.test[id])
    foreign = ~given.isin(expected)
    if foreign.any():
        row = int(foreign.argmax())
        raise DataError(
            f"{file}, line {checked.lines[row]}, column {id}: {given[row]} is none of the "
            f"{len(expected)} {schema.row_names} that the competition asks for"
        )
    if len(given) < len(expected):
        lacking = expected[~expected.isin(given)]
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise DataError(
            f"{file}, column {id}: lacks {lacking[0]}{more}; "
            f"expected all {len(expected)} {schema.row_names} of the competition"
        )
    if schema.submission == "labels":
        return checked.table.set_index(id)[schema.target.name]
    p = checked.table[[*names]].to_numpy()
    sums = p.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if p.shape[1] > 1 and wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{file}, line {checked.lines[row]}: the probabilities of {given[row]} sum to "
            f"{sums[row]:.6g}; expected 1"
        )
    codes = most_probable(p[:, 0] if p.shape[1] == 1 else p)
    return pd.Series(codes, index=given)


def predicted_counts(codes: "pd.Series[int]", schema: TableSchema) -> str:
    """How many rows are predicted as what: of two classes the second, of more each."""
    counts = np.bincount(codes, minlength=len(schema.labels))
    counted = [f"{n} predicted as {c}" for n, c in zip(counts, schema.class_names, strict=True)]
    return ", ".join(counted if len(counted) > 2 else counted[1:])


def _predicted_columns(schema: TableSchema) -> list[Column]:
    """The columns of a submission after the id, as strict as Kaggle is."""
    if schema.submission == "probabilities":
        expected, between = "a probability, 0 to 1", partial(numbers, high=1)
        return [Column(name, "float64", between, expected) for name in schema.submission_columns]
    *others, last = schema.labels
    spelled = f"{', '.join(others)} or {last}, spelled so"
    to_codes = partial(class_codes, labels=schema.labels)
    return [Column(schema.target.name, "int64", to_codes, spelled)]


def _record(*fields: str) -> str:
    """A line of a CSV file, as submissions are written."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _digits(text: Text) -> pd.Series:
    return pd.to_numeric(text.where(text.str.fullmatch("[0-9]{1,15}")))


def parse_accuracy(score: str) -> float | None:
    """A score as Kaggle writes it; None if it is no accuracy."""
    try:
        value = float(score)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def sampling_margin(accuracy: float, rows: int) -> float:
    """1.96 standard errors of an accuracy on so many rows: half of its 95 % interval."""
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / rows)


def describe_score(score: str, rows: int, competition: Competition) -> str:
    """A score as Kaggle writes it, with its 95 % interval and the nearest reference scores."""
    value = parse_accuracy(score)
    if value is None or competition.schema.submission == "probabilities":
        return f"public score {score}"  # not an accuracy
    margin = sampling_margin(value, rows)
    text = f"public score {score} ± {margin:.3f} (95 %, {rows} {competition.schema.row_names})"
    known = [(limit, f"{name} ({limit})") for limit, name in competition.reference_scores]
    nearest = {
        "above": [name for limit, name in known if value > limit][-1:],
        "level with": [name for limit, name in known if value == limit],
        "below": [name for limit, name in known if value < limit][:1],
    }
    where = ", ".join(f"{how} {names[0]}" for how, names in nearest.items() if names)
    return f"{text}: {where}" if where else text
