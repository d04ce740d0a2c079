"""Text from outside, made harmless where it leaves: on a terminal, in a page, in a spreadsheet."""

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# What a spreadsheet takes for a formula, at the start of a cell (OWASP, "CSV Injection"). It may
# follow apostrophes, so that `restored` is exact for every text.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def printable(text: str) -> str:
    r"""Text as it can be shown on one line: all but printable characters as escapes, like `\x1b`.

    Those are control characters, line breaks, tabs, characters without width or that reverse the
    text's direction, and surrogates, of which paths that are not UTF-8 are made.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """`printable`, except that the line feeds of a longer text stay."""
    return "\n".join(map(printable, text.split("\n")))


def printable_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table with printable text, and names of columns."""
    return _with_texts(table, printable_lines)


def neutralized(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table whose text a spreadsheet shows instead of running it: formulas get an apostrophe.

    Numbers stay as they are; names of columns are text. `restored` is the inverse.
    """
    return _with_texts(table, lambda text: f"'{text}" if _FORMULA.match(text) else text)


def restored(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table that `neutralized` was given."""
    return _with_texts(table, lambda text: text.removeprefix("'" * bool(_FORMULA.match(text))))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":  # a wide space, say
        return character
    return ascii(character)[1:-1]


def _with_texts(table: "pd.DataFrame", change: Callable[[str], str]) -> "pd.DataFrame":
    def changed(cell: object) -> object:
        return change(cell) if isinstance(cell, str) else cell

    texts = table.copy()
    for name, dtype in table.dtypes.items():
        if dtype.kind == "O":
            texts[name] = table[name].map(changed)
    index = changed if texts.index.dtype.kind == "O" else None  # numbers may be millions
    return texts.rename(index=index, columns=changed)
