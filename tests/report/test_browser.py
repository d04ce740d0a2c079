"""The report in a real browser, wide and narrow, without a network."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from titanic_nn.report.page import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no chromium with chromedriver: apt-get install chromium-driver",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = Options()
    options.binary_location = str(BROWSER)
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root, as in a container, has none
        options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "report.html").as_uri()


def errors(browser: Chrome) -> list[dict[str, object]]:
    """What the browser's console holds."""
    return list(browser.get_log("browser"))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_error_and_every_picture_is_seen(browser: Chrome, page: str, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
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
