"""What the sheets of both nets share: mean, calibration and loss of each row, and their totals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from titanic_nn.estimators.calibration import SMALLEST
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.evaluation.metrics import EPS
from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Book, Sheet, at, span

LARGEST = 700  # EXP of more than 709 overflows


def sigmoid(z: str) -> str:
    """The formula, without "=", of a cell's or a sum's sigmoid."""
    return f"1/(1+EXP(MIN({LARGEST},-({z}))))"


@dataclass(frozen=True)
class Results:
    """The columns from id to loss that stand on the left of a net's sheet.

    Attributes:
        sheet: the net's.
        name: the net's.
        first: row of the first of the table's rows.
        column: of the first net's probability; the other nets', their mean, the calibrated
            probability, the label and the log loss follow.
    """

    sheet: Sheet
    name: str
    first: int
    column: int = 2

    def write(
        self, book: Book, content: Content, rows: RowCells, z: list[list[str]], p: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """All columns, and the calibration and totals in rows 4 and 5.

        Args:
            book, content: what is written.
            rows: where the table is.
            z: formulas of the logits, without "=", a list of the nets' per row.
            p: the nets' probabilities, (rows, nets).

        Returns:
            The calibrated probabilities, (rows,).
        """
        sheet, net, n = self.sheet, content.nets[self.name], len(content.y)
        schema = content.competition.schema
        slope, intercept = self._calibration(book, net)
        mean_at = self.column + p.shape[1]
        mean = p.mean(axis=1)
        calibration = net.calibration_
        clipped = np.clip(mean, SMALLEST, 1 - SMALLEST)
        calibrated = expit(calibration.slope * logit(clipped) + calibration.intercept)
        loss = -np.log(np.maximum(np.where(content.y == 1, calibrated, 1 - calibrated), EPS))

        positive = schema.class_names[1]
        shown = content.competition.display_columns[:1]
        heads = [schema.id.name, *(shown or [""])]
        heads += [f"p of net {i + 1}" for i in range(p.shape[1])]
        heads += ["mean", "calibrated", schema.target.name, "log loss"]
        notes = {
            mean_at: "The nets differ in their random start only; their probabilities are averaged.",
            mean_at + 1: f"The model's probability of {positive}, as `titanic-nn predict` gives it.",
            mean_at + 3: "-LN of the probability that was given to what happened.",
        }
        for column, head in enumerate(heads):
            sheet.heading(self.first - 1, column, head, notes.get(column, ""))
        for row in range(n):
            here = self.first + row
            for column, name in enumerate([schema.id.name, *shown]):
                sheet.formula(
                    here, column, f"={rows.shown(row, name)}", content.table[name].iloc[row], digits=0
                )
            for i in range(p.shape[1]):
                sheet.formula(here, self.column + i, f"={sigmoid(z[row][i])}", p[row, i])
            of_nets = span((here, self.column), (here, mean_at - 1))
            sheet.formula(here, mean_at, f"=AVERAGE({of_nets})", mean[row])
            inside = f"MIN(1-{SMALLEST:.0E},MAX({SMALLEST:.0E},{at(here, mean_at)}))"
            log_odds = f"{slope}*LN({inside}/(1-{inside}))+{intercept}"
            sheet.formula(here, mean_at + 1, f"={sigmoid(log_odds)}", calibrated[row], "result")
            sheet.formula(here, mean_at + 2, f"={rows.label(row)}", content.y[row], digits=0)
            right = f"IF({at(here, mean_at + 2)}=1,{at(here, mean_at + 1)},1-{at(here, mean_at + 1)})"
            sheet.formula(here, mean_at + 3, f"=-LN(MAX({repr(EPS).upper()},{right}))", loss[row], "result")
        last = self.first + n - 1
        sheet.bars((self.first, self.column), (last, mean_at + 1))
        sheet.worksheet.set_column(0, 0, 12)
        sheet.worksheet.set_column(1, 1, 24 if shown else 3)
        sheet.worksheet.set_column(2, mean_at + 3, 10)

        losses = span((self.first, mean_at + 3), (last, mean_at + 3))
        sheet.text(3, 4, "mean log loss", bold=True)
        sheet.formula(3, 6, f"=AVERAGE({losses})", loss.mean(), "result")
        sheet.text(4, 4, "accuracy", bold=True)
        labels = span((self.first, mean_at + 2), (last, mean_at + 2))
        found = span((self.first, mean_at + 1), (last, mean_at + 1))
        accuracy = f"=SUMPRODUCT(--(({found}>=0.5)=({labels}=1)))/{n}"
        sheet.formula(4, 6, accuracy, ((calibrated >= 0.5) == (content.y == 1)).mean(), "result")
        return np.asarray(calibrated)

    def _calibration(self, book: Book, net: NetClassifier) -> tuple[str, str]:
        """Both numbers in cells with names; returns the names."""
        names = []
        values = (net.calibration_.slope, net.calibration_.intercept)
        for row, (what, value) in enumerate(zip(("slope", "intercept"), values, strict=True), 3):
            self.sheet.text(row, 0, f"calibration, {what}", bold=True)
            self.sheet.value(row, 2, value, "fitted", digits=6)
            names.append(book.define(f"{self.name}_{what}", self.sheet, row, 2))
        return names[0], names[1]
