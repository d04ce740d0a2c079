"""A real browser, headless, for tests that look at a page."""

import os
import shutil
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no chromium with chromedriver: apt-get install chromium-driver",
)


def start_browser(profile: Path) -> Chrome:
    """A browser that keeps its files in a folder; `quit` ends it."""
    options = Options()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root, as in a container, has none
        options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Service(DRIVER))


def resize(browser: Chrome, width: int) -> None:
    """A window of so many pixels, a phone's if it is narrow."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def errors(browser: Chrome) -> list[dict[str, object]]:
    """What the browser's console holds."""
    return list(browser.get_log("browser"))  # type: ignore[no-untyped-call]
