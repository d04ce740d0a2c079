"""Sliders that work without a kernel: what is written, and what a browser makes of it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import errors, needs_browser, resize
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from titanic_nn.errors import ConfigError
from titanic_nn.plots import Sliders

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_how_a_neural_net_works.ipynb"
STARTS = {"a": (1.5, -1, 5), "b": (1.5, -1, 5)}
LINE = {"a * x + b": "#D55E00"}
X = np.linspace(-2, 2, 9)
Y = np.sin(X)
FIT = Sliders(STARTS, LINE, (-2, 2), (-5, 5), points=list(zip(X, Y, strict=True)))


def test_the_same_sliders_are_the_same_text_and_load_nothing() -> None:
    text = FIT._repr_html_()
    assert text == Sliders(STARTS, LINE, (-2, 2), (-5, 5), FIT.points)._repr_html_()
    assert text != Sliders(STARTS, LINE, (-2, 2), (-5, 6), FIT.points)._repr_html_()
    assert not re.findall(r"\bsrc\b|\bhref\b|@import|url\((?!#)|fetch|https?://(?!www\.w3)", text)
    # Without scripts and styles, as GitHub shows it, one sentence is left.
    left = re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert re.sub(r"<[^>]+>", "", left).strip().startswith("The sliders need a page that runs")


def test_a_title_is_no_markup_and_no_marker() -> None:
    text = Sliders(STARTS, LINE, (0, 1), (0, 1), title="</script><b>DATA ID")._repr_html_()
    assert text.count("</script>") == 1
    assert "<b>" not in text
    assert r"\u003c/script>\u003cb>DATA ID" in text


@pytest.mark.parametrize(
    ("sliders", "curve", "said"),
    [
        ({"x": (0, 0, 1)}, "x", "slider 'x'"),
        ({"a b": (0, 0, 1)}, "x", "slider 'a b'"),
        ({"a": (0, 0, 1)}, "a * z", r"curve 'a \* z'"),
        ({"a": (0, 0, 1)}, "alert(1)", "curve"),
        ({"a": (0, 0, 1)}, "a</script>", "curve"),
        ({"a": (0, 0, 1)}, "", "curve"),
    ],
)
def test_what_is_no_name_or_no_arithmetic_is_refused(
    sliders: dict[str, tuple[float, float, float]], curve: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Sliders(sliders, {curve: "red"}, (0, 1), (0, 1))


def open_page(browser: Chrome, path: Path, *outputs: str) -> None:
    head = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    path.write_text(head + "".join(outputs), encoding="utf-8")
    browser.get(path.as_uri())


def move(browser: Chrome, name: str, steps: int) -> None:
    """Move a slider by so many steps of 0.1, as a user with a keyboard."""
    slider = browser.find_element(By.NAME, name)
    slider.send_keys((Keys.ARROW_RIGHT if steps > 0 else Keys.ARROW_LEFT) * abs(steps))


def heights(browser: Chrome, curve: int) -> list[float]:
    """How far down each point of a curve of the last picture is, from left to right."""
    paths = browser.find_elements(By.TAG_NAME, "svg")[-1].find_elements(By.TAG_NAME, "path")
    drawn = paths[curve].get_attribute("d") or ""
    return [float(pair.split()[1]) for pair in drawn[1:].split("L")]


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_slider_moves_the_curve_and_its_errors(
    browser: Chrome, tmp_path: Path, width: int
) -> None:
    resize(browser, width)
    # A notebook may show one output twice.
    open_page(browser, tmp_path / "page.html", FIT._repr_html_(), FIT._repr_html_())
    for steps, a in ((0, 1.5), (3, 1.8), (-10, 0.8)):
        move(browser, "a", steps)
        off = a * X + 1.5 - Y
        expected = f"error {abs(off).mean():.2f}, mean squared error {(off**2).mean():.2f}"
        title, other = (
            next(t for t in svg.text.splitlines() if "error" in t)
            for svg in browser.find_elements(By.TAG_NAME, "svg")
        )
        assert title == f"mean absolute {expected}"
        assert browser.find_element(By.TAG_NAME, "output").text == f"{a:.1f}"
    assert other != title  # each has its own
    assert errors(browser) == []
    assert len(browser.find_elements(By.TAG_NAME, "circle")) == 2 * len(X)
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


@needs_browser
def test_the_sliders_of_notebook_01_work_without_a_kernel(browser: Chrome, tmp_path: Path) -> None:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    outputs = [output for cell in document["cells"] for output in cell.get("outputs", [])]
    saved = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    of_sliders = [text for text in saved if "sliders-" in text]
    assert len(of_sliders) == 2
    resize(browser, 1280)
    open_page(browser, tmp_path / "page.html", *of_sliders)
    # As the cell with the three guesses prints it.
    guesses = "mean absolute error 2.48, mean squared error 10.61"
    assert guesses in browser.find_element(By.TAG_NAME, "svg").text

    total = heights(browser, -1)
    assert min(total) == total[-1]  # the highest point is the last
    move(browser, "k2", -30)
    total = heights(browser, -1)
    assert min(total) < min(total[0], total[-1])
    assert total.index(min(total)) == 100  # of 201: a hump at x = 0
    assert errors(browser) == []
