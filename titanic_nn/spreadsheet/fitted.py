"""The sheet of what the encoder has fitted besides means and deviations: medians, rare values."""

from dataclasses import dataclass

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.workbook import Sheet

FIRST = 4


@dataclass(frozen=True)
class FittedCells:
    """Where the medians and rare values are, each a range for formulas of other sheets."""

    groups: dict[str, str]  # number -> the names of its groups
    medians: dict[str, str]  # number -> the groups' medians
    everyone: dict[str, str]  # number -> the median of all rows
    rare: dict[str, str]  # category -> its rare values, if it has any


def write_fitted(sheet: Sheet, content: Content) -> FittedCells:
    """Two lists below each other's heads, of medians and of rare values."""
    encoder = content.encoder
    rows = content.competition.schema.row_names
    sheet.title(
        "Fitted on all training rows: medians and rare values",
        "A missing number becomes the median of the narrowest group that has one. Means and "
        "standard deviations are on the sheet features, weights on those of the nets.",
    )
    cells = FittedCells({}, {}, {}, {})
    sheet.heading(FIRST - 1, 0, "number")
    sheet.heading(FIRST - 1, 1, "group", f"The {rows} that agree in these categories.")
    sheet.heading(FIRST - 1, 2, "median", "Over the group's training rows.")
    row = FIRST
    for name, medians in encoder.medians.items():
        first = row
        for group, median in medians.items():
            sheet.value(row, 0, name, "fitted")
            sheet.value(row, 1, group, "fitted")
            sheet.value(row, 2, median, "fitted")
            row += 1
        cells.everyone[name] = sheet.ref(first + list(medians).index("everyone"), 2, "$$")
        cells.groups[name] = _range(sheet, 1, first, row - 1)
        cells.medians[name] = _range(sheet, 2, first, row - 1)
    sheet.heading(FIRST - 1, 4, "category")
    sheet.heading(FIRST - 1, 5, "rare value", "Rare values share one encoded column.")
    row = FIRST
    for name, values in encoder.rare.items():
        first = row
        for value in values:
            sheet.value(row, 4, name, "fitted")
            sheet.value(row, 5, value, "fitted")
            row += 1
        if values:
            cells.rare[name] = _range(sheet, 5, first, row - 1)
    for column, width in enumerate((34, 28, 10, 4, 24, 20)):
        sheet.worksheet.set_column(column, column, width)
    sheet.printed(FIRST + sum(map(len, encoder.medians.values())) - 1, 5)
    sheet.worksheet.freeze_panes(FIRST, 0)
    return cells


def _range(sheet: Sheet, column: int, first: int, last: int) -> str:
    end = sheet.ref(last, column, "$$").rpartition("!")[2]
    return f"{sheet.ref(first, column, '$$')}:{end}"
