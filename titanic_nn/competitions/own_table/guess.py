"""A first description of a table, guessed from its CSV file, as TOML to be edited."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from reprlib import repr as shortened

import pandas as pd

from titanic_nn.competitions.own_table.description import (
    KINDS,
    MOST_CLASSES,
    check_description,
)
from titanic_nn.competitions.own_table.features import FALSE, PARSERS, TRUE, dates
from titanic_nn.errors import DataError, did_you_mean
from titanic_nn.escape import printable
from titanic_nn.tables.schema import Lines, text_table

MOST_GUESSED = 20  # classes of a column that is taken for the target without being named
# Text is a category if it has at most so many values, with so many rows each on average.
MOST_CATEGORIES, ROWS_PER_CATEGORY = 50, 5
FEW_NUMBERS = 10  # whole numbers with at most so many values may be codes
MOSTLY = 0.8  # of the values are numbers: the others are probably mistakes

IDS = re.compile(r"(?i:(^|[\W_])(id|key|index|code|nr|no|number)$)|[a-z](Id|ID)$")
TARGETS = ("target", "label", "class", "outcome", "response", "y")

HEAD = """\
# What titanic_nn needs to know of {file}. This is a guess: correct it.
# Each column is in one list; one that is in none is dropped, with a note.

id = {id}  # {why_id}
target = {target}  # {why_target}
labels = [{labels}]  # {counts}
# What the labels mean, in a word or two each:
# class_names = [{labels}]
row_name = "row"  # what a row is: "patient"
submission = "labels"  # or "probabilities"
# Rows that agree in this column belong together, so folds keep them whole:
# groups = "..."
# Of a Kaggle competition, the name in its address:
# slug = "..."
"""
MEANINGS = {
    "numbers": "missing ones become the median; skewed ones their logarithm",
    "categories": "a column for each value; rare ones share one",
    "booleans": "true or false, yes or no, 1 or 0",
    "dates": "split into year, month, day of the week, hour and days",
    "ignore": "not used",
}


def guess_description(
    content: bytes, *, file: str, target: str | None = None, test_columns: Sequence[str] = ()
) -> str:
    """A description of a labelled CSV file, as TOML with the reason for each line.

    Args:
        content: the file's bytes.
        file: what messages call it.
        target: the column to predict; guessed by default.
        test_columns: those of a table without labels, if there is one: features are in both.

    Raises:
        DataError: the file is no such table, or nothing in it can be the target or the id.
        ConfigError: a column's name is one of a run's own.
    """
    table, lines = text_table(content, file=file)
    table = table[[name for name in table if name]]  # a nameless one cannot be listed
    in_both = [str(name) for name in table if not test_columns or name in test_columns]
    target, why_target = _target(table, file, target, in_both)
    labels, counts = _labels(table[target], file, lines)
    id, why_id = _id(table[[name for name in in_both if name != target]], file, lines)

    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in MEANINGS}
    for name in table:
        if name in (id, target):
            continue
        kind, why = "ignore", "test.csv lacks it"
        if name in in_both:
            kind, why = _kind(str(name), table[name], lines)
        found[kind].append((str(name), why))

    text = HEAD.format(
        file=printable(Path(file).name),
        id=_quoted(id),
        why_id=why_id,
        target=_quoted(target),
        why_target=why_target,
        labels=", ".join(map(_quoted, labels)),
        counts=counts,
    )
    for kind, columns in found.items():
        text += f"\n# {MEANINGS[kind][0].upper()}{MEANINGS[kind][1:]}.\n{kind} = ["
        text += "".join(f"\n    {_quoted(name)},  # {why}" for name, why in columns)
        text += "\n]\n" if columns else "]\n"
    if not any(found[kind] for kind in KINDS):
        raise DataError(f"{file}: no column but id and target has numbers, dates or categories")
    check_description(tomllib.loads(text), Path(file))
    return text


def _target(
    table: pd.DataFrame, file: str, named: str | None, in_both: Sequence[str]
) -> tuple[str, str]:
    """The column to predict, and why it is this one."""
    names = [str(name) for name in table]
    if named is not None:
        if named not in names:
            near = did_you_mean(named, names)
            raise DataError(f"{file}, line 1: there is no column {named}{near}")
        return named, "as it was named"
    lacking = [name for name in names if name not in in_both]
    if len(lacking) == 1:
        return lacking[0], "test.csv lacks it"
    possible = [
        name
        for name in lacking or names
        if 2 <= table[name].nunique() <= MOST_GUESSED and table[name].notna().all()
    ]
    hinted = [name for name in possible if name.lower() in TARGETS]
    if not possible:
        raise DataError(
            f"{file}: no column has 2 to {MOST_GUESSED} values and none missing, to be predicted; "
            "name one with --target NAME"
        )
    why = "by its name" if hinted else f"the last column with at most {MOST_GUESSED} values"
    return (hinted or possible)[-1], f"{why}; --target NAME names another"


def _labels(values: pd.Series, file: str, lines: Lines) -> tuple[list[str], str]:
    """The target's labels in the order of their classes, and how many rows have each."""
    where, counts = f"column {values.name}", values.value_counts()
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"{file}, {where}: {len(counts)} different values, like "
            f"{shortened(values.dropna().iloc[0])}; a target has 2 to {MOST_CLASSES} classes: "
            "predicting a number (regression) is not possible"
        )
    if values.isna().any():
        line = lines[int(values.isna().to_numpy().argmax())]
        raise DataError(f"{file}, line {line}, {where}: the value is missing; expected a label")
    if len(counts) == 1:
        raise DataError(f"{file}, {where}: every row has {counts.index[0]}; expected two labels")
    as_numbers = pd.to_numeric(pd.Series(counts.index), errors="coerce")
    if as_numbers.notna().all():
        labels = [counts.index[i] for i in as_numbers.argsort(kind="stable")]
    else:
        labels = sorted(counts.index, key=lambda label: (label.lower() in TRUE, label))
    rows = [f"{counts[label]}" for label in labels]
    found = f"{', '.join(rows[:-1])} and {rows[-1]} rows"
    return labels, f"{found}; the second is the positive class" if len(labels) == 2 else found


