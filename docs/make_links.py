"""Write the repository's address, `Repository` in pyproject.toml, wherever it is needed.

These are the lines that clone or install it, or link to it as [titanic_nn](...), in README.md,
docs/ and notebooks/, and the notebooks' badges in README.md.

python docs/make_links.py            # after the address was changed in pyproject.toml
python docs/make_links.py --check    # exits with 1 if a file has another address
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BRANCH = "main"
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")  # Colab opens notebooks of no other
USED = re.compile(r"(git clone |git\+|\[titanic_nn\]\()https://[\w./-]+")
# A row of the table of notebooks: its first two cells.
ROW = re.compile(r"^(\| \[\d\d\]\((notebooks/\S+\.ipynb)\) \| [^|]+ \|).*$", re.MULTILINE)
TITLE_ROWS = re.compile(r"^(\| notebook \| topic \|).*\n(\|---\|---\|).*$", re.MULTILINE)


def main() -> None:
    """Write or compare every file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    address = project["project"]["urls"]["Repository"]
    if not GITHUB.fullmatch(address) or address.endswith(".git"):
        sys.exit(f"pyproject.toml: {address!r} is not of the form https://github.com/OWNER/NAME")
    folders = [ROOT.glob("*.md"), ROOT.glob("docs/*.md"), ROOT.glob("notebooks/*.ipynb")]
    stale = []
    for path in (path for paths in folders for path in sorted(paths)):
        text = path.read_text(encoding="utf-8")
        linked = with_badges(USED.sub(rf"\g<1>{address}", text), address)
        if linked != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.write_text(linked, encoding="utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"{', '.join(stale)}: another address than {address}; run docs/make_links.py")


def with_badges(text: str, address: str) -> str:
    """A text whose tables of notebooks end with a column of badges."""
    text = TITLE_ROWS.sub(r"\1 open in |\n\2---|", text)
    return ROW.sub(lambda row: f"{row[1]} {badges(row[2], address)} |", text)


def badges(notebook: str, address: str) -> str:
    """The links that open a notebook in Colab and on Kaggle."""
    page = f"{address}/blob/{BRANCH}/{notebook}"
    colab = page.replace("https://github.com", "https://colab.research.google.com/github")
    kaggle = f"https://kaggle.com/kernels/welcome?src={page}"
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab}) [![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"({kaggle})"
    )


if __name__ == "__main__":
    main()
