"""The form in which a person describes a row of an own table: by its columns, not its features."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titanic_nn.competitions.form import (
    Control,
    Expression,
    Form,
    choice_control,
    likely_alike,
    number_control,
)
from titanic_nn.competitions.own_table.features import Part, SkewedNumbers
from titanic_nn.tables.columns import Columns

if TYPE_CHECKING:
    from titanic_nn.tables.encode import Encoder

YES_OR_NO = (("true", "yes"), ("false", "no"))


def own_form(
    encoder: "Encoder", rows: Columns, y: NDArray[np.int64], parts: Sequence[Part]
) -> Form:
    """A control for each column, and for each part of a date; what is missing is derived."""
    scales = encoder.fitted.scales if isinstance(encoder.fitted, SkewedNumbers) else {}
    missing = {part.column: part.feature.name for part in parts if part.what == "is missing"}
    controls: list[Control] = []
    derived: dict[str, Expression] = {}
    for part in parts:
        name, kind = part.feature.name, part.feature.kind
        label = part.column if part.what == "value" else part.feature.label
        own: Expression = ["name", name]
        if part.what == "is missing":
            continue
        if part.what in ("value", "days"):  # before it is replaced
            derived[missing[part.column]] = ["missing", own]
        if kind == "category":
            controls.append(choice_control(name, label, rows))
        elif kind == "number":
            skewed = name in scales
            controls.append(number_control(name, label, rows.numbers[name], logarithmic=skewed))
            if skewed:
                share: Expression = ["/", ["abs", own], ["value", scales[name]]]
                derived[name] = ["*", ["sign", own], ["log1p", share]]
        else:
            true = bool(np.mean(rows.numbers[name].astype(bool)) > 0.5)
            unknown = bool(rows.numbers[missing[part.column]].any())
            start = "true" if true else "false"
            controls.append(
                Control(name, label, "choice", start, choices=YES_OR_NO, may_be_unknown=unknown)
            )
            derived[name] = ["==", own, ["value", "true"]]
    values = [p.feature for p in parts if p.what != "is missing"]

    def unscaled(name: str, value: float) -> float:
        return float(np.expm1(value)) * scales[name] if name in scales else value

    alike = likely_alike(encoder, rows, y, values, unscaled)
    return Form(tuple(controls), derived, alike)
