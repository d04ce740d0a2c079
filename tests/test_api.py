"""The API page is generated from the docstrings, and their examples run."""

import doctest
import importlib.util
from pathlib import Path

import pytest

import titanic_nn

DOCS = Path(__file__).parents[1] / "docs"
NAMES = [name for name in titanic_nn.__all__ if not name.startswith("__")]


def test_the_page_is_made_from_the_docstrings() -> None:
    spec = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    make_api = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_api)
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert page == make_api.page(), "run python docs/make_api.py"


@pytest.mark.parametrize("name", NAMES)
def test_its_examples_run(name: str) -> None:
    thing = getattr(titanic_nn, name)
    found = doctest.DocTestFinder(exclude_empty=False).find(thing, name)
    assert found[0].docstring
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in found:
        assert runner.run(example).failed == 0
