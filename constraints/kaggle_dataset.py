"""Collect this package as a Kaggle Dataset, for notebooks that have no Internet.

    make kaggle-dataset OWNER=your-name          # or: python constraints/kaggle_dataset.py --help
    kaggle datasets create -p dist/titanic-nn-wheels

The folder holds our wheel, the wheels of what Kaggle's image lacks, and dataset-metadata.json. In a
notebook that has the dataset as input:

    !pip install --no-index --find-links /kaggle/input/titanic-nn-wheels titanic-nn
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

REPO = Path(__file__).parents[1]
IMAGE = REPO / "constraints/kaggle-2026-06.txt"  # what Kaggle's image holds
SLUG = "titanic-nn-wheels"
METADATA = "dataset-metadata.json"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")  # of Kaggle's machines


def pins(path: Path) -> dict[str, str]:
    """The versions that a file of constraints names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    named = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in named}


def dependencies() -> list[Requirement]:
    """What the package needs, without its extras."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def missing(image: Path) -> list[Requirement]:
    """The dependencies that an image lacks."""
    held = pins(image)
    return [need for need in dependencies() if canonicalize_name(need.name) not in held]


def collect(folder: Path, owner: str, python: str) -> None:
    """Make the dataset's folder; one that was made before is replaced.

    Raises ValueError or CalledProcessError, and then leaves the folder as it was.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{1,50}", owner):
        raise ValueError(f"--owner {owner!r}: is no name of a Kaggle user")
    others = [p.name for p in folder.iterdir() if p.suffix != ".whl"] if folder.exists() else []
    if folder.exists() and others != [METADATA]:
        raise ValueError(f"--folder {folder}: exists and is no such dataset; choose another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as temporary:
        new = Path(temporary) / "dataset"
        _run("-m", "hatchling", "build", "--target", "wheel", "--directory", str(new))
        if lacking := missing(IMAGE):
            _run(
                *("-m", "pip", "download", "--quiet", "--dest", str(new)),
                *("--only-binary", ":all:", "--python-version", python),
                *(f"--platform={platform}" for platform in PLATFORMS),
                *("--constraint", str(IMAGE), *map(str, lacking)),
            )
        held = pins(IMAGE)
        for wheel in new.glob("*.whl"):  # pip brings what the image has, too
            if parse_wheel_filename(wheel.name)[0] in held:
                wheel.unlink()
        metadata = {
            "title": "titanic-nn wheels",
            "id": f"{owner}/{SLUG}",
            "licenses": [{"name": "Apache 2.0"}],
        }
        (new / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=REPO, check=True, stdout=subprocess.PIPE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Collect this package as a Kaggle Dataset.")
    parser.add_argument("--owner", required=True, help="your name at Kaggle")
    parser.add_argument("--folder", type=Path, default=REPO / "dist" / SLUG)
    parser.add_argument("--python", default="3.12", help="the version of Kaggle's Python")
    args = parser.parse_args()
    folder: Path = args.folder.absolute()
    try:
        collect(folder, args.owner, args.python)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        parser.exit(2, f"kaggle_dataset: {error}\n")  # pip has said on stderr what failed
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:>9,} bytes  {path.name}")
    print(f"Next: kaggle datasets create -p {folder}")


if __name__ == "__main__":
    main()
