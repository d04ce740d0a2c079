"""A form in which a person describes one row: its controls, and the features made from them.

A competition states its own form, or `plain_form` makes one with a control for each feature. The
page to play with (play/) shows it; features are computed there, in JavaScript, from expressions
that this module reads and, for tests and counts, evaluates.

An expression is a tree of lists, as JSON has it:

    ["value", 1]    ["name", "fare"]    ["log1p", ["name", "fare"]]
    ["if", condition, then, otherwise]    ["lookup", table, key]

`expression` makes one from text in Python's syntax. A missing value is None: what is computed from
one is missing, and a comparison with one is false.
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from titanic_nn.tables.columns import Columns
from titanic_nn.tables.features import Feature

if TYPE_CHECKING:
    from titanic_nn.tables.encode import Encoder

Value: TypeAlias = float | str | bool | None
Expression: TypeAlias = list[Any]

MOST_CHOICES = 200  # of a control; a table's other categories are left to "another"
MOST_ALIKE = 3  # features in which rows agree that are counted
STEPS = 100  # of a slider, at least

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "and": lambda a, b: bool(a and b),
    "or": lambda a, b: bool(a or b),
}
_UNARY: dict[str, Callable[[Any], Any]] = {
    "log1p": math.log1p,
    "abs": abs,
    "sign": lambda a: float(a > 0) - float(a < 0),
    "not": lambda a: not a,
}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.Eq: "==",
    ast.And: "and",
    ast.Or: "or",
}


@dataclass(frozen=True)
class Control:
    """What a person sets.

    Attributes:
        name: as expressions call it.
        label: as the page shows it.
        kind: a number has a slider, a choice a list, a flag a box to tick.
        start: the value at first; None: unknown.
        low, high, step: of a number.
        logarithmic: whether the slider's steps are ratios.
        choices: of a choice, each value with its label.
        may_be_unknown: whether None can be set.
        sets: of a choice, the other controls that a value sets.
        note: a line below it.
    """

    name: str
    label: str
    kind: Literal["number", "choice", "flag"]
    start: Value
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0
    logarithmic: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    may_be_unknown: bool = False
    sets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Form:
    """Controls, and the features that they make.

    Attributes:
        controls: in the order of the page.
        derived: name -> expression, in the order of computation; each can use controls and the
            names before it. A feature without one is the control of its name.
        alike: label -> expression of features: rows that agree in all of them are counted. The
            last is dropped where no training row agrees.
        tables: what "lookup" reads.
    """

    controls: tuple[Control, ...]
    derived: Mapping[str, Expression] = field(default_factory=dict)
    alike: Mapping[str, Expression] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


# Makes a form from a fitted encoder, the training rows and their class codes (rows,).
FormMaker: TypeAlias = Callable[["Encoder", Columns, NDArray[np.int64]], Form]


def expression(text: str) -> Expression:
    """Text in Python's syntax as a tree: names, numbers, "text", + - * /, <, ==, and, or, not,
    `a if b else c`, log1p(a), missing(a).

    A name that is a word of Python's ends in "_": `class_`. Raises ValueError for anything else.
    """
    return _tree(ast.parse(text, mode="eval").body)


def _tree(node: ast.expr) -> Expression:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return ["value", value]
        case ast.Name(id=name):
            return ["name", name.removesuffix("_")]
        case ast.UnaryOp(op=ast.Not(), operand=of):
            return ["not", _tree(of)]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return [_OPERATORS[type(op)], _tree(left), _tree(right)]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return [_OPERATORS[type(op)], _tree(left), _tree(right)]
        case ast.BoolOp(op=op, values=[first, *others]):
            tree = _tree(first)
            for other in others:
                tree = [_OPERATORS[type(op)], tree, _tree(other)]
            return tree
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return ["if", _tree(test), _tree(body), _tree(otherwise)]
        case ast.Call(func=ast.Name(id=name), args=[of]) if name in _UNARY or name == "missing":
            return [name, _tree(of)]
    raise ValueError(f"{ast.unparse(node)}: is no expression of a form")


def evaluate(
    tree: Expression,
    values: Mapping[str, Value],
    tables: Mapping[str, Mapping[str, Value]] | None = None,
) -> Any:
    """The value of an expression, of values by name."""
    operator, *operands = tree
    if operator == "value":
        return operands[0]
    if operator == "name":
        return values[operands[0]]
    if operator == "lookup":
        return (tables or {})[operands[0]].get(evaluate(operands[1], values, tables))
    if operator == "if":
        chosen = 1 if evaluate(operands[0], values, tables) else 2
        return evaluate(operands[chosen], values, tables)
    found = [evaluate(operand, values, tables) for operand in operands]
    if operator == "missing":
        return found[0] is None
    if operator not in ("and", "or", "not") and None in found:
        return False if operator in ("<", "==") else None
    return (_UNARY | _BINARY)[operator](*found)


def names_of(tree: Expression) -> set[str]:
    """The names that an expression reads."""
    operator, *operands = tree
    if operator == "name":
        return {operands[0]}
    return set().union(*(names_of(part) for part in operands if isinstance(part, list)))


def raw_values(
    encoder: "Encoder", rows: Columns, names: Sequence[str] | None = None
) -> list[dict[str, Value]]:
    """Each row's features before they are encoded, by name; None where one is missing.

    names: of the columns that are taken; by default the features, and the categories within which
    numbers are imputed.
    """
    if names is None:
        features = encoder.features.features
        within = [name for feature in features for name in feature.impute_within]
        names = list(dict.fromkeys([*(feature.name for feature in features), *within]))
    numbers = encoder.plain(rows)
    columns: list[list[Value]] = []
    for name in names:
        if name in rows.codes:
            categories = [*rows.categories[name], None]  # a missing one's code is -1
            columns.append([categories[code] for code in rows.codes[name]])
        else:
            values = numbers[name].tolist()
            columns.append([None if value != value else value for value in values])
    values_of_rows = zip(*columns, strict=True) if columns else len(rows) * [()]
    return [dict(zip(names, values, strict=True)) for values in values_of_rows]


def number_control(name: str, label: str, values: NDArray[Any], **other: Any) -> Control:
    """A control of a number, from its values in the training rows, (rows,): NaN where unknown."""
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values)]
    low, high, start = (
        (float(known.min()), float(known.max()), float(np.median(known)))
        if len(known)
        else (0.0, 1.0, 0.5)
    )
    if not low < high:
        low, high = low - 1, high + 1
    whole = bool((known % 1 == 0).all())
    # The power of ten that gives a hundred steps at least.
    step = 1.0 if whole else 10.0 ** math.floor(math.log10((high - low) / STEPS))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    digits = max(0, -math.floor(math.log10(step)))
    values_of = {
        "low": round(low, digits),
        "high": round(high, digits),
        "step": step,
        "start": round(round(start / step) * step, digits),
        "may_be_unknown": len(known) < len(values),
    }
    return Control(name, label, "number", **{**values_of, **other})


def choice_control(
    name: str, label: str, rows: Columns, names: Mapping[str, str] | None = None, **other: Any
) -> Control:
    """A control of a text column, with the training rows' categories; `names` has labels."""
    counts = rows.count(name)
    common = sorted(counts, key=lambda value: -counts[value])[:MOST_CHOICES]
    choices = tuple((value, (names or {}).get(value, value)) for value in sorted(common))
    known = sum(counts.values())
    most = common[0] if common else None
    values_of = {"start": most, "choices": choices, "may_be_unknown": known < len(rows) or not most}
    control = Control(name, label, "choice", **{**values_of, **other})
    start = control.start if control.start is None or control.start in common else most
    return replace(control, start=start)


