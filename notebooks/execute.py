"""Run the notebooks from top to bottom, as CI does: `make notebooks`.

Those for Kaggle run in a folder of their own, with the bundled tables laid out as Kaggle attaches
its own. If a cell fails, or takes over two minutes, the exit code is 1. With `--write` they keep
their new outputs, without what changes from run to run (memory addresses, widgets, versions).
"""

import argparse
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from traitlets.config import Config

HERE = Path(__file__).parent
INPUT = "TITANIC_NN_KAGGLE_INPUT"  # the folder that is /kaggle/input there
LIMIT = 120  # seconds per cell
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Run the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--write", action="store_true", help="write the new outputs")
    parser.add_argument("--folder", type=Path, help="run them there")
    args = parser.parse_args()
    failed = False
    for path in args.notebooks:
        start = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            with place(path) as folder:
                execute(notebook, args.folder or folder)
        except (CellExecutionError, CellTimeoutError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed = True
            continue
        if args.write:
            nbformat.write(without_noise(notebook), path)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    sys.exit(failed)


@contextmanager
def place(path: Path) -> Iterator[Path]:
    """The folder that a notebook runs in: the notebooks', or one as on Kaggle's machines."""
    if not path.name.startswith("kaggle_"):
        yield HERE
        return
    with TemporaryDirectory() as machine:
        attached, working = Path(machine, "input"), Path(machine, "working")
        (attached / "titanic").mkdir(parents=True)
        working.mkdir()
        for name in ("train.csv", "test.csv"):
            shutil.copy(HERE.parent / "data/bundled" / name, attached / "titanic")
        os.environ[INPUT] = str(attached)
        try:
            yield working
        finally:
            del os.environ[INPUT]


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel, in a folder."""
    NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        config=Config(KernelManager={"transport_encryption": "auto"}),
        record_timing=False,
        coalesce_streams=True,  # one output per stream, however the prints arrived
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def without_noise(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what only a live kernel uses: widgets, versions, memory addresses."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = NotebookNode(
        kernelspec=kernel, language_info={"name": "python", "file_extension": ".py"}
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if WIDGET not in one.get("data", {})]
            for data in (one.get("data", {}) for one in cell.outputs):
                if "text/plain" in data:
                    data["text/plain"] = ADDRESS.sub("", data["text/plain"])
    return notebook


if __name__ == "__main__":
    main()
