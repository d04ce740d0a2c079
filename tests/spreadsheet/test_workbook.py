"""LibreOffice computes every formula, and finds the numbers of the package and of plain loops."""

import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from workbooks import Workbook, Worksheet, needs_office

import titanic_nn
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.nets.batch import Batch
from titanic_nn.nets.losses import LOSSES
from titanic_nn.nets.relu import ReLUNet
from titanic_nn.runs.folder import read_tables

pytestmark = pytest.mark.slow
ROWS, STEPS, UNITS, INPUTS = 24, 30, 3, 6
# Functions of Excel 2010 that LibreOffice and Google Sheets have as well.
FUNCTIONS = {
    *("AND", "AVERAGE", "COLUMN", "EXACT", "EXP", "FIND", "IF", "IFERROR", "INDEX", "LEFT", "LEN"),
    *("LN", "MAX", "MID", "MIN", "MMULT", "RIGHT", "ROW", "SUBSTITUTE", "SUM", "SUMPRODUCT"),
    *("TEXT", "TRIM"),
}


@needs_office
@pytest.mark.parametrize("name", ["titanic", "clinic"])
def test_every_formula_has_the_value_that_is_computed(
    name: str, stored: dict[str, Workbook], computed: dict[str, Workbook]
) -> None:
    for sheet, ours in stored[name].items():
        its = computed[name][sheet]
        assert its.formulas.keys() == ours.formulas.keys()
        for place, formula in ours.formulas.items():
            value, found = ours.values.get(place, ""), its.values.get(place, "")
            expected = pytest.approx(value, abs=1e-9) if isinstance(value, float) else value
            assert found == expected, (sheet, place, formula)


@needs_office
@pytest.mark.parametrize("net", ["linear", "relu"])
@pytest.mark.parametrize("run", ["titanic", "clinic"])
def test_the_probabilities_are_the_models(
    run: str, net: str, computed: dict[str, Workbook], home: Path
) -> None:
    tables, sheet = read_tables(home / "runs" / run), computed[run][net]
    model = titanic_nn.load(home / "runs" / run / "models" / net)
    expected = model.predict_proba(tables.train)[:ROWS, 1]
    p = results(sheet, "calibrated")
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-6)
    y = tables.y[:ROWS]
    assert sheet.values[3, 6] == pytest.approx(float(log_loss(y, p)), abs=1e-9)
    assert sheet.values[4, 6] == pytest.approx(np.mean((p >= 0.5) == y), abs=1e-9)
    assert p.std() > 0.01


@needs_office
@pytest.mark.parametrize("net", ["linear", "relu"])
def test_held_out_probabilities_are_those_of_the_run(
    net: str, computed: dict[str, Workbook], home: Path
) -> None:
    sheet, y = computed["titanic"][net], read_tables(home / "runs/titanic").y[:ROWS]
    oof = pd.read_csv(home / "runs/titanic/oof.csv").groupby("PassengerId")[net].mean()
    p = oof[results(sheet, "PassengerId")]
    np.testing.assert_allclose(results(sheet, "held out", 1), p, atol=1e-9)
    assert sheet.values[3, 7] == pytest.approx(float(log_loss(y, p)), abs=1e-9)


