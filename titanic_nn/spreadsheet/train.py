"""The sheet that trains a small net: thirty steps of gradient descent, side by side.

The net is that of nets/relu.py, its gradients are the same lines as formulas.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from titanic_nn.evaluation.metrics import EPS, of_true_class
from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.features import FeatureCells
from titanic_nn.spreadsheet.probability import log_loss, sigmoid
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Role, Sheet, at, span

STEPS = 30
UNITS = 3
LEARNING_RATE = 1.0
PARAMETERS = 9  # row of the first weight
Array = NDArray[np.float64]


@dataclass(frozen=True)
class SmallNet:
    """Parameters of the net, or the loss's gradient by each."""

    w1: Array  # (inputs, UNITS)
    b1: Array  # (UNITS,)
    w2: Array  # (UNITS,)
    b2: float

    @classmethod
    def start(cls, inputs: int) -> "SmallNet":
        """He's initialization, rounded so that the numbers are easy to follow."""
        random = np.random.default_rng(26)
        w1 = random.normal(size=(inputs, UNITS)) * np.sqrt(2 / inputs)
        w2 = random.normal(size=UNITS) * np.sqrt(2 / UNITS)
        return cls(w1.round(2), np.zeros(UNITS), w2.round(2), 0.0)

    def minus(self, gradient: "SmallNet", rate: float) -> "SmallNet":
        """The net after a step of gradient descent."""
        return SmallNet(
            self.w1 - rate * gradient.w1,
            self.b1 - rate * gradient.b1,
            self.w2 - rate * gradient.w2,
            self.b2 - rate * gradient.b2,
        )

    def rows(self) -> list[Array]:
        """The lines of a block: the inputs' weights, b1, w2, b2."""
        return [*self.w1, self.b1, self.w2, np.array([self.b2])]


@dataclass(frozen=True)
class Step:
    """A pass forward and backward over all rows."""

    h: Array  # (rows, UNITS)
    p: Array  # (rows,), as are loss and dz
    loss: Array
    dz: Array  # of the mean loss
    da: Array  # (rows, UNITS)
    gradient: SmallNet

    @classmethod
    def of(cls, net: SmallNet, x: Array, y: NDArray[np.int64]) -> "Step":
        """x: (rows, inputs); y: class codes (rows,)."""
        h = np.maximum(0, x @ net.w1 + net.b1)
        p = expit(h @ net.w2 + net.b2)
        loss = -np.log(np.maximum(of_true_class(y, p), EPS))
        dz = (p - y) / len(y)
        da = np.where(h > 0, np.outer(dz, net.w2), 0)
        gradient = SmallNet(x.T @ da, da.sum(axis=0), h.T @ dz, float(dz.sum()))
        return cls(h, p, loss, dz, da, gradient)


@dataclass(frozen=True)
class TrainCells:
    """Where the small net's inputs and first weights are, for the sheet `multiply`."""

    sheet: Sheet
    names: list[str]  # of the inputs
    first: int  # row of the first of the table's rows
    inputs: int  # column of the first input
    weights: int  # column of the first unit's weights, in the rows from PARAMETERS
    x: Array  # (rows, inputs)
    w1: Array  # (inputs, UNITS)


