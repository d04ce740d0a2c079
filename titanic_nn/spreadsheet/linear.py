"""The sheet of the linear model: a weighted sum, a sigmoid, a loss."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.features import FeatureCells
from titanic_nn.spreadsheet.probability import Results
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.workbook import Sheet, at, span

WEIGHTS = 7  # row of the weights' head


def write_linear(
    sheet: Sheet, content: Content, rows: RowCells, features: FeatureCells
) -> NDArray[np.float64]:
    """A row of weights per net, and a row of results per row; returns the probabilities (rows,)."""
    params = content.nets["linear"].params_
    w, b = (params[name][..., 0].astype(np.float64) for name in ("w", "b"))  # (nets, columns or 1)
    nets, columns = w.shape
    sheet.title(
        f"linear: p = sigmoid(x w + b), the mean of {nets} nets, calibrated",
        "x are the encoded columns of the sheet features; each net has a row of weights. A weight "
        "says what one unit of its column adds to the log-odds.",
    )
    sheet.heading(WEIGHTS, 1, "weights of")
    sheet.heading(WEIGHTS, 2, "bias b", steep=True)
    sheet.steep(WEIGHTS, features.names)
    for column, name in enumerate(features.names, 3):
        sheet.heading(WEIGHTS, column, name, steep=True)
    every = np.concatenate([b, w], axis=1)  # (nets, 1 + columns)
    for net in range(nets):
        sheet.text(WEIGHTS + 1 + net, 1, f"net {net + 1}")
        for column, value in enumerate(every[net]):
            sheet.value(WEIGHTS + 1 + net, 2 + column, value, "fitted")
    mean = WEIGHTS + 1 + nets
    sheet.text(mean, 1, "mean", bold=True)
    for column, value in enumerate(every.mean(axis=0), 2):
        of_nets = span((WEIGHTS + 1, column), (mean - 1, column))
        sheet.formula(mean, column, f"=AVERAGE({of_nets})", value)
    sheet.scale((WEIGHTS + 1, 2), (mean, 2 + columns), every)

    results = Results(sheet, "linear", first=mean + 4)
    z = [
        [
            f"SUMPRODUCT({features.encoded(row)},"
            f"{span((line, 3), (line, 2 + columns), '$$')})+{at(line, 2, '$$')}"
            for line in range(WEIGHTS + 1, mean)
        ]
        for row in range(len(content.y))
    ]
    p = expit(features.x @ w.T + b.T)  # (rows, nets)
    found = results.write(content, rows, z, p)
    sheet.worksheet.set_column(3 + nets + 6, 2 + columns, 8)
    sheet.chart(
        (mean + 3, nets + 9),
        "column",
        "Mean weight of each column",
        ("", "log-odds"),
        (WEIGHTS, 3, WEIGHTS, 2 + columns),
        (mean, 3, mean, 2 + columns),
        (1000, 420),
    )
    sheet.printed(mean + 3 + max(len(content.y), 22), 2 + columns, pages=2)
    sheet.worksheet.freeze_panes(0, 2)
    return found
