"""The sheet of the encoding: features, imputed numbers, and the columns that a net reads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.fitted import FittedCells
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Sheet, at
from titanic_nn.tables.encode import RARE
from titanic_nn.tables.features import Feature, Formula

# Rows: blocks' heads, columns' heads, three rows of parameters, and the first of the table's rows.
BLOCK, HEAD, PARAMETERS, FIRST = 3, 4, 5, 8
Values = list[Any]  # of a column, a number or a text per row; None where one is missing


@dataclass(frozen=True)
class FeatureCells:
    """Where the encoded columns are, and their values."""

    sheet: Sheet
    first: int  # the first encoded column
    names: list[str]  # of the encoded columns, in order
    x: NDArray[np.float64]  # (rows, columns)

    def encoded(self, row: int) -> str:
        """A row's encoded columns, for formulas on other sheets."""
        end = at(FIRST + row, self.first + len(self.names) - 1, "$")
        return f"{self.sheet.ref(FIRST + row, self.first, '$')}:{end}"

    def ref(self, row: int, column: int) -> str:
        """One encoded column of a row."""
        return self.sheet.ref(FIRST + row, self.first + column, "$")


def write_features(
    sheet: Sheet, content: Content, rows: RowCells, fitted: FittedCells
) -> FeatureCells:
    """Three blocks: features as they are, numbers without gaps, encoded columns."""
    encoder = content.encoder
    sheet.title(
        "From a row to the numbers that a net reads",
        "Left to right: each feature of the row; numbers with their gaps filled; and the encoded "
        "columns, scaled by the means and standard deviations of the training rows.",
    )
    writer = _Writer(sheet, content, rows, fitted)
    writer.write_raw()
    writer.write_filled()
    first = writer.write_encoded()
    sheet.printed(FIRST + len(content.y) - 1, writer.next - 1, pages=4)
    sheet.worksheet.freeze_panes(FIRST, 1)
    sheet.steep(HEAD, [*writer.raw.values, *writer.encoded.values])
    x = np.array(list(writer.encoded.values.values()), np.float64).T
    return FeatureCells(sheet, first, encoder.feature_names, x)


@dataclass
class _Block:
    """Columns by name: where each is, and its values."""

    at: dict[str, int] = field(default_factory=dict)
    values: dict[str, Values] = field(default_factory=dict)

    def cell(self, name: str, row: int) -> str:
        return at(FIRST + row, self.at[name], "$")