def write_train(
    sheet: Sheet, content: Content, rows: RowCells, features: FeatureCells
) -> TrainCells:
    """Inputs and labels on the left, then a block per step, and a last one after all steps."""
    schema, n = content.competition.schema, len(content.y)
    names = [features.names[i] for i in content.small_inputs]
    sheet.title(
        f"A net of {len(names)} inputs and {UNITS} hidden units learns: {STEPS} steps of gradient "
        "descent, side by side",
        f"It trains on the {n} {schema.row_names} of this workbook alone, all at once in every "
        "step. Each block: parameters, their gradients, and every row forward and backward.",
    )
    sheet.text(3, 0, "learning rate", bold=True)
    sheet.value(3, 2, LEARNING_RATE, "input", digits=2)
    sheet.note(3, 2, "Change it, and watch the loss: 0.1 is slow, 5 is too much.")
    rate = sheet.define("learning_rate", 3, 2)

    layout = _Layout(sheet, names, n)
    x = features.x[:, list(content.small_inputs)]
    for column, name in enumerate([schema.id.name, *names, schema.target.name]):
        sheet.heading(layout.first - 1, column, name, steep=True)
    sheet.steep(layout.first - 1, names)
    for row in range(n):
        here = layout.first + row
        value = content.table[schema.id.name].iloc[row]
        sheet.formula(here, 0, f"={rows.shown(row, schema.id.name)}", value, digits=0)
        for i, column in enumerate(content.small_inputs):
            sheet.formula(here, 1 + i, f"={features.ref(row, column)}", x[row, i], digits=2)
        sheet.formula(here, layout.label, f"={rows.label(row)}", content.y[row], digits=0)
    sheet.scale((layout.first, 1), (layout.first + n - 1, len(names)), x)

    net, losses = SmallNet.start(len(names)), []
    for number in range(STEPS + 1):
        step = Step.of(net, x, content.y)
        layout.block(number, net, step, rate)
        losses.append(float(step.loss.mean()))
        net = net.minus(step.gradient, LEARNING_RATE)
    _loss_curve(sheet, layout, losses)
    sheet.worksheet.set_column(0, 0, 12)
    sheet.worksheet.set_column(1, layout.label, 8)
    sheet.printed(layout.first + n - 1, layout.column(2) - 2)  # with two steps
    sheet.worksheet.freeze_panes(0, 1)
    w1 = SmallNet.start(len(names)).w1
    return TrainCells(sheet, names, layout.first, 1, layout.column(0), x, w1)


