"""The sheet of one matrix product, coloured as on matrixmultiplication.xyz."""

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.rows import RowCells
from titanic_nn.spreadsheet.train import PARAMETERS, UNITS, TrainCells
from titanic_nn.spreadsheet.workbook import Sheet, at, span

MOST_ROWS = 5  # of the left matrix
TOP = 7  # row of the right matrix
ROW_COLOUR, COLUMN_COLOUR, BOTH_COLOUR = "#FFD966", "#9DC3E6", "#A9D18E"


def write_multiply(sheet: Sheet, content: Content, rows: RowCells, train: TrainCells) -> None:
    """The right matrix stands above the product, the left one beside it, the terms below."""
    schema = content.competition.schema
    m, k = min(MOST_ROWS, len(content.y)), len(train.names)
    sheet.title(
        f"One matrix product: {m} {schema.row_names} of {k} inputs times {UNITS} units",
        "A cell of the product is a row on its left times a column above it: multiply pair by "
        "pair, then add up. Choose the cell, and its row and column are coloured.",
        "The matrices are those of the sheet train: its inputs, and the weights w1 of step 1.",
    )
    sheet.text(4, 0, "row", bold=True)
    sheet.value(4, 1, min(2, m), "input", digits=0)
    sheet.text(4, 2, "column", bold=True, align="right")
    sheet.value(4, 3, 1, "input", digits=0)
    for place, most in ((1, m), (3, UNITS)):
        sheet.worksheet.data_validation(
            4,
            place,
            4,
            place,
            {"validate": "integer", "criteria": "between", "minimum": 1, "maximum": most},
        )
    row = sheet.define("chosen_row", 4, 1)
    column = sheet.define("chosen_column", 4, 3)

    left, right, product = (TOP + k + 2, 1), (TOP, k + 3), (TOP + k + 2, k + 3)
    for unit in range(UNITS):
        sheet.heading(TOP - 1, right[1] + unit, f"unit {unit + 1}")
        for i in range(k):
            source = train.sheet.ref(PARAMETERS + i, train.weights + unit)
            sheet.formula(TOP + i, right[1] + unit, f"={source}", train.w1[i, unit], digits=2)
    for i, name in enumerate(train.names):
        sheet.text(TOP + i, right[1] - 1, name, align="right")
        sheet.heading(left[0] - 1, left[1] + i, name)
    sheet.worksheet.set_row(left[0] - 1, 48)
    result = train.x[:m] @ train.w1
    for r in range(m):
        here = left[0] + r
        value = content.table[schema.id.name].iloc[r]
        sheet.formula(here, 0, f"={rows.shown(r, schema.id.name)}", value, digits=0)
        for i in range(k):
            source = train.sheet.ref(train.first + r, train.inputs + i)
            sheet.formula(here, left[1] + i, f"={source}", train.x[r, i], digits=2)
        of_row = span((here, left[1]), (here, left[1] + k - 1), "$")
        for unit in range(UNITS):
            of_column = span((TOP, right[1] + unit), (TOP + k - 1, right[1] + unit), "_$")
            text = f"=MMULT({of_row},{of_column})"
            sheet.formula(here, product[1] + unit, text, result[r, unit], "result", digits=2)

    chosen, unit = min(2, m) - 1, 0
    below = left[0] + m + 2
    sheet.text(below - 1, 0, "The chosen cell, term by term", bold=True, font_size=12)
    for i, head in enumerate(("input", "x", "w1", "x times w1")):
        sheet.heading(below, i, head)
    lefts = span(left, (left[0] + m - 1, left[1] + k - 1), "$$")
    rights = span(right, (TOP + k - 1, right[1] + UNITS - 1), "$$")
    for i, name in enumerate(train.names):
        here, terms = below + 1 + i, (train.x[chosen, i], train.w1[i, unit])
        sheet.text(here, 0, name)
        sheet.formula(here, 1, f"=INDEX({lefts},{row},{i + 1})", terms[0], digits=2)
        sheet.formula(here, 2, f"=INDEX({rights},{i + 1},{column})", terms[1], digits=2)
        sheet.formula(here, 3, f"={at(here, 1)}*{at(here, 2)}", terms[0] * terms[1], digits=2)
    total = below + 1 + k
    sheet.text(total, 2, "sum", bold=True, align="right")
    added = span((below + 1, 3), (total - 1, 3))
    sheet.formula(total, 3, f"=SUM({added})", result[chosen, unit], "result", digits=2)

    is_row, is_column = f"ROW()-{left[0]}={row}", f"COLUMN()-{right[1]}={column}"
    for first, last, criteria, colour in (
        (left, (left[0] + m - 1, left[1] + k - 1), f"={is_row}", ROW_COLOUR),
        (right, (TOP + k - 1, right[1] + UNITS - 1), f"={is_column}", COLUMN_COLOUR),
        (
            product,
            (product[0] + m - 1, product[1] + UNITS - 1),
            f"=AND({is_row},{is_column})",
            BOTH_COLOUR,
        ),
    ):
        look = sheet.book.format(bg_color=colour, bold=True)
        options = {"type": "formula", "criteria": criteria, "format": look}
        sheet.worksheet.conditional_format(*first, *last, options)
    sheet.printed(total, k + 2 + UNITS)
    sheet.worksheet.set_column(0, 0, 20)
    sheet.worksheet.set_column(1, k, 10)
    sheet.worksheet.set_column(k + 1, k + 1, 3)
    sheet.worksheet.set_column(k + 2, k + 2, 20)
    sheet.worksheet.set_column(k + 3, k + 2 + UNITS, 10)