class _Writer:
    """Writes column after column, in three blocks."""

    def __init__(self, sheet: Sheet, content: Content, rows: RowCells, fitted: FittedCells) -> None:
        self.sheet, self.content, self.rows, self.fitted = sheet, content, rows, fitted
        self.encoder, self.n = content.encoder, len(content.y)
        self.next = 0  # the column that is written next
        self.raw = _Block()  # features, and steps towards them
        self.filled = _Block()  # numbers without gaps
        self.encoded = _Block()

    def write_raw(self) -> None:
        """The id, and a column for each feature and each step towards one."""
        table, schema = self.content.table, self.content.competition.schema
        self._head("1. features")
        ids = [f"={self.rows.shown(row, schema.id.name)}" for row in range(self.n)]
        self._column(_Block(), schema.id.name, ids, table[schema.id.name].tolist())
        features = {f.name: f for f in self.encoder.features.features}
        formulas = self.encoder.features.formulas
        # Positions first: a formula may refer to a feature that is further right.
        names = _with_steps(features, formulas)
        self.raw.at = {name: self.next + i for i, name in enumerate(names)}
        raw = self.encoder.raw(self.content.columns)  # (rows, features)
        of_feature = dict(zip(features, raw.T, strict=True))
        by_name = {formula.name: formula for formula in formulas}
        for name in names:
            formula, feature = by_name.get(name), features.get(name)
            note, texts = "A step towards the next feature.", None
            if feature:
                note = f"{feature.name}: {feature.formula}. Why: {feature.why}."
            if formula:
                texts = [self._filled_in(formula.text, row) for row in range(self.n)]
            else:
                note += " Computed outside of this workbook: it does not follow."
            if formula and formula.step:
                values = formula.step(table.reset_index(drop=True)).tolist()
            else:
                values = self._values(features[name], of_feature[name])
            self._column(self.raw, name, texts, values, note)

    def write_filled(self) -> None:
        """Every number, with a median where it is missing."""
        self._head("2. numbers, imputed")
        for feature in self.encoder.features.features:
            if feature.kind == "number":
                values = [
                    self._median(feature, row) if value is None else value
                    for row, value in enumerate(self.raw.values[feature.name])
                ]
                texts = [self._impute(feature, row) for row in range(self.n)]
                within = " and ".join(feature.impute_within) or "all rows"
                note = f"A gap becomes the median within {within}."
                self._column(self.filled, feature.name, texts, values, note)

    def write_encoded(self) -> int:
        """The columns that a net reads; returns the first."""
        self._head("3. encoded columns", spaced=False)
        bins = ("value, or from", "mean, or to") if self.encoder.edges else ("value", "mean")
        for i, text in enumerate((*bins, "standard deviation")):
            self.sheet.text(PARAMETERS + i, self.next, text, italic=True, align="right")
        self.sheet.worksheet.set_column(self.next, self.next, 18)
        self.next += 1
        first = self.next
        for name, (mean, sd) in self.encoder.scaling.items():
            feature = self.content.encoder.features.of_column(name)
            if feature.kind == "category":
                texts, values = self._one_hot(feature, name)
            elif feature.name in self.encoder.edges:
                texts, values = self._bin(feature, name)
            else:
                block = self.filled if feature.kind == "number" else self.raw
                texts = [block.cell(feature.name, row) for row in range(self.n)]
                values = block.values[feature.name]
            if (mean, sd) != (0.0, 1.0):
                of_mean, of_sd = self._parameter(1, mean), self._parameter(2, sd)
                texts = [f"({text}-{of_mean})/{of_sd}" for text in texts]
                values = [(value - mean) / sd for value in values]
            self._column(self.encoded, name, [f"={text}" for text in texts], values)
        x = list(self.encoded.values.values())
        self.sheet.scale((FIRST, first), (FIRST + self.n - 1, self.next - 1), x)
        return first

    def _one_hot(self, feature: Feature, name: str) -> tuple[list[str], Values]:
        """Formulas without "=" and values of one value's column, or of the rare ones'."""
        cells = [self.raw.cell(feature.name, row) for row in range(self.n)]
        found = self.raw.values[feature.name]
        known, rare = self.encoder.categories[feature.name], self.encoder.rare[feature.name]
        if name == f"{feature.label}={RARE}":
            where = self.fitted.rare.get(feature.name)
            texts = [f"IF(SUMPRODUCT(--EXACT({where},{cell}))>0,1,0)" for cell in cells]
            return texts if where else ["0"] * self.n, [int(value in rare) for value in found]
        value = next(v for v in known if name in (f"{feature.label}={v}", f'{feature.label}="{v}"'))
        of_value = self._parameter(0, value)
        return [f"IF(EXACT({c},{of_value}),1,0)" for c in cells], [int(v == value) for v in found]

    def _bin(self, feature: Feature, name: str) -> tuple[list[str], Values]:
        """Formulas without "=" and values of a column that rises from 0 to 1 within its bin."""
        which = int(name.rpartition("=bin ")[2])
        low, high = self.encoder.edges[feature.name][which - 1 : which + 1]
        from_, to = self._parameter(0, low), self._parameter(1, high)
        cells = [self.filled.cell(feature.name, row) for row in range(self.n)]
        numbers = np.array(self.filled.values[feature.name], np.float64)
        values = np.clip((numbers - low) / (high - low), 0, 1).tolist()
        return [f"MIN(1,MAX(0,({cell}-{from_})/({to}-{from_})))" for cell in cells], values

    def _parameter(self, line: int, value: float | str) -> str:
        """Write a parameter above the next column; returns its cell."""
        self.sheet.value(PARAMETERS + line, self.next, value, "fitted")
        return at(PARAMETERS + line, self.next, "_$")

    def _values(self, feature: Feature, raw: NDArray[np.float64]) -> Values:
        """A feature's values as cells have them."""
        if feature.kind == "category":
            names = self.content.columns.categories[feature.name]
            return [None if np.isnan(code) else names[int(code)] for code in raw]
        return [None if np.isnan(value) else value for value in raw.tolist()]

    def _median(self, feature: Feature, row: int) -> float:
        """The median of the narrowest of the row's groups that has one."""
        medians = self.encoder.medians[feature.name]
        parts = [self.raw.values[name][row] for name in feature.impute_within]
        for n in range(len(parts), 0, -1):
            if None not in parts[:n] and (group := ", ".join(parts[:n])) in medians:
                return medians[group]
        return medians["everyone"]

    def _impute(self, feature: Feature, row: int) -> str:
        """A number or, where it is missing, what `_median` returns."""
        cell, name = self.raw.cell(feature.name, row), feature.name
        groups, medians = self.fitted.groups[name], self.fitted.medians[name]
        text = self.fitted.everyone[name]
        for n in range(1, len(feature.impute_within) + 1):
            parts = [self.raw.cell(part, row) for part in feature.impute_within[:n]]
            key = '&", "&'.join(parts)
            found = f"SUMPRODUCT(--EXACT({groups},{key}))>0"
            if n > 1:
                known = ",".join(f'{part}<>""' for part in parts)
                found = f"AND({known},{found})"
            text = f"IF({found},SUMPRODUCT(EXACT({groups},{key})*{medians}),{text})"
        return f'=IF({cell}<>"",{cell},{text})'

    def _filled_in(self, text: str, row: int) -> str:
        """A formula for one row: [name] becomes a cell of the feature or step, or of the table."""

        def cell(found: re.Match[str]) -> str:
            known = found[1] in self.raw.at
            return self.raw.cell(found[1], row) if known else self.rows.ref(row, found[1])

        return Formula.NAME.sub(cell, text)

    def _head(self, name: str, *, spaced: bool = True) -> None:
        if spaced and self.next:
            self.sheet.worksheet.set_column(self.next, self.next, 3)
            self.next += 1
        self.sheet.text(BLOCK, self.next, name, bold=True, font_size=12)

    def _column(
        self,
        block: _Block,
        name: str,
        formulas: list[str] | None,
        values: Values,
        note: str = "",
    ) -> None:
        """A column of formulas with their values, or of values that are given."""
        self.sheet.heading(HEAD, self.next, name, note, steep=True)
        for row, value in enumerate(values):
            digits = 4 if isinstance(value, float) and value % 1 else 0
            if formulas is None:
                self.sheet.value(FIRST + row, self.next, value, "given", digits)
            else:
                self.sheet.formula(FIRST + row, self.next, formulas[row], value, digits=digits)
        text = any(isinstance(value, str) and len(value) > 9 for value in values)
        self.sheet.worksheet.set_column(self.next, self.next, 16 if text else 9)
        block.at[name], block.values[name] = self.next, values
        self.next += 1


def _with_steps(features: Mapping[str, Feature], formulas: tuple[Formula, ...]) -> list[str]:
    """The features' names, each after the steps that its formula is listed after."""
    steps: dict[str, list[str]] = {}
    waiting: list[str] = []
    for formula in formulas:
        waiting.append(formula.name)
        if formula.name in features:
            steps[formula.name], waiting = waiting, []
    return [name for feature in features for name in steps.get(feature, [feature])]
