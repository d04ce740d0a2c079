"""What every test starts from: the same random state, whichever tests ran before it."""

import gc
import os
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core: further threads, of its commands too, would only wait. This counts
    # for the libraries that are imported below.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# The collector need not search what is imported once, nor after every 700 objects.
gc.freeze()
gc.set_threshold(100_000, 20, 100)

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # GPU kernels run in Triton's interpreter
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime from 1.29 on sends usage data


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    """A real browser; a file that asks for it has the mark `needs_browser`."""
    from browser import start_browser

    driver = start_browser(tmp_path_factory.mktemp("profile"))
    try:
        yield driver
    finally:
        driver.quit()
