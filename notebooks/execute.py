"""Run the notebooks from top to bottom, as CI does: `make notebooks`.

If a cell fails, or takes over two minutes, the exit code is 1. With `--write` the notebooks keep
their new outputs, without what changes from run to run (memory addresses, widgets, versions).
"""

import argparse
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from traitlets.config import Config

HERE = Path(__file__).parent
LIMIT = 120  # seconds per cell
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Run the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--write", action="store_true", help="write the new outputs")
    parser.add_argument("--folder", type=Path, default=HERE, help="run them here (notebooks/)")
    args = parser.parse_args()
    failed = False
    for path in args.notebooks:
        start = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            execute(notebook, args.folder)
        except (CellExecutionError, CellTimeoutError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed = True
            continue
        if args.write:
            nbformat.write(without_noise(notebook), path)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    sys.exit(failed)


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
