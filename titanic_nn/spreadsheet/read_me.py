"""The first sheet: what the workbook is, what the colours mean, what each sheet has."""

import math

from titanic_nn.escape import printable
from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.train import STEPS, UNITS
from titanic_nn.spreadsheet.workbook import ROLES, Sheet

OWN_LABEL = (
    "Some features are made from the labels of training rows. A saved model keeps counts of "
    "labels, not whose they are: of a training row its own label is counted too, so that its "
    "probability is better than it would be of a new row."
)


def write_read_me(sheet: Sheet, content: Content) -> None:
    """Fill the sheet, which was made first."""
    schema, n = content.competition.schema, len(content.y)
    rows, sheet_name = schema.row_names, content.rows_sheet
    sheet.title(
        f"{content.competition.title}: neural nets as formulas",
        printable(f"Made by titanic-nn from the run {content.run}, with {n} {rows}."),
    )
    row = 3
    sheet.text(row, 0, "Colours", bold=True, font_size=12)
    for role, (_, meaning) in ROLES.items():
        row += 1
        sheet.value(row, 0, role, role)
        sheet.text(row, 1, meaning)
    row += 1
    sheet.text(row, 1, "Shades of red and blue show how far a number is below or above 0.")
    row += 2
    sheet.text(row, 0, "Sheets", bold=True, font_size=12)
    made = {
        sheet_name: f"{n} labelled {rows} of the run's table: the inputs",
        "features": "the encoding: features, gaps filled with medians, scaling, one column a value",
        "fitted": "the medians and rare values that the encoding has fitted",
        "linear": "a weighted sum, its sigmoid, the log loss",
        "relu": "hidden units, MAX(0, ...), the output, its sigmoid, the log loss",
        "train": f"a net of {UNITS} units learns in {STEPS} steps; every gradient is a formula",
        "multiply": "one matrix product, term by term",
    }
    for name, what in made.items():
        row += 1
        why = content.left_out.get(name)
        sheet.text(row, 0, name)
        sheet.text(row, 1, f"left out: {why}" if why else what)
        if not why:
            sheet.link(row, 0, name)
    row += 2
    sheet.text(row, 0, "Try", bold=True, font_size=12)
    for what in (
        content.how_to_change,
        "On train, change the learning rate or a weight of step 1, and watch the curve.",
        "On multiply, choose another row and column.",
    ):
        row += 1
        sheet.text(row, 1, what)
    row += 2
    sheet.text(row, 0, "What the numbers are", bold=True, font_size=12)
    reads_labels = any(f.reads_labels for f in content.encoder.features.features)
    for what in (
        "A model averages several nets that differ in their random start, and calibrates the mean. "
        "The sheets have every net, and end with the probability of `titanic-nn predict`.",
        f"The {rows} are training rows: the nets have seen their labels, so their losses are too "
        "low. Beside them stands what nets gave that had not seen the row, from the run's oof.csv.",
        *([OWN_LABEL] if reads_labels else []),
        "Orange cells are values that were computed outside of this workbook, from other rows or "
        "without a formula; they do not follow when a row is changed.",
    ):
        row += 1
        sheet.text(row, 1, what, text_wrap=True, valign="top")
        sheet.worksheet.set_row(row, 15 * math.ceil(len(what) / 100))
    sheet.printed(row, 1)
    sheet.worksheet.set_column(0, 0, 18)
    sheet.worksheet.set_column(1, 1, 100)
