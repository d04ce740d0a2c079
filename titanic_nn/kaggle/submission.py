"""A submission's two ends: the check before it is sent, and what its public score means."""

import math

import pandas as pd

from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import DataError
from titanic_nn.tables.schema import Column, Text, check_table, class_codes
from titanic_nn.tables.sources import TEST, TRAIN, Tables


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
    """Check a submission's bytes against the test table; return the class codes, indexed by id.

    Stricter than other tables: Kaggle scores a label in another spelling ("1.0") as wrong. Raises
    DataError if Kaggle would refuse the file, or misread it.
    """
    schema = tables.schema
    id, target, labels = schema.id.name, schema.target.name, schema.labels
    digits = Column(id, "int64", _digits, "a whole number, in digits only")
    id_column = digits if schema.id.dtype == "int64" else schema.id
    spelled = f"{labels[0]} or {labels[1]}, spelled so"
    label = Column(target, "int64", lambda text: class_codes(text, labels), spelled)
    checked = check_table(content, file=file, columns=(id_column, label), id=id_column)
    header = content.splitlines()[0]
    if header != f"{id},{target}".encode():
        raise DataError(
            f"{file}, line 1: the header is {header.decode(errors='replace')!r}; "
            f"expected {id},{target} and nothing else"
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
    return checked.table.set_index(id)[target]


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
    if value is None:
        return f"public score {score}"
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
