"""The notebooks can be read without being run: outputs and links are there."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[1]
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))
EXECUTE = REPO / "notebooks" / "execute.py"


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


def test_there_are_six_in_a_row() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [f"0{n}_" for n in range(1, 7)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_with_what_the_reader_will_know(path: Path) -> None:
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert text.startswith("# ")
    assert "**At the end you will know**" in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_as_it_ran_from_top_to_bottom(path: Path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    # No path of the machine that it ran on.
    assert not re.findall(r"/(?:home|root|tmp|Users|work)/", json.dumps(outputs))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    headings = {match.replace(" ", "-") for match in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings
        else:
            assert (path.parent / link).exists()


def write_notebook(path: Path, source: str) -> None:
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": []}
    document = {
        "cells": [{**cell, "id": "one", "source": source, "execution_count": None}],
        "metadata": {},
    }
    path.write_text(json.dumps({**document, "nbformat": 4, "nbformat_minor": 5}))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(EXECUTE), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


def test_a_cell_that_fails_fails_the_run_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    write_notebook(path, "1 / 0")
    before = path.read_bytes()
    done = run("--write", path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert path.read_bytes() == before


def test_outputs_are_kept_when_asked_for_and_live_widgets_are_not(tmp_path: Path) -> None:
    path = tmp_path / "good.ipynb"
    write_notebook(path, "import ipywidgets\nprint(6 * 7)\nipywidgets.IntSlider()")
    assert run(path).returncode == 0
    assert cells(path, "code")[0]["outputs"] == []
    assert run("--write", path).returncode == 0
    (output,) = cells(path, "code")[0]["outputs"]
    assert "".join(output["text"]) == "42\n"
    assert "widgets" not in json.loads(path.read_text())["metadata"]
