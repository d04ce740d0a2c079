"""Imports go down only, in every module; and what belongs to one room stays in it."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "titanic_nn"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# From the lowest layer to the highest: a module imports from its own layer and those above it here.
LAYERS = (
    ("errors", "escape", "files", "version"),
    ("nets",),
    ("config",),
    ("tables",),
    ("competitions",),
    ("engine",),
    ("estimators",),
    ("evaluation",),
    ("analysis",),
    ("plots",),
    ("runs",),
    ("tuning",),
    ("kaggle",),
    ("report", "play"),
    ("spreadsheet",),
    ("app",),
    ("cli",),
    ("train", "submit", "__main__", "__init__"),
)
# Library -> the only places that import it.
HOMES = {
    "kaggle": ("kaggle.client",),
    "optuna": ("tuning",),
    "rich": ("cli",),
    "triton": ("engine.backends.triton_kernel",),
    "numba": ("engine.backends.numba_loops",),
    "matplotlib": ("plots", "report.pictures"),
    "jinja2": ("play", "report"),
    "xlsxwriter": ("spreadsheet.workbook",),
    "gradio": ("app.page",),
    "fastapi": ("app.page",),
    "uvicorn": ("app.server",),
    "xgboost": ("evaluation.rivals",),
    "lightgbm": ("evaluation.rivals",),
    "catboost": ("evaluation.rivals",),
}
# Library -> the rooms that never import it.
NOT_IN = {
    "torch": ("config", "tables", "competitions", "plots", "runs.find", "kaggle", "nets.registry"),
    "pandas": ("nets", "engine", "config", "runs.find"),
    "sklearn": ("nets", "engine"),
    "matplotlib.pyplot": ("",),
}
# Words of one competition: columns, labels, peer groups, its rule.
TITANIC_WORDS = re.compile(
    r"\b(PassengerId|Pclass|SibSp|Parch|Embarked)\b|['\"](Name|Sex|Age|Ticket|Fare|Cabin)['\"]"
    r"|(?i:surviv|\bdied\b|passenger|companion|\bwom[ae]n\b|\btickets?\b|sex_rule|\bpeers\b)"
)


@cache
def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, or names in a string to import later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides where it leads"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
            found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name, colon, _ = node.value.partition(":")
            found |= {name} & MODULES.keys() if colon and "." in name else set()
    return found


def layer(module: str) -> int:
    room = [*module.split("."), "__init__"][1]
    return next(i for i, rooms in enumerate(LAYERS) if room in rooms)


def is_in(module: str, places: tuple[str, ...]) -> bool:
    names = [f"titanic_nn.{place}".rstrip(".") for place in places]
    return any(module == name or module.startswith(f"{name}.") for name in names)


def importers(library: str) -> set[str]:
    return {
        module
        for module, path in MODULES.items()
        if any(name == library or name.startswith(f"{library}.") for name in imports(path))
    }


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    text = "import a.b\ndef f():\n    from c import d\n    x = 'titanic_nn.nets.relu:ReLUNet'\n"
    module.write_text(text)
    assert imports(module) == {"a.b", "c", "titanic_nn.nets.relu"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_layer_and_below(module: str) -> None:
    upward = {
        name for name in imports(MODULES[module]) if name in MODULES and layer(name) > layer(module)
    }
    assert not upward


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {m: {n for n in imports(path) if n in MODULES} for m, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_home_only(library: str) -> None:
    users = importers(library)
    assert users
    assert not {module for module in users if not is_in(module, HOMES[library])}


@pytest.mark.parametrize("library", NOT_IN)
def test_a_room_does_without_a_library(library: str) -> None:
    assert not {module for module in importers(library) if is_in(module, NOT_IN[library])}


def test_no_room_but_its_own_names_what_is_titanics() -> None:
    # The second ship's columns have names of the first's.
    own = [PACKAGE / "competitions" / ship for ship in ("titanic", "spaceship")]
    for path in (*MODULES.values(), *PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.js")):
        if not any(path.is_relative_to(folder) for folder in own):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not TITANIC_WORDS.search(line), f"{path}, line {number}: {line.strip()}"
