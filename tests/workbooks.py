"""Workbooks read, edited and recalculated without the library that writes them."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
needs_office = pytest.mark.skipif(OFFICE is None, reason="no LibreOffice")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# LibreOffice keeps the values of a workbook unless it is told to compute them.
ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"""

Cell: TypeAlias = float | str
Place: TypeAlias = tuple[int, int]  # row and column, from 0


@dataclass(frozen=True)
class Worksheet:
    """The cells of a sheet; of a formula both the text and the value that is stored with it."""

    values: dict[Place, Cell] = field(default_factory=dict)
    formulas: dict[Place, str] = field(default_factory=dict)

    def find(self, value: str, number: int = 0) -> Place:
        """The first cell with this text, row by row; or a later one."""
        return sorted(place for place, found in self.values.items() if found == value)[number]

    def numbers(self, first: Place, rows: int, columns: int = 1) -> NDArray[np.float64]:
        """A block of numbers, (rows, columns); an empty cell is NaN."""
        row, column = first
        found = [
            [self.values.get((row + r, column + c), np.nan) for c in range(columns)]
            for r in range(rows)
        ]
        return np.array(found, np.float64)


Workbook: TypeAlias = dict[str, Worksheet]


def parts(book: ZipFile) -> dict[str, str]:
    """Sheet -> the name of its part of the file, in order."""
    relations = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    targets = {relation.get("Id"): str(relation.get("Target")) for relation in relations}
    sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
    return {
        str(sheet.get("name")): f"xl/{targets[sheet.get(RELATION)].removeprefix('/xl/')}"
        for sheet in sheets
    }


def read(path: Path) -> Workbook:
    """Every sheet by name, in order."""
    sheets: Workbook = {}
    with ZipFile(path) as book:
        strings = []
        if "xl/sharedStrings.xml" in book.namelist():
            items = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            strings = ["".join(t.text or "" for t in item.iter(f"{MAIN}t")) for item in items]
        for name, part in parts(book).items():
            sheet = sheets[name] = Worksheet()
            for cell in ElementTree.fromstring(book.read(part)).iter(f"{MAIN}c"):
                place, formula = _place(str(cell.get("r"))), cell.find(f"{MAIN}f")
                text, kind = cell.findtext(f"{MAIN}v"), cell.get("t", "n")
                if formula is not None:
                    sheet.formulas[place] = str(formula.text)
                if text and kind == "s":
                    sheet.values[place] = _unescaped(strings[int(text)])
                elif text:
                    sheet.values[place] = float(text) if kind == "n" else _unescaped(text)
    return sheets


def _place(cell: str) -> Place:
    letters = cell.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(cell.removeprefix(letters)) - 1, column - 1


def edited(path: Path, new: Path, cells: Mapping[tuple[str, str], float]) -> Path:
    """A copy of a workbook in which these cells hold other numbers; nothing is recalculated."""
    with ZipFile(path) as old, ZipFile(new, "w") as book:
        part_of = parts(old)
        for item in old.namelist():
            text = old.read(item)
            for (sheet, cell), value in cells.items():
                if part_of[sheet] == item:
                    pattern = rb'(<c r="%s"[^>]*><v>)[^<]*(</v>)' % cell.encode()
                    text, found = re.subn(pattern, rb"\g<1>%a\g<2>" % value, text)
                    assert found == 1, (sheet, cell)
            book.writestr(item, text)
    return new


def recalculated(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Each workbook as LibreOffice computes it, in one start of the program."""
    assert OFFICE
    user = folder / "profile" / "user"
    user.mkdir(parents=True)
    (user / "registrymodifications.xcu").write_text(ALWAYS)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    out = folder / "recalculated"
    command = [OFFICE, profile, "--headless", "--norestore", "--convert-to", "xlsx"]
    subprocess.run(
        [*command, "--outdir", str(out), *map(str, paths)],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "HOME": str(folder)},
    )
    return [out / path.name for path in paths]


def _unescaped(text: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
