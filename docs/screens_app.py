"""The picture of the app in docs/: `python docs/screens_app.py RUN` writes docs/app.png.

It serves a run's app, and takes a picture of it in a headless Chromium.
"""

import io
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen

from PIL import Image
from selenium.webdriver.common.by import By

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import resize, start_browser

WIDTH, HEIGHT = 1280, 900  # pixels
COLOURS = 64  # of the picture, which stays small
SECONDS = 60  # until the page is there


def app_screen(run: Path, picture: Path) -> None:
    """Write a picture of a run's app."""
    command = [sys.executable, "-m", "titanic_nn", "app", str(run), "--port", "0"]
    with Popen(command, stdout=PIPE, text=True) as process, tempfile.TemporaryDirectory() as folder:
        try:
            assert process.stdout
            url = process.stdout.readline().split()[1]
            browser = start_browser(Path(folder) / "profile")
            try:
                resize(browser, WIDTH)
                browser.get(url)
                end = time.monotonic() + SECONDS
                while not browser.find_elements(By.CSS_SELECTOR, ".answer svg"):
                    assert time.monotonic() < end, f"{url}: no answer is shown"
                    time.sleep(0.1)
                time.sleep(1)  # for fonts and layout
                png = browser.get_screenshot_as_png()
            finally:
                browser.quit()
        finally:
            process.terminate()
    shown = Image.open(io.BytesIO(png)).convert("RGB").crop((0, 0, WIDTH, HEIGHT))
    shown.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    app_screen(Path(sys.argv[1]), Path(__file__).parent / "app.png")
