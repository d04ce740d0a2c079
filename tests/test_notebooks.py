"""The notebooks can be read without being run: outputs and links are there."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager

from titanic_nn import plots

REPO = Path(__file__).parents[1]
NOTEBOOKS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
KAGGLE = REPO / "notebooks" / "kaggle_titanic.ipynb"
EXECUTE = REPO / "notebooks" / "execute.py"
PRACTICE = REPO / "notebooks" / "practice.py"


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


def plain_python(source: str) -> str:
    """A cell's source, with its magics as calls."""
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    return str(manager.transform_cell(source))


def test_there_are_seven_in_a_row_and_one_for_kaggle() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [f"0{n}_" for n in range(1, 8)]
    assert {*(REPO / "notebooks").glob("*.ipynb")} == {*NOTEBOOKS, KAGGLE}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_with_what_the_reader_will_know(path: Path) -> None:
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert text.startswith("# ")
    assert "**At the end you will know**" in text


@pytest.mark.parametrize("path", [*NOTEBOOKS, KAGGLE], ids=lambda path: path.stem)
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


@pytest.mark.parametrize("path", [*NOTEBOOKS, KAGGLE], ids=lambda path: path.stem)
def test_it_installs_the_package_first_where_it_is_missing(path: Path) -> None:
    first = "".join(cells(path, "code")[0]["source"])
    assert "%pip install --quiet git+https://github.com/" in first
    said: list[str] = []
    for found in (None, "the package"):
        shell = SimpleNamespace(run_line_magic=lambda name, line: said.append(f"{name} {line}"))
        source = plain_python(first)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda name, found=found: found)
            exec(source, {"get_ipython": lambda shell=shell: shell})
    assert said == [first.splitlines()[-1].strip().removeprefix("%")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_has_exercises_with_folded_answers(path: Path) -> None:
    text = "\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    _, *exercises = text.split("**Try it.**")
    assert len(exercises) >= 5
    for exercise in exercises:
        assert exercise.count("<details><summary>Answer</summary>\n\n") == 1
        assert exercise.count("\n\n</details>") == 1
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        compile(code, path.name, "exec")


def test_kagglers_get_the_whole_competition_in_fifteen_cells() -> None:
    """Forked on Kaggle, it stands alone: no links into a checkout, and no exercises."""
    document = json.loads(KAGGLE.read_text(encoding="utf-8"))["cells"]
    assert len(document) == 15
    text = "\n".join("".join(cell["source"]) for cell in cells(KAGGLE, "markdown"))
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert all(link.startswith("https://github.com/") for link in links)
    code = "\n".join("".join(cell["source"]) for cell in cells(KAGGLE, "code"))
    assert "load(bundled=False)" in code  # what is attached, and nothing else
    assert "/kaggle/" not in code  # wherever it is attached
    outputs = [output for cell in cells(KAGGLE, "code") for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4
    (forecast,) = [t for t in map(json.dumps, outputs) if "Expect a public score of about" in t]
    assert "A rough forecast" in forecast
    assert "submission.csv" in json.dumps(outputs[-1])


def test_a_notebook_for_kaggle_runs_on_a_machine_laid_out_as_kaggles(tmp_path: Path) -> None:
    path = tmp_path / "kaggle_other.ipynb"
    tables = "get_competition('titanic').load(bundled=False)"
    write_notebook(
        path,
        "from pathlib import Path\n"
        "from titanic_nn.competitions.registry import get_competition\n"
        f"print({tables}.source, [*Path().iterdir()])",
    )
    assert run("--write", path).returncode == 0
    (output,) = cells(path, "code")[0]["outputs"]
    assert "".join(output["text"]) == "kaggle-notebook []\n"


def write_notebook(path: Path, source: str) -> None:
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": []}
    document = {
        "cells": [{**cell, "id": "one", "source": source, "execution_count": None}],
        "metadata": {},
    }
    path.write_text(json.dumps({**document, "nbformat": 4, "nbformat_minor": 5}))


def run(*arguments: str | Path, script: Path = EXECUTE) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(script), *map(str, arguments)]
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


def source_with(path: Path, words: str) -> str:
    """The source of the only code cell that has these words."""
    sources = ("".join(cell["source"]) for cell in cells(path, "code"))
    (found,) = [source for source in sources if words in source]
    return found


def test_adam_is_explained_before_it_is_used() -> None:
    document = [cell for path in NOTEBOOKS for cell in json.loads(path.read_text("utf-8"))["cells"]]
    sources = [(cell["cell_type"], "".join(cell["source"])) for cell in document]
    explained = [kind == "markdown" and "**Adam**:" in text for kind, text in sources]
    used = [kind == "code" and bool(re.search(r"\badam\b", text, re.I)) for kind, text in sources]
    assert explained.index(True) < used.index(True)


def test_the_sliders_of_two_relus_can_make_a_hump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plt, "show", lambda: None)
    names: dict[str, Any] = {"plt": plt, "plots": plots, "fine": torch.linspace(-2, 2, 201)}
    names["interact"] = lambda *args, **sliders: names.update(sliders=sliders)
    for words in ("def relu(", "def draw_two_relus(", "def two_relus("):
        exec(source_with(NOTEBOOKS[0], words), names)

    low, high = names["sliders"]["k2"]
    assert low <= -2.0 <= high
    names["two_relus"](k2=-2.0)
    total = torch.tensor(plt.gca().lines[-1].get_ydata())
    plt.close("all")
    peak = int(total.argmax())
    assert 0 < peak < 200
    assert total[peak] > total[0]
    assert total[peak] > total[-1]


