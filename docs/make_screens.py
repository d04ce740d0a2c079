"""Take the screens of docs/ in a headless Chromium: `python docs/make_screens.py RUN`.

RUN is a run's folder, with its report and its page to play with.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import resize, start_browser  # noqa: E402

COLOURS = 128  # of a picture: enough for text and bars, and a third of the bytes
WAIT = "return document.querySelector('#why tr') && !document.querySelector('.wait')"

# Screen -> page of the run, width and height in pixels.
SCREENS = {
    "play.png": ("play.html", 1280, 1000),
    "report.png": ("report.html", 1280, 1000),
}


def main(run: Path) -> None:
    """Write every screen."""
    with tempfile.TemporaryDirectory() as profile:
        browser = start_browser(Path(profile))
        try:
            for name, (page, width, height) in SCREENS.items():
                (HERE / name).write_bytes(screen(browser, run / page, width, height))
        finally:
            browser.quit()


def screen(browser: Chrome, page: Path, width: int, height: int) -> bytes:
    """The top of a page as PNG, once what it computes is there."""
    resize(browser, width)
    browser.get(page.resolve().as_uri())
    if page.name == "play.html":
        WebDriverWait(browser, 20).until(lambda _: browser.execute_script(WAIT))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    picture = Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    file = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
