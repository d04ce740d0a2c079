"""Write what the first command prints into README.md: the lines up to the first table's end.

python docs/make_readme.py            # runs `train` on the bundled table
python docs/make_readme.py --check    # exits with 1 if README shows other numbers
"""

import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(<!-- train-output -->\n```text\n)(.*?)(```)", re.DOTALL)
SECONDS = re.compile(r"\d+\.\d s\b")


def main() -> None:
    """Run the command, and write or compare."""
    printed = first_table(output())
    text = README.read_text(encoding="utf-8")
    found = BLOCK.search(text)
    assert found, "README.md has no place for the output"
    if "--check" not in sys.argv:
        README.write_text(BLOCK.sub(lambda m: m[1] + printed + m[3], text), encoding="utf-8")
    elif SECONDS.sub("", found[2]) != SECONDS.sub("", printed):
        sys.exit(f"README.md shows another run than this one; run docs/make_readme.py\n{printed}")


def output() -> str:
    """What a default run prints into a file, its paths as in a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "titanic_nn.train", "--out", "run"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.replace(str(README.parent) + "/", "")


def first_table(printed: str) -> str:
    """The lines up to the empty one after the first table, at most 120 characters long."""
    blocks = printed.split("\n\n")
    table = next(i for i, block in enumerate(blocks) if "log loss" in block and "─" in block)
    lines = "\n\n".join(blocks[: table + 1]).splitlines()
    return "".join(f"{part}\n" for line in lines for part in (textwrap.wrap(line, 120) or [""]))


if __name__ == "__main__":
    main()