def test_sliders_are_followed_by_pictures_of_their_positions() -> None:
    """GitHub runs no scripts."""
    code = cells(NOTEBOOKS[0], "code")
    shown = [json.dumps([output.get("data", {}) for output in cell["outputs"]]) for cell in code]
    sliders = [i for i, data in enumerate(shown) if 'class=\\"sliders-' in data]
    assert len(sliders) == 2
    for i in sliders:
        assert any('"image/png"' in data for data in shown[i + 1 : i + 3])


@pytest.mark.parametrize("b", [0.5, -3.0])
def test_the_gradient_on_paper_is_autograds(b: float) -> None:
    names: dict[str, Any] = {"plt": plt, "plots": plots}
    exec(source_with(NOTEBOOKS[0], "def forward_and_backward("), names)
    plt.close("all")
    values, gradients = names["forward_and_backward"](x=2.0, y=-1.0, m=0.5, b=b, k=-2.0, c=1.0)

    leaves = {name: torch.tensor(values[name], requires_grad=True) for name in "mbkc"}
    a = leaves["m"] * 2.0 + leaves["b"]
    loss = (leaves["k"] * a.clamp(min=0) + leaves["c"] + 1.0) ** 2
    assert values["L"] == pytest.approx(float(loss.detach()))
    by_autograd = torch.autograd.grad(loss, list(leaves.values()))
    for name, gradient in zip(leaves, by_autograd, strict=True):
        assert gradients[name] == pytest.approx(float(gradient))


def test_a_lesson_writes_its_own_start_weights_and_leaves_the_packages_to_an_appendix() -> None:
    document = json.loads(NOTEBOOKS[1].read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in document]
    (appendix,) = [i for i, source in enumerate(sources) if "## Appendix" in source]
    before = "\n".join(sources[:appendix])
    assert "torch.randn(" in before
    assert "titanic_nn.engine" not in before
    assert "titanic_nn.nets" not in before


@pytest.mark.parametrize("path", [*NOTEBOOKS, KAGGLE], ids=lambda path: path.stem)
def test_a_measured_number_in_the_prose_is_one_that_the_notebook_prints(path: Path) -> None:
    printed = json.dumps([cell["outputs"] for cell in cells(path, "code")])
    prose = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    for number in re.findall(r"\b\d+\.\d{3,}\b", prose):
        assert number in printed, number


def test_practice_copies_have_the_code_without_prose_then_without_its_key_lines(
    tmp_path: Path,
) -> None:
    done = run("--to", tmp_path, script=PRACTICE)
    assert done.returncode == 0, done.stderr
    key_lines = runpy.run_path(str(PRACTICE))["KEY_LINES"]
    for path in NOTEBOOKS:
        lesson = ["".join(cell["source"]) for cell in cells(path, "code")]
        clean = cells(tmp_path / "clean" / path.name, "code")
        assert ["".join(cell["source"]) for cell in clean] == lesson
        assert not any(cell["outputs"] for cell in clean)
        prose = "".join(
            "".join(c["source"]) for c in cells(tmp_path / "clean" / path.name, "markdown")
        )
        assert all(line.startswith("#") for line in prose.splitlines() if line)

        gaps = cells(tmp_path / "gaps" / path.name, "code")
        left = [line.strip() for cell in gaps for line in "".join(cell["source"]).splitlines()]
        known = [line.strip() for source in lesson for line in source.splitlines()]
        for line, hint in key_lines[path.stem].items():
            assert line in known
            assert line not in left
            assert f"...  # {hint}" in left
        for cell in gaps:  # what is left can still be read by Python
            source = plain_python("".join(cell["source"]))
            compile(source, path.name, "exec")


def test_a_practice_copy_with_work_in_it_is_kept(tmp_path: Path) -> None:
    mine = tmp_path / "gaps" / NOTEBOOKS[0].name
    mine.parent.mkdir()
    mine.write_text("my work")
    done = run("--to", tmp_path, script=PRACTICE)
    assert done.returncode == 0
    assert f"{mine}: kept" in done.stdout
    assert mine.read_text() == "my work"
    assert (tmp_path / "clean" / NOTEBOOKS[0].name).exists()
