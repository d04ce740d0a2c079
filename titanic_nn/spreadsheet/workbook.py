"""Sheets, cells and their roles: the only module that knows XlsxWriter.

Text is written as text, never as a formula. A formula is written with its value, so that a preview
shows numbers. Only functions of Excel 2010 that LibreOffice and Google Sheets have too are used.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from titanic_nn.errors import ConfigError

try:
    import xlsxwriter
    from xlsxwriter.utility import quote_sheetname, xl_rowcol_to_cell
except ImportError:
    raise ConfigError(
        "a spreadsheet needs another package: pip install 'titanic-nn[spreadsheet]'"
    ) from None

# A sheet's last column and row, in Excel.
MOST_COLUMNS, MOST_ROWS = 2**14, 2**20

Role: TypeAlias = Literal["input", "unread", "fitted", "given", "formula", "result"]
# Role of a cell -> its colour, and what the legend says.
ROLES: Mapping[Role, tuple[str, str]] = {
    "input": ("#FFF2CC", "an input: change it, and all formulas follow"),
    "unread": ("#EDEDED", "a column of the table that no formula reads"),
    "fitted": ("#DDEBF7", "a fitted parameter: a weight, a mean, a median, a calibration"),
    "given": ("#F8CBAD", "a value that was computed outside of this workbook: it does not follow"),
    "formula": ("#FFFFFF", "a formula"),
    "result": ("#E2EFDA", "a formula whose value is a result: a probability, a loss, a gradient"),
}
HEADING, LINE = "#44546A", "#1F77B4"
NEGATIVE, POSITIVE = "#E8837E", "#7FB3E6"  # of a scale of colours, 0 in white

# Characters that a cached text must not hold as they are; "#N/A" would be an error.
_ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|^#|_(?=x[0-9A-Fa-f]{4}_)")

Value: TypeAlias = float | str | None


class Book:
    """A workbook in memory."""

    def __init__(self, title: str) -> None:
        self._content = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.workbook = xlsxwriter.Workbook(self._content, options)
        self.workbook.set_properties({"title": title})
        self._formats: dict[tuple[Any, ...], Any] = {}

    def sheet(self, name: str) -> "Sheet":
        """A new sheet, after those before."""
        return Sheet(self, name)

    def format(self, **properties: Any) -> Any:
        """The format with these properties, each made once."""
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self.workbook.add_format(properties)
        return self._formats[key]

    def close(self) -> bytes:
        """The file's bytes."""
        self.workbook.close()
        return self._content.getvalue()


