"""The sheet of the encoding: features, imputed numbers, and the columns that a net reads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
IMPUTED = ", imputed"  # ends the name of a number without gaps
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
    writer.features()
    writer.imputed()
    first = writer.encoded()
    sheet.printed(FIRST + len(content.y) - 1, writer.next - 1, pages=4)
    sheet.worksheet.freeze_panes(FIRST, 1)
    sheet.steep(HEAD, [name.removesuffix(IMPUTED) for name in writer.columns])
    x = np.array([writer.columns[name] for name in encoder.feature_names], np.float64).T
    return FeatureCells(sheet, first, encoder.feature_names, x)


class _Writer:
    """Writes column after column, and remembers where each is and what is in it."""

    def __init__(self, sheet: Sheet, content: Content, rows: RowCells, fitted: FittedCells) -> None:
        self.sheet, self.content, self.rows, self.fitted = sheet, content, rows, fitted
        self.encoder = content.encoder
        self.next = 0  # the column that is written next
        self.at: dict[str, int] = {}  # feature, step or imputed number -> its column
        self.columns: dict[str, Values] = {}  # the same and encoded columns -> values

    def features(self) -> None:
        """The id, and a column for each feature and each step towards one."""
        table, schema = self.content.table, self.content.competition.schema
        self._block("1. features")
        self._column(
            schema.id.name,
            [f"={self.rows.shown(row, schema.id.name)}" for row in range(len(table))],
            table[schema.id.name].tolist(),
        )
        features = {f.name: f for f in self.encoder.features.features}
        formulas = self.encoder.features.formulas
        # Positions first: a formula may refer to a feature that is further right.
        names = list(_with_steps(features, formulas))
        self.at = {name: self.next + i for i, name in enumerate(names)}
        raw = self.encoder.raw(self.content.columns)  # (rows, features)
        of_feature = dict(zip(features, raw.T, strict=True))
        by_name = {formula.name: formula for formula in formulas}
        for name in names:
            formula, feature = by_name.get(name), features.get(name)
            note, texts = "A step towards the next feature.", None
            if feature:
                note = f"{feature.name}: {feature.formula}. Why: {feature.why}."
            if formula:
                texts = [self._filled_in(formula.text, row) for row in range(len(table))]
            else:
                note += " Computed outside of this workbook: it does not follow."
            if formula and formula.step:
                values = formula.step(table.reset_index(drop=True)).tolist()
            else:
                values = self._values(features[name], of_feature[name])
            self._column(name, texts, values, note)

    def imputed(self) -> None:
        """Every number, with a median where it is missing."""
        self._block("2. numbers, imputed")
        for feature in self.encoder.features.features:
            if feature.kind == "number":
                medians = self.encoder.medians[feature.name]
                values = [
                    self._median(feature, medians, row) if value is None else value
                    for row, value in enumerate(self.columns[feature.name])
                ]
                texts = [self._impute(feature, row) for row in range(len(values))]
                within = " and ".join(feature.impute_within) or "all rows"
                name = f"{feature.name}{IMPUTED}"
                self.at[name] = self.next
                self._column(name, texts, values, f"A gap becomes the median within {within}.")

    def encoded(self) -> int:
        """The columns that a net reads; returns the first."""
        self._block("3. encoded columns", spaced=False)
        bins = ("value, or from", "mean, or to") if self.encoder.edges else ("value", "mean")
        for i, text in enumerate((*bins, "standard deviation")):
            self.sheet.text(PARAMETERS + i, self.next, text, italic=True, align="right")
        self.sheet.worksheet.set_column(self.next, self.next, 18)
        self.next += 1
        first = self.next
        for name, (mean, sd) in self.encoder.scaling.items():
            feature, part = self.content.column(name), name.partition("=")[2]
            column, n = self.next, len(self.content.table)
            texts: list[str] = []
            values: Values = []
            if feature.kind == "category":
                texts, values = self._one_hot(feature, name, column)
            elif feature.name in self.encoder.edges:
                labels = list(self.encoder.edges[feature.name])
                which = int(part.removeprefix("bin ")) - 1
                low, high = labels[which], labels[which + 1]
                self.sheet.value(PARAMETERS, column, low, "fitted")
                self.sheet.value(PARAMETERS + 1, column, high, "fitted")
                from_, to = (at(PARAMETERS + i, column, "_$") for i in (0, 1))
                whole = f"{feature.name}{IMPUTED}"
                for row in range(n):
                    cell = at(FIRST + row, self.at[whole], "$")
                    texts.append(f"MIN(1,MAX(0,({cell}-{from_})/({to}-{from_})))")
                    values.append(
                        min(1.0, max(0.0, (self.columns[whole][row] - low) / (high - low)))
                    )
            else:
                whole = f"{feature.name}{IMPUTED}" if feature.kind == "number" else feature.name
                texts = [at(FIRST + row, self.at[whole], "$") for row in range(n)]
                values = list(self.columns[whole])
            if (mean, sd) != (0.0, 1.0):
                self.sheet.value(PARAMETERS + 1, column, mean, "fitted")
                self.sheet.value(PARAMETERS + 2, column, sd, "fitted")
                of_mean, of_sd = (at(PARAMETERS + i, column, "_$") for i in (1, 2))
                texts = [f"({text}-{of_mean})/{of_sd}" for text in texts]
                values = [(value - mean) / sd for value in values]
            self._column(name, [f"={text}" for text in texts], values)
        x = [self.columns[name] for name in self.encoder.feature_names]
        self.sheet.scale((FIRST, first), (FIRST + len(self.content.table) - 1, self.next - 1), x)
        return first

    def _one_hot(self, feature: Feature, name: str, column: int) -> tuple[list[str], Values]:
        """Formulas without "=" and values of one value's column, or of the rare ones'."""
        cells = [at(FIRST + row, self.at[feature.name], "$") for row in range(len(self.content.y))]
        known, rare = self.encoder.categories[feature.name], self.encoder.rare[feature.name]
        if name == f"{feature.label}={RARE}":
            values = [int(value in rare) for value in self.columns[feature.name]]
            if not rare:
                return ["0" for _ in cells], values
            where = self.fitted.rare[feature.name]
            return [f"IF(SUMPRODUCT(--EXACT({where},{cell}))>0,1,0)" for cell in cells], values
        value = next(v for v in known if name in (f"{feature.label}={v}", f'{feature.label}="{v}"'))
        self.sheet.value(PARAMETERS, column, value, "fitted")
        of_value = at(PARAMETERS, column, "_$")
        texts = [f"IF(EXACT({cell},{of_value}),1,0)" for cell in cells]
        return texts, [int(found == value) for found in self.columns[feature.name]]

    def _values(self, feature: Feature, raw: NDArray[np.float64]) -> Values:
        """A feature's values as cells have them."""
        if feature.kind == "category":
            names = self.content.columns.categories[feature.name]
            return [None if np.isnan(code) else names[int(code)] for code in raw]
        return [None if np.isnan(value) else value for value in raw.tolist()]

    def _groups(self, feature: Feature, row: int) -> list[str | None]:
        """The row's groups by which a number is imputed, narrowest first; None for no group."""
        parts = [self.columns[name][row] for name in feature.impute_within]
        narrowest_first = range(len(parts), 0, -1)
        return [None if None in parts[:n] else ", ".join(parts[:n]) for n in narrowest_first]

    def _median(self, feature: Feature, medians: Mapping[str, float], row: int) -> float:
        groups = [group for group in self._groups(feature, row) if group in medians]
        return medians[groups[0] if groups and groups[0] else "everyone"]

    def _impute(self, feature: Feature, row: int) -> str:
        """A number, or the median of the narrowest of its groups that has one."""
        cell, name = self._cell(feature.name, row), feature.name
        groups, medians = self.fitted.groups[name], self.fitted.medians[name]
        text = self.fitted.everyone[name]
        for n in range(1, len(feature.impute_within) + 1):
            parts = [self._cell(part, row) for part in feature.impute_within[:n]]
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
            known = found[1] in self.at
            return self._cell(found[1], row) if known else self.rows.ref(row, found[1])

        return Formula.NAME.sub(cell, text)

    def _cell(self, name: str, row: int) -> str:
        return at(FIRST + row, self.at[name], "$")

    def _block(self, name: str, *, spaced: bool = True) -> None:
        if spaced and self.next:
            self.sheet.worksheet.set_column(self.next, self.next, 3)
            self.next += 1
        self.sheet.text(BLOCK, self.next, name, bold=True, font_size=12)

    def _column(
        self, name: str, formulas: list[str] | None, values: Values, note: str = ""
    ) -> None:
        """A column of formulas with their values, or of values that are given."""
        self.sheet.heading(HEAD, self.next, name.removesuffix(IMPUTED), note, steep=True)
        for row, value in enumerate(values):
            digits = 4 if isinstance(value, float) and value % 1 else 0
            if formulas is None:
                self.sheet.value(FIRST + row, self.next, value, "given", digits)
            else:
                self.sheet.formula(FIRST + row, self.next, formulas[row], value, digits=digits)
        text = any(isinstance(value, str) and len(value) > 9 for value in values)
        self.sheet.worksheet.set_column(self.next, self.next, 16 if text else 9)
        self.columns[name] = values
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
