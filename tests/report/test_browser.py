"""The report in a real browser, wide and narrow, without a network."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import errors, needs_browser, resize
from matplotlib.image import imread
from numpy.typing import NDArray
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from titanic_nn.report.page import write_report

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "report.html").as_uri()


def open_page(browser: Chrome, run: Path, width: int, scheme: str = "light") -> None:
    """A run's report in a window, or on a phone, in one of the two colour schemes."""
    resize(browser, width)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    browser.get((run / "report.html").as_uri())


def pixels(element: WebElement) -> NDArray[np.float64]:
    """An element as it is seen: (height, width) grey values, 0 black to 1 white."""
    seen: NDArray[np.float64] = imread(io.BytesIO(element.screenshot_as_png))[..., :3].mean(axis=2)
    return seen


@pytest.mark.parametrize("width", [1280, 390])
def test_no_error_and_every_picture_is_seen(browser: Chrome, page: str, width: int) -> None:
    resize(browser, width)
    browser.get(page)
    assert errors(browser) == []
    pictures = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(pictures) >= 9
    for picture in pictures:
        assert picture.is_displayed()
        assert picture.size["width"] > 300
        assert picture.size["height"] > 150
    # The page itself never scrolls sideways; wide tables do, in their own frame.
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_a_page_with_every_answer_never_scrolls_sideways(
    browser: Chrome, asked: Path, width: int
) -> None:
    open_page(browser, asked, width)
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_can_be_scrolled_shows_it(
    browser: Chrome, finished: Path, scheme: str
) -> None:
    open_page(browser, finished, 390, scheme)
    for frame in browser.find_elements(By.CLASS_NAME, "scroll"):
        assert browser.execute_script("return arguments[0].scrollWidth", frame) > 390
        # The table's own words and lines are not meant.
        browser.execute_script("arguments[0].firstElementChild.style.opacity = 0", frame)
        shaded = pixels(frame)
        assert abs(shaded[:, -1] - shaded[:, shaded.shape[1] // 2]).min() > 0.1
        browser.execute_script("arguments[0].scrollLeft = 9999", frame)
        at_the_end = pixels(frame)
        assert abs(at_the_end[:, -1] - at_the_end[:, -40]).max() < 0.02
        # Its first column, which names the rows, stays.
        left = "return arguments[0].querySelector('td').getBoundingClientRect().left"
        assert browser.execute_script(left, frame) == frame.rect["x"]


def test_a_table_that_fits_shows_no_shade(browser: Chrome, finished: Path) -> None:
    open_page(browser, finished, 1280)
    for frame in browser.find_elements(By.CLASS_NAME, "scroll"):
        assert np.ptp(pixels(frame)[:, -20:]) < 0.02


@pytest.mark.parametrize("run", ["finished", "asked"])
def test_cards_fill_their_rows(browser: Chrome, run: str, request: pytest.FixtureRequest) -> None:
    open_page(browser, request.getfixturevalue(run), 1280)
    script = """return [...document.querySelectorAll(".pictures")].map((grid) => [
        grid.getBoundingClientRect().right,
        [...grid.children].map((card) => card.getBoundingClientRect().toJSON())])"""
    for right, cards in browser.execute_script(script):
        rows: dict[float, list[dict[str, float]]] = {}
        for card in cards:
            rows.setdefault(card["top"], []).append(card)
        for row in rows.values():
            assert row[-1]["right"] == pytest.approx(right, abs=1)
            assert {round(card["bottom"]) for card in row} == {round(row[0]["bottom"])}
        assert len(rows) == -(-len(cards) // 2)


def test_the_confusion_matrix_is_dark_on_a_dark_page(browser: Chrome, finished: Path) -> None:
    matrix = "[aria-label^='Confusion matrix']"
    brightness = []
    for scheme in ("light", "dark"):
        open_page(browser, finished, 1280, scheme)
        seen = pixels(browser.find_element(By.CSS_SELECTOR, matrix))
        brightness.append(float(seen.mean()))
    light, dark = brightness
    assert light > 0.6
    assert dark < 0.3


def test_nothing_is_fetched(browser: Chrome, page: str) -> None:
    browser.get(page)
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_text_in_pictures_follows_the_page(
    browser: Chrome, page: str, scheme: str, dark: bool
) -> None:
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    browser.get(page)
    script = """
        const text = document.querySelector("figure svg text");
        const style = getComputedStyle(text), body = getComputedStyle(document.body);
        const sum = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0);
        return [sum(style.fill), sum(body.backgroundColor)];
    """
    ink, paper = browser.execute_script(script)
    assert (ink > paper) == dark
    assert abs(ink - paper) > 400  # of 765: far apart


def test_a_name_is_not_markup(browser: Chrome, finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "<img src=x onerror=document.title=1>"))
    config = run / "settings.toml"
    config.write_text(f"# <script>document.title = 'taken'</script>\n{config.read_text()}")
    browser.get(write_report(run).resolve().as_uri())
    assert browser.title.startswith("<img src=x")
    assert f"Run {run.name}. " in browser.find_element(By.TAG_NAME, "header").text
    assert not browser.find_elements(By.CSS_SELECTOR, "img, script")