def _id(table: pd.DataFrame, file: str, lines: Lines) -> tuple[str, str]:
    """The column that names each row, and why it is this one."""
    unique, repeated = [], ""
    for name, values in table.items():
        if values.is_unique and values.notna().all() and not _is_date(values):
            if not values.str.contains(r"[.eE]", regex=True).all() or not _is_number(values):
                unique.append(str(name))
        elif IDS.search(str(name)) and not repeated and values.notna().any():
            known = values.dropna()
            again = known[known.duplicated()]
            if len(again):
                first, second = (lines[i] for i in known.index[known == again.iloc[0]][:2])
                value = printable(again.iloc[0])
                repeated = f"; {name} has {value} on line {first} and on line {second}"
    for name in sorted(unique, key=lambda name: not IDS.search(name)):
        return name, f"another value in each of {len(table)} rows"
    raise DataError(
        f"{file}: no column has another value in each row{repeated}; add one to the tables, such "
        "as a row number, which identifies each row"
    )


def _kind(name: str, values: pd.Series, lines: Lines) -> tuple[str, str]:
    """The list that a column belongs to, and why."""
    known = values.dropna()
    different = known.nunique()
    missing = values.isna().mean()
    and_missing = f"; {missing:.1%} missing".replace("%", " %") if missing else ""
    if different == 0 or (different == 1 and not missing):
        return "ignore", "the same in every row" if different else "empty"
    spelled = set(known.str.lower())
    if spelled <= {*TRUE, *FALSE} and spelled & set(TRUE) and spelled & set(FALSE):
        return "booleans", " and ".join(sorted(known.unique())[:4]) + and_missing
    codes = known.str.fullmatch(r"0\d+").any()
    numeric = PARSERS["numbers"][1](known).notna()
    if numeric.all() and not codes:
        whole = known.str.fullmatch(r"[+-]?\d+").all()
        if whole and different == len(values) and IDS.search(name):
            return "ignore", "another value in each row: a second id"
        if whole and different <= FEW_NUMBERS:
            return (
                "numbers",
                f"{different} whole numbers; categories, if they are codes{and_missing}",
            )
        return "numbers", f"{different} different values{and_missing}"
    if _is_date(known):
        return "dates", f"{known.min()} to {known.max()}{and_missing}"
    values_found = f"{different} different values{and_missing}"
    if different <= MOST_CATEGORIES and len(known) >= ROWS_PER_CATEGORY * different:
        return "categories", values_found
    if numeric.mean() >= MOSTLY and not codes:
        first = known.index[int((~numeric).to_numpy().argmax())]
        return "ignore", f"numbers, but for {printable(known[first])[:40]} on line {lines[first]}"
    if IDS.search(name) and different < len(known):
        return "ignore", f"{values_found}; it may be groups"
    return "ignore", f"text: {values_found}"


def _is_number(values: pd.Series) -> bool:
    return bool(PARSERS["numbers"][1](values).notna().all())


def _is_date(values: pd.Series) -> bool:
    return bool(dates(values).notna().all())


def _quoted(text: str) -> str:
    """Text as TOML has it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
