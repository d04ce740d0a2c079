"""The sheet of the net with one hidden layer: its units' weights, and each row through them."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.features import FeatureCells
from titanic_nn.spreadsheet.probability import Results
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Sheet, at, span

WEIGHTS = 8  # row of the first weight


def write_relu(
    sheet: Sheet, content: Content, rows: RowCells, features: FeatureCells
) -> NDArray[np.float64]:
    """A block of columns per net, a column per unit; returns the probabilities (rows,)."""
    params = content.nets["relu"].params_
    w1, b1, w2, b2 = (params[name].astype(np.float64) for name in ("w1", "b1", "w2", "b2"))
    nets, columns, units = w1.shape
    h = np.maximum(0, np.einsum("rf,nfu->nru", features.x, w1) + b1)  # (nets, rows, units)
    z = (h @ w2 + b2)[..., 0]  # (nets, rows)
    sheet.title(
        f"relu: h = max(0, x w1 + b1), z = h w2 + b2, p = sigmoid(z), the mean of {nets} nets",
        f"Each net has {units} hidden units, a column each: above its weights, below its "
        "activation for each row. On the left, what comes of them.",
    )
    bias, out = WEIGHTS + columns, WEIGHTS + columns + 1  # rows
    first = out + 4
    results = Results(sheet, "relu", first)
    labels = results.column + nets + 7  # the column of the weights' names
    sheet.worksheet.set_column(labels - 1, labels - 1, 3)
    sheet.worksheet.set_column(labels, labels, 34)
    names = [*(f"w1, {name}" for name in features.names), "bias b1", "weight w2 of the output"]
    for line, name in enumerate(names, WEIGHTS):
        sheet.text(line, labels, name, align="right")
    sheet.text(first - 1, labels, "activations h", align="right", bold=True)

    formulas: list[list[str]] = [[] for _ in content.y]
    for net in range(nets):
        start = labels + 1 + net * (units + 2)
        end = start + units - 1  # the last unit; after it is z, and an empty column
        sheet.text(WEIGHTS - 3, start, f"net {net + 1}", bold=True, font_size=12)
        for unit in range(units):
            column = start + unit
            sheet.heading(WEIGHTS - 1, column, f"unit {unit + 1}")
            sheet.heading(first - 1, column, f"h{unit + 1}")
            for line, value in enumerate([*w1[net, :, unit], b1[net, 0, unit], w2[net, unit, 0]]):
                sheet.value(WEIGHTS + line, column, value, "fitted", digits=3)
            weights = span((WEIGHTS, column), (bias - 1, column), "_$")
            for row in range(len(content.y)):
                product = f"MMULT({features.encoded(row)},{weights})"
                text = f"=MAX(0,{product}+{at(bias, column, '_$')})"
                sheet.formula(first + row, column, text, h[net, row, unit], digits=3)
        sheet.heading(out - 1, end + 1, "bias b2")
        sheet.value(out, end + 1, b2[net, 0, 0], "fitted", digits=3)
        sheet.heading(first - 1, end + 1, "z", "The log-odds: the units' weighted sum.")
        for row in range(len(content.y)):
            here = first + row
            activations = span((here, start), (here, end))
            outgoing = span((out, start), (out, end), "_$")
            text = f"=SUMPRODUCT({activations},{outgoing})+{at(out, end + 1, '_$')}"
            sheet.formula(here, end + 1, text, z[net, row])
            formulas[row].append(at(here, end + 1))
        last = first + len(content.y) - 1
        sheet.scale((WEIGHTS, start), (bias, end), w1)
        sheet.scale((out, start), (out, end), w2)
        sheet.scale((first, start), (last, end), h)
        sheet.worksheet.set_column(start, end + 1, 7.5)
        sheet.worksheet.set_column(end + 2, end + 2, 3)

    p = expit(z).T  # (rows, nets)
    found = results.write(content, rows, formulas, p)
    calibrated = results.column + nets + 1
    sheet.chart(
        (WEIGHTS - 1, 0),
        "column",
        f"Calibrated probability: {content.competition.schema.class_names[1]}",
        (content.competition.schema.id.name, ""),
        (first, 0, first + len(content.y) - 1, 0),
        (first, calibrated, first + len(content.y) - 1, calibrated),
        (820, 420),
        most=1,
    )
    sheet.printed(first + len(content.y) - 1, labels + units + 1)  # with the first net's units
    sheet.worksheet.freeze_panes(0, 2)
    return found
