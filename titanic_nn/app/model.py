"""What the app answers: one row's probabilities and why, or a table's, as HTML.

All text that is not this module's own is escaped.
"""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath
from typing import Any

import pandas as pd

from titanic_nn import plots
from titanic_nn.analysis.contributions import contributions_of_row, predicted_class
from titanic_nn.analysis.explanation import BACKGROUND, TableModel, explain, feature_values
from titanic_nn.app.form import Field, checked_row
from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import DataError, TitanicError
from titanic_nn.escape import printable
from titanic_nn.evaluation.predictions import kept, most_probable, predicted_table
from titanic_nn.report import tables
from titanic_nn.report.pictures import as_svg
from titanic_nn.report.sentences import percent
from titanic_nn.runs.folder import to_csv
from titanic_nn.tables.schema import CheckedTable, column_names, read_in_parts

LARGEST_FILE = 2 * 2**20  # bytes of an uploaded table
MOST_ROWS = 10_000  # of an uploaded table
MOST_COLUMNS = 1_000  # of it, extra ones too
NOTES_SHOWN = 5  # on what was tolerated in it
ROWS_SHOWN = 100  # of its predictions; the download has all
LONGEST_NAME = 100  # characters of an uploaded file's name that are shown


@dataclass(frozen=True, eq=False)
class AppModel:
    """A model, and what its app says of it."""

    model: TableModel
    competition: Competition
    fields: tuple[Field, ...]
    # Rows that stand for the average, and the model that encodes them, which may know their labels.
    # None: nothing is explained.
    background: tuple[pd.DataFrame, TableModel] | None
    name: str  # the model's
    about: str  # a sentence or two about it

    @property
    def title(self) -> str:
        """The page's title."""
        return printable(f"{self.competition.title}: {self.name}")

    def answer_row(self, values: Sequence[Any]) -> str:
        """The answer to the form's values, or the complaint about them, as HTML."""
        return _or_complaint(lambda: self._answer_row(values))

    def answer_table(self, upload: Any) -> str:
        """The answer to an upload, or the complaint about it, as HTML.

        upload: a mapping with the file's `name`, `size` in bytes, and `content` in base64, which is
        empty where the file is too large.
        """
        return _or_complaint(lambda: self._answer_table(upload))

    def _answer_row(self, values: Sequence[Any]) -> str:
        schema = self.competition.schema
        row = checked_row(values, self.fields, schema)
        p = self.model.predict_proba(row)  # (1, classes)
        code = int(most_probable(kept(p))[0])
        rows = [
            [name, label, f"{chance:.6f}"]
            for name, label, chance in zip(schema.class_names, schema.labels, p[0], strict=True)
        ]
        return (
            f'<p class="verdict">Most probable: <b>{_text(schema.class_names[code])}</b>, '
            f"{percent(p[0, code], 1)}</p>"
            + _table(["class", schema.target.name, "probability"], rows, highlighted=code)
            + self._why(row)
            + _list("What this assumes", self._assumptions())
        )

    def _why(self, row: pd.DataFrame) -> str:
        """The explanation of a row's probability, as a picture and as a table."""
        if self.background is None:
            return ""
        background, labelled = self.background
        schema = self.competition.schema
        found = explain(labelled, row, background)
        lines = contributions_of_row(found, 0, feature_values(labelled, row), schema.labels)
        label = predicted_class(lines)
        name = schema.meanings[label]
        picture = as_svg(plots.waterfall(lines[lines["class"] == label], "", name))
        table = tables.explanation(lines, self.competition)
        return (
            f"<h3>Why: the log-odds of {_text(name)}</h3>"
            f'<figure role="img" aria-label="The largest contributions">{picture.svg}</figure>'
            f"<details><summary>{_text(table.title)}, all of them</summary>"
            f"{_table(table.columns, table.rows, table.highlighted_row)}"
            f"<p>{_text(table.caption)}</p></details>"
        )

    def _assumptions(self) -> list[str]:
        schema, features = self.competition.schema, self.competition.features.features
        found = [f"The {schema.row_name} is predicted as a new row, by itself."]
        if read := [f.label for f in features if f.reads_labels]:
            found.append(
                "Made from the labels of training rows in its group, where there are any: "
                f"{', '.join(read)}."
            )
        if self.background is None:
            return [*found, "Nothing is explained here: that needs rows of the training table."]
        return [
            *found,
            "Each bar moves the log-odds by what a feature contributes: its Shapley value, sampled "
            f"against {BACKGROUND} {schema.row_names} at most, which stand for the average. "
            "Features are mixed between rows, also where no such row exists. That explains what "
            "the model computes, not what causes what.",
        ]

    def _answer_table(self, upload: Any) -> str:
        name, content = _uploaded(upload)
        checked = self._checked(name, content)
        schema = self.competition.schema
        found = predicted_table(self.model, checked.table, schema)
        rows = [
            [f"{cell:.6f}" if isinstance(cell, float) else str(cell) for cell in row]
            for row in found.head(ROWS_SHOWN).itertuples(index=False)
        ]
        href = base64.b64encode(to_csv(found).encode()).decode()
        first = f" The first {ROWS_SHOWN} are shown." if len(found) > ROWS_SHOWN else ""
        return (
            "".join(f"<p>note: {_text(note)}</p>" for note in checked.notes[:NOTES_SHOWN])
            + f"<p>{_text(name)}: {len(found)} {_text(schema.row_names)} predicted.{first} "
            f'<a class="download" download="predictions.csv" href="data:text/csv;base64,{href}">'
            "Download all as CSV</a></p>" + _table([str(name) for name in found], rows)
        )

    def _checked(self, name: str, content: bytes) -> CheckedTable:
        """A table that is not too large. Raises DataError, as `titanic-nn predict` does."""
        schema = self.competition.schema
        if len(column_names(content, file=name)) > MOST_COLUMNS:
            raise DataError(
                f"{name}: has more than {MOST_COLUMNS} columns; predict it by `titanic-nn predict`"
            )
        parts = read_in_parts(io.BytesIO(content), file=name, rows=MOST_ROWS, schema=schema)
        first = next(parts)
        if next(parts, None) is not None:
            raise DataError(
                f"{name}: has more than {MOST_ROWS} rows; predict it by `titanic-nn predict`"
            )
        return first