class Sheet:
    """A sheet. Rows and columns are numbered from 0."""

    def __init__(self, book: Book, name: str) -> None:
        self.book, self.name = book, name
        self.worksheet = book.workbook.add_worksheet(name)
        self.worksheet.hide_gridlines(2)
        # Excel marks these with a green corner: a code "28666" is a text, and stays one.
        ignored = ("number_stored_as_text", "formula_range", "formula_differs")
        self.worksheet.ignore_errors(dict.fromkeys(ignored, "A1:XFD1048576"))

    def ref(self, row: int, column: int, fixed: str = "") -> str:
        """A cell as formulas of any sheet name it; `fixed`: "$$" both, "$" the column only."""
        return f"{quote_sheetname(self.name)}!{at(row, column, fixed)}"

    def define(self, name: str, row: int, column: int) -> str:
        """Give a cell a name for formulas; returns the name."""
        self.book.workbook.define_name(name, f"={self.ref(row, column, '$$')}")
        return name

    def title(self, title: str, *lines: str) -> None:
        """What the sheet is, in its first rows."""
        bold = self.book.format(bold=True, font_size=14)
        self.worksheet.write_string(0, 0, title, bold)
        for row, line in enumerate(lines, 1):
            self.worksheet.write_string(row, 0, line, self.book.format(italic=True))

    def text(self, row: int, column: int, text: str, **properties: Any) -> None:
        """A text of no role."""
        self.worksheet.write_string(row, column, text, self.book.format(**properties))

    def heading(
        self, row: int, column: int, text: str, note: str = "", *, steep: bool = False
    ) -> None:
        """A column's or a block's name, with a comment."""
        turned = {"rotation": 90, "valign": "bottom"} if steep else {"text_wrap": True}
        look = self.book.format(
            bold=True, font_color="#FFFFFF", bg_color=HEADING, border=1, **turned
        )
        self.worksheet.write_string(row, column, text, look)
        if note:
            self.note(row, column, note)

    def steep(self, row: int, names: Sequence[str]) -> None:
        """Make a row high enough for steep headings."""
        self.worksheet.set_row(row, 12 + 6.2 * max(map(len, names)))

    def note(self, row: int, column: int, text: str) -> None:
        """A comment, large enough for its text."""
        size = {"x_scale": 2, "y_scale": max(1, math.ceil(len(text) / 150))}
        self.worksheet.write_comment(row, column, text, size)

    def link(self, row: int, column: int, name: str) -> None:
        """A sheet's name, which leads there."""
        target = f"internal:{quote_sheetname(name)}!A1"
        look = self.book.format(font_color="#0563C1", underline=1)
        self.worksheet.write_url(row, column, target, look, string=name)

    def value(self, row: int, column: int, value: Any, role: Role, digits: int = 4) -> None:
        """A text, a number, or an empty cell for None and NaN."""
        value, look = _plain(value), self._look(role, digits)
        if value is None or value == "":
            self.worksheet.write_blank(row, column, None, look)
        elif isinstance(value, str):
            self.worksheet.write_string(row, column, value, look)
        else:
            self.worksheet.write_number(row, column, value, look)

    def formula(
        self,
        row: int,
        column: int,
        formula: str,
        value: Any,
        role: Role = "formula",
        digits: int = 4,
    ) -> None:
        """A formula, with the value that it has now; None and NaN are the empty text."""
        value = _plain(value)
        cached: Any = "" if value is None else value
        if isinstance(cached, str):
            cached = _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", cached)
        self.worksheet.write_formula(row, column, formula, self._look(role, digits), cached)

    def scale(self, first: tuple[int, int], last: tuple[int, int], values: Any) -> None:
        """Colour numbers by their value: red below 0, white at 0, blue above.

        values: the numbers, of any shape; the largest magnitude has the strongest colour.
        """
        largest = float(np.abs(np.asarray(values, np.float64)).max(initial=0)) or 1.0
        points = {"min": (-largest, NEGATIVE), "mid": (0, "#FFFFFF"), "max": (largest, POSITIVE)}
        options: dict[str, Any] = {"type": "3_color_scale"}
        for name, (value, colour) in points.items():
            options |= {f"{name}_type": "num", f"{name}_value": value, f"{name}_color": colour}
        self.worksheet.conditional_format(*first, *last, options)

    def bars(self, first: tuple[int, int], last: tuple[int, int]) -> None:
        """Draw probabilities as bars within their cells."""
        options = {"type": "data_bar", "min_type": "num", "min_value": 0, "bar_color": "#8FC98F"}
        options |= {"max_type": "num", "max_value": 1, "bar_solid": True}
        self.worksheet.conditional_format(*first, *last, options)

    def chart(
        self,
        place: tuple[int, int],
        kind: Literal["line", "column"],
        title: str,
        axes: tuple[str, str],
        names: tuple[int, int, int, int],
        values: tuple[int, int, int, int],
        size: tuple[int, int],
        most: float | None = None,
    ) -> None:
        """A chart of one row or column of cells; ranges are (row, column, row, column).

        most: where the values' axis ends; by default at what a program finds fitting.
        """
        chart = self.book.workbook.add_chart({"type": kind})
        series: dict[str, Any] = {
            "name": title,
            "categories": [self.name, *names],
            "values": [self.name, *values],
        }
        if kind == "line":
            series |= {"line": {"color": LINE, "width": 2.25}}
        else:
            series |= {"fill": {"color": LINE}, "gap": 40}
        chart.add_series(series)
        chart.set_title({"name": title, "name_font": {"size": 12}})
        below = {"name": axes[0], "label_position": "low", "num_font": {"size": 8}}
        chart.set_x_axis(below)
        chart.set_y_axis({"name": axes[1], "max": most, "major_gridlines": {"visible": True}})
        chart.set_legend({"none": True})
        chart.set_size({"width": size[0], "height": size[1]})
        self.worksheet.insert_chart(*place, chart, {"description": title})

    def printed(self, row: int, column: int, pages: int = 1) -> None:
        """Print the cells up to this one, on so many pages side by side."""
        self.worksheet.set_landscape()
        self.worksheet.set_paper(9)  # A4
        self.worksheet.set_margins(0.3, 0.3, 0.3, 0.3)
        self.worksheet.print_area(0, 0, row, column)
        self.worksheet.fit_to_pages(pages, 1)

    def _look(self, role: Role, digits: int) -> Any:
        number = "0." + "0" * digits if digits else "General"
        colour = ROLES[role][0]
        return self.book.format(
            bg_color=colour, border=1, border_color="#D0D0D0", num_format=number
        )


def at(row: int, column: int, fixed: str = "") -> str:
    """A cell as formulas of its own sheet name it; `fixed`: "$$", "$" its column, "_$" its row."""
    column_fixed, row_fixed = fixed[:1] == "$", fixed[1:] == "$"
    return str(xl_rowcol_to_cell(row, column, row_abs=row_fixed, col_abs=column_fixed))


def span(first: tuple[int, int], last: tuple[int, int], fixed: str = "") -> str:
    """A range of the own sheet."""
    return f"{at(*first, fixed)}:{at(*last, fixed)}"


def _plain(value: Any) -> Value:
    """A number or text of NumPy's or pandas' as Python's; None where it is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    number = float(value)
    return None if math.isnan(number) else number
