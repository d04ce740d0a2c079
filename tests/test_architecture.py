"""The house keeps its walls: imports run down only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "titanic_nn"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Room -> what it may not import, by the beginning of the name.
FORBIDDEN = {
    "passengers": ("torch", "titanic_nn.nets", "titanic_nn.engine", "titanic_nn.evaluation"),
    "nets": (
        "pandas",
        "numpy",
        "sklearn",
        "titanic_nn.tables",
        "titanic_nn.engine",
        "titanic_nn.evaluation",
        "titanic_nn.config",
    ),
    "batched": ("pandas", "sklearn", "titanic_nn.tables", "titanic_nn.evaluation"),
    "estimators": (
        "titanic_nn.evaluation",
        "titanic_nn.kaggle",
        "titanic_nn.runs.folder",
        "rich",
    ),
    "evaluation": ("titanic_nn.kaggle", "titanic_nn.runs.folder", "rich"),
    "tuning": ("rich",),
    "plots": ("torch", "matplotlib.pyplot", "titanic_nn.nets", "titanic_nn.engine"),
    "kaggle": ("torch", "titanic_nn.nets", "titanic_nn.engine"),
}
COMMANDS = {
    path.stem
    for path in PACKAGE.glob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides where it leads"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b\ndef f():\n    from c import d\n")
    assert imports(module) == {"a.b", "c", "c.d"}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_run_down_only(room: str) -> None:
    paths = sorted((PACKAGE / room).glob("*.py"))
    assert paths
    for path in paths:
        upward = {name for name in imports(path) if within(name, FORBIDDEN[room])}
        assert not upward, f"{path.relative_to(PACKAGE)} imports {upward}"


def test_nothing_imports_a_command() -> None:
    assert "train" in COMMANDS
    commands = tuple(f"titanic_nn.{name}" for name in COMMANDS)
    for path in MODULES:
        assert not {name for name in imports(path) if within(name, commands)}, path


@pytest.mark.parametrize(
    ("library", "home"), [("kaggle", "kaggle/client.py"), ("optuna", "tuning")]
)
def test_one_place_speaks_to_a_library(library: str, home: str) -> None:
    users = {path for path in MODULES if any(within(name, (library,)) for name in imports(path))}
    assert all(path.is_relative_to(PACKAGE / home) for path in users)