def plain_form(encoder: "Encoder", rows: Columns, y: NDArray[np.int64]) -> Form:
    """A form with a control for each feature, as the training rows have them."""
    numbers = encoder.plain(rows)
    controls = []
    for feature in encoder.features.features:
        name, label = feature.name, feature.label
        note = feature.formula if feature.formula.lower() != label.lower() else ""
        if feature.kind == "category":
            controls.append(choice_control(name, label, rows, note=note))
        elif feature.kind == "number":
            controls.append(number_control(name, label, numbers[name], note=note))
        else:
            most = bool(np.mean(numbers[name].astype(bool)) > 0.5)
            controls.append(Control(name, label, "flag", most, note=note))
    return Form(tuple(controls), alike=likely_alike(encoder, rows, y))


def likely_alike(
    encoder: "Encoder",
    rows: Columns,
    y: NDArray[np.int64],
    features: Sequence[Feature] = (),
    unscaled: Callable[[str, float], float] = lambda name, value: value,
) -> dict[str, Expression]:
    """The few features that tell most of the classes, for `Form.alike`.

    One after the other, the feature is taken that raises the mutual information of labels and
    groups of rows most; a number counts as its third of the training rows.

    Args:
        encoder: fitted on the rows.
        rows, y: the training rows and their class codes (rows,).
        features: those that are tried; by default all.
        unscaled: a feature's name and value -> the number as people know it.
    """
    numbers = encoder.plain(rows)
    candidates: dict[str, tuple[NDArray[np.int64], Expression]] = {}
    for feature in features or encoder.features.features:
        name: Expression = ["name", feature.name]
        if feature.reads_labels:
            continue
        if feature.kind == "category":
            candidates[feature.label] = rows.codes[feature.name].astype(np.int64), name
        elif feature.kind == "flag":
            candidates[feature.label] = numbers[feature.name].astype(np.int64), name
        else:
            values = np.asarray(numbers[feature.name], np.float64)
            known = values[np.isfinite(values)]
            if not len(known):
                continue
            low, high = map(float, np.quantile(known, [1 / 3, 2 / 3]))
            if not low < high:
                continue
            third = np.where(np.isnan(values), -1, (values >= low).astype(int) + (values >= high))
            few, many = (f"{unscaled(feature.name, edge):.3g}" for edge in (low, high))
            words = [f"below {few}", f"{few} to {many}", f"{many} and more"]
            upper: Expression = ["if", ["<", name, ["value", high]], *_texts(words[1:])]
            known_third: Expression = ["if", ["<", name, ["value", low]], _texts(words)[0], upper]
            tree: Expression = ["if", ["missing", name], ["value", None], known_third]
            candidates[feature.label] = third.astype(np.int64), tree
    chosen: dict[str, Expression] = {}
    groups, found = np.zeros(len(y), np.int64), 0.0
    while len(chosen) < MOST_ALIKE:
        scores = {}
        for label, (codes, _) in candidates.items():
            if label not in chosen:
                joined = np.unique(np.stack([groups, codes]), axis=1, return_inverse=True)[
                    1
                ].ravel()
                scores[label] = _information(joined, y), joined
        best = max(scores, key=lambda label: scores[label][0], default=None)
        if best is None or scores[best][0] <= found:
            break
        found, groups = scores[best]
        chosen[best] = candidates[best][1]
    return chosen


def _texts(words: Sequence[str]) -> list[Expression]:
    return [["value", word] for word in words]


def _information(groups: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """The mutual information (nats) of groups and labels, each (rows,), less what chance gives it.

    That is (groups - 1) (classes - 1) / 2 / rows (Miller 1955).
    """
    counts = np.zeros((groups.max() + 1, y.max() + 1))
    np.add.at(counts, (groups, y), 1)
    joint = counts / len(y)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    information = float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())
    return information - float((len(counts) - 1) * (counts.shape[1] - 1) / 2 / len(y))
