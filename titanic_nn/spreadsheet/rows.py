"""The sheet of the table's rows: the inputs that everything else is computed from."""

from dataclasses import dataclass

from titanic_nn.spreadsheet.content import Content
from titanic_nn.spreadsheet.workbook import Role, Sheet

FIRST = 4  # row of the first of the table's rows


@dataclass(frozen=True)
class RowCells:
    """Where the table's rows are."""

    sheet: Sheet
    columns: dict[str, int]  # name in the table -> the column that has it
    target: str

    def ref(self, row: int, name: str) -> str:
        """A row's cell, for formulas on other sheets; the row may move, the column does not."""
        return self.sheet.ref(FIRST + row, self.columns[name], "$")

    def shown(self, row: int, name: str) -> str:
        """A row's value, or the empty text where it is missing."""
        ref = self.ref(row, name)
        return f'IF({ref}="","",{ref})'

    def label(self, row: int) -> str:
        """A row's class code."""
        return self.ref(row, self.target)


def write_rows(sheet: Sheet, content: Content) -> RowCells:
    """A column for each of the table's."""
    schema, table = content.competition.schema, content.table
    columns = {column.name: at for at, column in enumerate(schema.train_columns)}
    cells = RowCells(sheet, columns, schema.target.name)
    formulas = content.encoder.features.formulas
    read = {schema.target.name}.union(*(formula.reads for formula in formulas))
    sheet.title(
        f"{len(table)} {schema.row_names} of the training table",
        f"{content.how_to_change} An empty cell is a missing value.",
    )
    for name, column in columns.items():
        if name == schema.target.name:
            no, yes = schema.class_names
            sheet.heading(FIRST - 1, column, name, f"The label: 0 is {no}, 1 is {yes}.")
        else:
            sheet.heading(FIRST - 1, column, name)
        values = table[name].tolist()
        role: Role = "input" if name in read else "unread"
        for row, value in enumerate(values):
            sheet.value(FIRST + row, column, value, role, digits=0)
        longest = max((len(str(value)) for value in values), default=0)
        sheet.worksheet.set_column(column, column, min(max(longest, len(name)) + 3, 34))
    sheet.printed(FIRST + len(table) - 1, len(columns) - 1)
    sheet.worksheet.freeze_panes(FIRST, 1)
    return cells