@needs_office
@pytest.mark.parametrize("name", ["titanic", "edited"])
def test_every_gradient_is_the_packages_and_autograds(
    name: str, computed: dict[str, Workbook]
) -> None:
    sheet = computed[name]["train"]
    x, y = rows_of(sheet)
    weights = torch.full_like(y, 1 / ROWS)
    batch = Batch(x, y, weights, lambda _, shape: torch.zeros(shape))
    for number in (0, 1, STEPS // 2, STEPS - 1):
        params, found = block(sheet, number, 0), block(sheet, number, 1)
        ours = ReLUNet(UNITS).gradients(params, batch, LOSSES["cross_entropy"])
        _, autograds = loss_and_gradients(params, x, y)
        for key in params:
            torch.testing.assert_close(found[key], ours[key], atol=1e-9, rtol=0)
            torch.testing.assert_close(found[key], autograds[key], atol=1e-9, rtol=0)


@needs_office
@pytest.mark.parametrize(("name", "rate"), [("titanic", 1.0), ("edited", 0.25)])
def test_thirty_steps_end_where_a_plain_loop_ends(
    name: str, rate: float, computed: dict[str, Workbook]
) -> None:
    sheet = computed[name]["train"]
    x, y = rows_of(sheet)
    params, losses = block(sheet, 0, 0), []
    for _ in range(STEPS + 1):
        loss, gradients = loss_and_gradients(params, x, y)
        losses.append(loss)
        params = {key: p - rate * gradients[key] for key, p in params.items()}
    row, column = sheet.find("steps taken")
    curve = sheet.numbers((row, column + 1), 2, STEPS + 1)
    assert curve[0].tolist() == list(range(STEPS + 1))
    np.testing.assert_allclose(curve[1], losses, atol=1e-9)
    assert losses[-1] < losses[0] - 0.1


@needs_office
@pytest.mark.parametrize("net", ["linear", "relu"])
def test_a_changed_age_moves_one_probability_as_python_says(
    net: str, computed: dict[str, Workbook], home: Path
) -> None:
    before, after = (results(computed[n][net], "calibrated") for n in ("titanic", "edited"))
    changed = read_tables(home / "runs/titanic").train
    assert changed.loc[12, "Age"] == 33
    changed.loc[12, "Age"] = 61.0
    model = titanic_nn.load(home / "runs/titanic/models" / net)
    np.testing.assert_allclose(after, model.predict_proba(changed)[:ROWS, 1], rtol=0, atol=1e-6)
    assert np.flatnonzero(np.abs(after - before) > 1e-4).tolist() == [12]


@pytest.mark.parametrize("name", ["titanic", "clinic"])
def test_formulas_are_those_of_every_program(name: str, stored: dict[str, Workbook]) -> None:
    texts = [text for sheet in stored[name].values() for text in sheet.formulas.values()]
    assert len(texts) > 5000
    calls = (re.findall(r"([A-Z][A-Z0-9.]*)\(", re.sub('".*?"', "", text)) for text in texts)
    assert {function for found in calls for function in found} <= FUNCTIONS
    assert max(map(len, texts)) < 8192  # the most that Excel takes


@pytest.mark.parametrize("name", ["titanic", "clinic"])
def test_every_formula_has_a_stored_value(name: str, stored: dict[str, Workbook]) -> None:
    # The empty text, of a feature that a row lacks, is stored as nothing.
    for title, sheet in stored[name].items():
        assert title == "features" or sheet.formulas.keys() <= sheet.values.keys()
    errors = [v for sheet in stored[name].values() for v in sheet.values.values()]
    assert not {error for error in errors if error in ("#NAME?", "#VALUE!", "#NUM!", "nan")}


def test_a_text_of_the_table_is_never_a_formula(stored: dict[str, Workbook], home: Path) -> None:
    sheet, table = stored["titanic"]["passengers"], read_tables(home / "runs/titanic").train
    row, column = sheet.find("Name")
    shown = [sheet.values[row + 1 + r, column] for r in range(ROWS)]
    assert shown == table["Name"][:ROWS].tolist()
    assert str(shown[0]).startswith("=cmd|")
    assert not sheet.formulas
    _, column = sheet.find("Cabin")
    assert sheet.values[row + 5, column] == "=A1"
    texts = [text for s in stored["titanic"].values() for text in s.formulas.values()]
    assert not [text for text in texts if "cmd" in text]


def test_nothing_is_hidden_and_every_sheet_is_there(books: dict[str, Path]) -> None:
    sheets = ["read me", "passengers", "features", "fitted", "linear", "relu", "train", "multiply"]
    with ZipFile(books["titanic"]) as book:
        names = re.findall(r'<sheet name="(.*?)"', book.read("xl/workbook.xml").decode())
        text = b"".join(book.read(part) for part in book.namelist() if part.endswith(".xml"))
        charts = [part for part in book.namelist() if part.startswith("xl/charts/chart")]
        comments = [part for part in book.namelist() if part.startswith("xl/comments")]
    assert names == sheets
    assert (len(charts), len(comments)) == (3, 6)
    assert b"hidden=" not in text
    assert b't="array"' not in text
    for name in ("learning_rate", "linear_slope", "relu_intercept", "chosen_row"):
        assert f'name="{name}"'.encode() in text


def results(sheet: Worksheet, head: str, number: int = 0) -> np.ndarray:
    """The numbers below a head of the results, (ROWS,)."""
    row, column = sheet.find(head, number)
    return sheet.numbers((row + 1, column), ROWS)[:, 0]


def rows_of(sheet: Worksheet) -> tuple[Tensor, Tensor]:
    """The small net's inputs (ROWS, INPUTS) and labels (ROWS, 1)."""
    row, column = sheet.find("Survived")
    both = torch.from_numpy(sheet.numbers((row + 1, column - INPUTS), ROWS, INPUTS + 1))
    return both[:, :INPUTS], both[:, INPUTS:]


def block(sheet: Worksheet, step: int, which: int) -> dict[str, Tensor]:
    """The small net's parameters before a step (which = 0), or their gradients (1), by name."""
    row, column = sheet.find(f"step {step + 1}")
    lines = INPUTS + 3
    values = sheet.numbers((row + 3 + which * (lines + 2), column), lines, UNITS)
    w1, b1, w2, b2 = np.split(values, [INPUTS, INPUTS + 1, INPUTS + 2])
    named = {"w1": w1, "b1": b1, "w2": w2.T, "b2": b2[:, :1]}
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in named.items()}


def loss_and_gradients(
    params: dict[str, Tensor], x: Tensor, y: Tensor
) -> tuple[float, dict[str, Tensor]]:
    """The mean log loss of the small net, and autograd's gradients."""
    p = {key: value.clone().requires_grad_() for key, value in params.items()}
    h = torch.relu(x @ p["w1"] + p["b1"])
    loss = binary_cross_entropy_with_logits(h @ p["w2"] + p["b2"], y)
    return loss.item(), dict(zip(p, torch.autograd.grad(loss, [*p.values()]), strict=True))
