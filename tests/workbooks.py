"""Workbooks read, edited and recalculated without the library that writes them."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

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

Cell: TypeAlias = float | str | None
# Sheet -> cell ("B7") -> value; a formula's is the one that is stored with it.
Cells: TypeAlias = dict[str, dict[str, Cell]]


def parts(book: ZipFile) -> dict[str, str]:
    """Sheet -> the name of its part of the file, in order."""
    relations = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    targets = {relation.get("Id"): str(relation.get("Target")) for relation in relations}
    sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
    return {
        str(sheet.get("name")): f"xl/{targets[sheet.get(RELATION)].removeprefix('/xl/')}"
        for sheet in sheets
    }


def read(path: Path) -> tuple[Cells, Cells]:
    """The values and the formulas of every sheet."""
    values: Cells = {}
    formulas: Cells = {}
    with ZipFile(path) as book:
        strings = []
        if "xl/sharedStrings.xml" in book.namelist():
            items = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            strings = ["".join(t.text or "" for t in item.iter(f"{MAIN}t")) for item in items]
        for name, part in parts(book).items():
            values[name], formulas[name] = {}, {}
            for cell in ElementTree.fromstring(book.read(part)).iter(f"{MAIN}c"):
                where, formula = str(cell.get("r")), cell.find(f"{MAIN}f")
                text = cell.findtext(f"{MAIN}v")
                if formula is not None:
                    formulas[name][where] = formula.text
                elif text is None:
                    continue
                kind = cell.get("t", "n")
                if kind == "n" and text:
                    values[name][where] = float(text)
                elif kind == "s":
                    values[name][where] = _unescaped(strings[int(text or 0)])
                else:
                    values[name][where] = _unescaped(text or "")
    return values, formulas


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
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    return [out / path.name for path in paths]


def _unescaped(text: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
