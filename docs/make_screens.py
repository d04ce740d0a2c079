"""Take the screens of docs/: `python docs/make_screens.py RUN`.

RUN is a finished run's folder. The pages need Chromium, the spreadsheet LibreOffice and pdftoppm.
"""

import base64
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from browser import resize, start_browser  # noqa: E402

from docs.screens_app import app_screen  # noqa: E402
from docs.screens_spreadsheet import spreadsheet_screen  # noqa: E402

EXPLAINED = "320"  # the id of a row of the training table
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
                reduced(screen(browser, run / page, width, height), HERE / name)
        finally:
            browser.quit()
    app_screen(run, HERE / "app.png")
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(run, Path(name) / "run")  # to which the explanation is written
        command("explain", copy, "--id", EXPLAINED)
        reduced(Image.open(copy / "explanation.png"), HERE / "explanation.png")
        command("spreadsheet", copy, "--out", Path(name) / "nets.xlsx")
        spreadsheet_screen(Path(name) / "nets.xlsx", HERE / "spreadsheet.png")


def command(*words: str | Path) -> None:
    """Run one of the package's commands."""
    line = [sys.executable, "-m", "titanic_nn", *map(str, words)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def screen(browser: Chrome, page: Path, width: int, height: int) -> Image.Image:
    """The top of a page, once what it computes is there."""
    resize(browser, width)
    browser.get(page.resolve().as_uri())
    if page.name == "play.html":
        WebDriverWait(browser, 20).until(lambda _: browser.execute_script(WAIT))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    return Image.open(io.BytesIO(base64.b64decode(taken["data"])))


def reduced(picture: Image.Image, path: Path) -> None:
    """Write a picture in few colours."""
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, "PNG", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