class _Layout:
    """Where the blocks are, and what is in one."""

    def __init__(self, sheet: Sheet, names: list[str], rows: int) -> None:
        self.sheet, self.names, self.n = sheet, names, rows
        self.label = 1 + len(names)  # the labels' column; after it is that of the lines' names
        # Parameters, their gradients below, then the rows.
        self.lines = [*(f"w1, {name}" for name in names), "b1", "w2", "b2"]
        self.gradients = PARAMETERS + len(self.lines) + 2
        self.first = self.gradients + len(self.lines) + 3
        self.width = 2 * UNITS + 4

    def column(self, number: int) -> int:
        """The first column of a block."""
        return self.label + 3 + number * self.width

    def loss(self, number: int) -> str:
        """The cell of a block's mean loss."""
        return at(PARAMETERS - 2, self.column(number) + 2)

    def block(self, number: int, net: SmallNet, step: Step, rate: str) -> None:
        """A block's parameters, gradients and rows."""
        sheet, start, last = self.sheet, self.column(number), self.first + self.n - 1
        p_at, loss_at, dz_at = start + UNITS, start + UNITS + 1, start + UNITS + 2
        name = f"step {number + 1}" if number < STEPS else f"after {STEPS} steps"
        sheet.text(PARAMETERS - 3, start, name, bold=True, font_size=12)
        sheet.text(PARAMETERS - 2, start, "mean loss", bold=True)
        losses = span((self.first, loss_at), (last, loss_at))
        sheet.formula(PARAMETERS - 2, start + 2, f"=AVERAGE({losses})", step.loss.mean(), "result")
        for unit in range(UNITS):
            sheet.heading(PARAMETERS - 1, start + unit, f"unit {unit + 1}")
        for i, (line, values) in enumerate(zip(self.lines, net.rows(), strict=True)):
            if number == 0:
                sheet.text(PARAMETERS + i, start - 1, line, align="right")
            for unit, value in enumerate(values):
                here, column = PARAMETERS + i, start + unit
                if number == 0:
                    sheet.value(here, column, value, "input")
                else:
                    before = column - self.width
                    down = f"{rate}*{at(self.gradients + i, before)}"
                    sheet.formula(here, column, f"={at(here, before)}-{down}", value)
        forward = [f"h{unit + 1}" for unit in range(UNITS)] + ["p", "loss"]
        backward = ["dz", *(f"da{unit + 1}" for unit in range(UNITS))]
        for i, head in enumerate(forward + (backward if number < STEPS else [])):
            sheet.heading(
                self.first - 1, start + i, head, NOTES.get(head, "") if not number else ""
            )
        for row in range(self.n):
            here = self.first + row
            inputs = span((here, 1), (here, self.label - 1), "$")
            for unit in range(UNITS):
                weights = span(
                    (PARAMETERS, start + unit),
                    (PARAMETERS + len(self.names) - 1, start + unit),
                    "_$",
                )
                bias = at(PARAMETERS + len(self.names), start + unit, "_$")
                text = f"=MAX(0,MMULT({inputs},{weights})+{bias})"
                sheet.formula(here, start + unit, text, step.h[row, unit], digits=3)
            out = PARAMETERS + len(self.names) + 1
            h = span((here, start), (here, start + UNITS - 1))
            w2 = span((out, start), (out, start + UNITS - 1), "_$")
            z = f"SUMPRODUCT({h},{w2})+{at(out + 1, start, '_$')}"
            sheet.formula(here, p_at, f"={sigmoid(z)}", step.p[row], "result", digits=3)
            label, p = at(here, self.label, "$"), at(here, p_at)
            text = f"={log_loss(label, p)}"
            sheet.formula(here, loss_at, text, step.loss[row], digits=3)
            if number < STEPS:
                sheet.formula(here, dz_at, f"=({p}-{label})/{self.n}", step.dz[row])
                for unit in range(UNITS):
                    active, weight = at(here, start + unit), at(out, start + unit, "_$")
                    text = f"=IF({active}>0,{at(here, dz_at)}*{weight},0)"
                    sheet.formula(here, dz_at + 1 + unit, text, step.da[row, unit])
        lines = PARAMETERS + len(self.lines) - 1
        if number:  # those of the first are inputs, and look like it
            sheet.scale((PARAMETERS, start), (lines, start + UNITS - 1), net.w1)
        sheet.scale((self.first, start), (last, start + UNITS - 1), step.h)
        if number < STEPS:
            self._gradients(number, step)
            sheet.scale((self.first, dz_at), (last, dz_at + UNITS), step.dz)
        sheet.worksheet.set_column(start, start + self.width - 2, 8)
        sheet.worksheet.set_column(start + self.width - 1, start + self.width - 1, 7)
        if number == 0:
            sheet.worksheet.set_column(start - 1, start - 1, 26)

    def _gradients(self, number: int, step: Step) -> None:
        """A line per parameter: sums over the rows."""
        sheet, start, last = self.sheet, self.column(number), self.first + self.n - 1
        role: Role = "result"
        sheet.text(self.gradients - 1, start, "gradients of the mean loss", bold=True)
        dz = span((self.first, start + UNITS + 2), (last, start + UNITS + 2))
        for i, (line, values) in enumerate(zip(self.lines, step.gradient.rows(), strict=True)):
            if number == 0:
                sheet.text(self.gradients + i, start - 1, f"d {line}", align="right")
            for unit, value in enumerate(values):
                column = start + UNITS + 3 + unit
                da = span((self.first, column), (last, column))
                h = span((self.first, start + unit), (last, start + unit))
                if i < len(self.names):
                    x = span((self.first, 1 + i), (last, 1 + i), "$$")
                    text = f"=SUMPRODUCT({x},{da})"
                elif line == "b1":
                    text = f"=SUM({da})"
                elif line == "w2":
                    text = f"=SUMPRODUCT({h},{dz})"
                else:
                    text = f"=SUM({dz})"
                sheet.formula(self.gradients + i, start + unit, text, value, role)
        lines = self.gradients + len(self.lines) - 1
        sheet.scale((self.gradients, start), (lines, start + UNITS - 1), step.gradient.w1)


NOTES = {
    "h1": "A unit's activation: MAX(0, its weighted sum of the inputs plus b1).",
    "p": "The sigmoid of the units' weighted sum plus b2.",
    "loss": "-LN of the probability that was given to what happened.",
    "dz": "The derivative of the mean loss by the row's log-odds: (p - label) / rows.",
    "da1": "dz times the unit's outgoing weight where the unit is active, else 0.",
}


def _loss_curve(sheet: Sheet, layout: _Layout, losses: list[float]) -> None:
    """The loss before every step and after the last, in one line, and its chart."""
    start = layout.column(0)
    sheet.text(3, start - 1, "steps taken", bold=True, align="right")
    sheet.text(4, start - 1, "mean loss", bold=True, align="right")
    for number, loss in enumerate(losses):
        column = start + number
        sheet.value(3, column, number, "formula", digits=0)
        sheet.formula(4, column, f"={layout.loss(number)}", loss, "result")
    end = start + len(losses) - 1
    sheet.chart(
        (PARAMETERS - 4, 0),
        "line",
        "The loss falls",
        ("steps of gradient descent", "mean log loss"),
        (3, start, 3, end),
        (4, start, 4, end),
        (520, 400),
    )