def _uploaded(upload: Any) -> tuple[str, bytes]:
    """An upload's name and content. Raises DataError."""
    if not isinstance(upload, Mapping) or not upload.get("name"):
        raise DataError("no file is chosen; choose a CSV file")
    # A browser gives no folders; whoever else does gets the last part.
    name = PurePath(str(upload["name"]).replace("\\", "/")).name[:LONGEST_NAME] or "file"
    size, content = upload.get("size"), upload.get("content")
    if not isinstance(content, str) or not isinstance(size, int | float):
        raise DataError(f"{name}: did not arrive whole; send it again")
    try:
        decoded = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{name}: did not arrive whole; send it again") from None
    size = max(int(size) if size == size and abs(size) < 1e18 else 0, len(decoded))
    if size > LARGEST_FILE:
        raise DataError(
            f"{name}: has {size} bytes, more than the {LARGEST_FILE} that are read here; predict "
            "it by `titanic-nn predict`"
        )
    return name, decoded


def _or_complaint(answer: Any) -> str:
    """An answer, or one line that says why there is none."""
    try:
        return f'<div class="answer">{answer()}</div>'
    except TitanicError as error:
        line = str(error)
    except ValueError:  # the row is checked: it is the model's numbers that overflow
        line = "the model does not predict this: its numbers overflow"
    except Exception as error:  # whatever it is, the page goes on and shows no path
        line = f"this cannot be predicted ({type(error).__name__})"
    return f'<div class="answer"><p class="complaint" role="alert">{_text(line)}</p></div>'


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], highlighted: int | None = None
) -> str:
    """A table whose first column names the rows."""
    head = "".join(f"<th scope=col>{_text(name)}</th>" for name in columns)
    body = "".join(
        f"<tr{' class=highlighted' * (i == highlighted)}>"
        + "".join(f"<td>{_text(cell)}</td>" for cell in row)
        + "</tr>"
        for i, row in enumerate(rows)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _list(title: str, items: Sequence[str]) -> str:
    lines = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f"<h3>{title}</h3><ul>{lines}</ul>"


def _text(text: str) -> str:
    """Text that shows as it is, in one line."""
    return escape(printable(str(text)))
