"""What the sheets of both nets share: mean, calibration and loss of each row, and their totals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from titanic_nn.estimators.calibration import SMALLEST
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.evaluation.metrics import EPS, of_true_class
from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Sheet, at, span

LARGEST = 700  # EXP of more than 709 overflows


def sigmoid(z: str) -> str:
    """The formula, without "=", of a cell's or a sum's sigmoid."""
    return f"1/(1+EXP(MIN({LARGEST},-({z}))))"


def log_loss(label: str, p: str) -> str:
    """The formula, without "=", of the loss of a cell's probability."""
    return f"-LN(MAX({repr(EPS).upper()},IF({label}=1,{p},1-{p})))"


@dataclass(frozen=True)
class Results:
    """The columns from id to loss that stand on the left of a net's sheet.

    Attributes:
        sheet: the net's.
        name: the net's.
        first: row of the first of the table's rows.
        column: of the first net's probability; the other nets', their mean, the calibrated
            probability, the label, the log loss, and the held-out probability and its loss follow.
    """

    sheet: Sheet
    name: str
    first: int
    column: int = 2

    def write(
        self, content: Content, rows: RowCells, z: list[list[str]], p: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """All columns, and the calibration and totals in rows 4 and 5.

        Args:
            content: what is written.
            rows: where the table is.
            z: formulas of the logits, without "=", a list of the nets' per row.
            p: the nets' probabilities, (rows, nets).

        Returns:
            The calibrated probabilities, (rows,).
        """
        sheet, net, n = self.sheet, content.nets[self.name], len(content.y)
        schema = content.competition.schema
        slope, intercept = self._calibration(net)
        mean_at = self.column + p.shape[1]
        calibrated_at, label_at, loss_at, held_out_at = range(mean_at + 1, mean_at + 5)
        mean = p.mean(axis=1)
        calibration = net.calibration_
        clipped = np.clip(mean, SMALLEST, 1 - SMALLEST)
        calibrated = expit(calibration.slope * logit(clipped) + calibration.intercept)
        held_out = content.held_out[self.name]
        loss, held_out_loss = (_log_loss(q, content.y) for q in (calibrated, held_out))

        positive = schema.class_names[1]
        shown = [n for n in content.competition.display_columns[:1] if n != schema.id.name]
        heads = [schema.id.name, *(shown or [""])]
        heads += [f"p of net {i + 1}" for i in range(p.shape[1])]
        heads += ["mean", "calibrated", schema.target.name, "log loss", "held out", "log loss"]
        notes = {
            mean_at: "The nets differ in their random start only; the model averages them.",
            calibrated_at: f"The probability of {positive}, as `titanic-nn predict` gives it.",
            loss_at: "-LN of the probability that was given to what happened.",
            held_out_at: "What nets gave that had not seen the row: the mean of oof.csv, a value.",
        }
        for column, head in enumerate(heads):
            if head:
                sheet.heading(self.first - 1, column, head, notes.get(column, ""))
        for row in range(n):
            here = self.first + row
            for column, name in enumerate([schema.id.name, *shown]):
                sheet.formula(
                    here,
                    column,
                    f"={rows.shown(row, name)}",
                    content.table[name].iloc[row],
                    digits=0,
                )
            for i in range(p.shape[1]):
                sheet.formula(here, self.column + i, f"={sigmoid(z[row][i])}", p[row, i])
            of_nets = span((here, self.column), (here, mean_at - 1))
            sheet.formula(here, mean_at, f"=AVERAGE({of_nets})", mean[row])
            inside = f"MIN(1-{SMALLEST:.0E},MAX({SMALLEST:.0E},{at(here, mean_at)}))"
            log_odds = f"{slope}*LN({inside}/(1-{inside}))+{intercept}"
            sheet.formula(here, calibrated_at, f"={sigmoid(log_odds)}", calibrated[row], "result")
            sheet.formula(here, label_at, f"={rows.label(row)}", content.y[row], digits=0)
            sheet.value(here, held_out_at, held_out[row], "given")
            for column, losses in ((calibrated_at, loss), (held_out_at, held_out_loss)):
                text = f"={log_loss(at(here, label_at), at(here, column))}"
                at_loss = loss_at if column == calibrated_at else held_out_at + 1
                sheet.formula(here, at_loss, text, losses[row], "result")
        last = self.first + n - 1
        sheet.bars((self.first, self.column), (last, calibrated_at))
        sheet.worksheet.set_column(0, 0, 12)
        sheet.worksheet.set_column(1, 1, 24 if shown else 3)
        sheet.worksheet.set_column(2, held_out_at + 1, 10)
        sheet.worksheet.set_column(label_at, label_at, max(10, len(schema.target.name) + 2))

        sheet.text(2, 6, "these nets", bold=True)
        sheet.text(2, 7, "held out", bold=True)
        sheet.text(3, 4, "mean log loss", bold=True)
        sheet.text(4, 4, "accuracy", bold=True)
        labels = span((self.first, label_at), (last, label_at))
        for column, where, q, losses in (
            (6, calibrated_at, calibrated, loss),
            (7, held_out_at, held_out, held_out_loss),
        ):
            at_loss = loss_at if where == calibrated_at else held_out_at + 1
            of_rows = span((self.first, at_loss), (last, at_loss))
            sheet.formula(3, column, f"=AVERAGE({of_rows})", losses.mean(), "result")
            found = span((self.first, where), (last, where))
            text = f"=SUMPRODUCT(--(({found}>=0.5)=({labels}=1)))/{n}"
            right = ((q >= 0.5) == (content.y == 1)).mean()
            sheet.formula(4, column, text, right, "result")
        return np.asarray(calibrated)

    def _calibration(self, net: NetClassifier) -> tuple[str, str]:
        """Both numbers in cells with names; returns the names."""
        names = []
        values = (net.calibration_.slope, net.calibration_.intercept)
        for row, (what, value) in enumerate(zip(("slope", "intercept"), values, strict=True), 3):
            self.sheet.text(row, 0, f"calibration, {what}", bold=True)
            self.sheet.value(row, 2, value, "fitted", digits=6)
            names.append(self.sheet.define(f"{self.name}_{what}", row, 2))
        return names[0], names[1]


def _log_loss(p: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(-np.log(np.maximum(of_true_class(y, p), EPS)))
