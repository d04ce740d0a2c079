"""Makes docs/spreadsheet.png: the sheet `train` of a default run, as LibreOffice prints it.

    python docs/screens_spreadsheet.py

It needs LibreOffice (soffice) and Poppler (pdftoppm).
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

PICTURE = Path(__file__).parent / "spreadsheet.png"
PAGE = -2  # the last sheet but one is `train`
WIDTH, MARGIN, COLOURS = 1300, 12, 96
SHOWN = 0.76  # of the page's height: the first rows are enough


def main() -> None:
    """Train, write the workbook, and draw its sheet `train`."""
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["-m", "titanic_nn.train", "--out", "run", "--quiet"],
            ["-m", "titanic_nn", "spreadsheet", "run", "--out", "titanic.xlsx"],
        ):
            subprocess.run([sys.executable, *command], cwd=folder, check=True)
        spreadsheet_screen(Path(folder) / "titanic.xlsx", PICTURE)


def spreadsheet_screen(workbook: Path, picture: Path) -> None:
    """Draw the upper part of a workbook's sheet `train`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(workbook, Path(folder) / "workbook.xlsx")
        profile = f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}"
        office = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", folder]
        subprocess.run([*office, str(copy)], check=True, capture_output=True)
        pages = ["pdftoppm", "-r", "200", "-png", f"{folder}/workbook.pdf", f"{folder}/page"]
        subprocess.run(pages, check=True)
        page = sorted(Path(folder).glob("page-*.png"))[PAGE]
        drawn = _cropped(Image.open(page).convert("RGB"))
    drawn = drawn.resize(
        (WIDTH, round(drawn.height * WIDTH / drawn.width)), Image.Resampling.LANCZOS
    )
    shown = drawn.crop((0, 0, WIDTH, round(drawn.height * SHOWN)))
    shown.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


def _cropped(page: Image.Image) -> Image.Image:
    """Without the white around it."""
    box = ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox()
    assert box, "the page is empty"
    left, top, right, bottom = box
    return page.crop((left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN))


if __name__ == "__main__":
    main()
