"""README and docs/ are true: code runs, links lead somewhere, commands and options exist.

tests/cli/test_terminal.py compares the samples of output with what is printed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from titanic_nn.__main__ import COMMANDS
from titanic_nn.config import Config

REPO = Path(__file__).parents[1]
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((REPO / "docs").glob("*.md")))]


def blocks(language: str, page: str = "README.md") -> list[str]:
    text = (REPO / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks("python") + blocks("python", "docs/runs.md"))
def test_the_python_code_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("toml", blocks("toml", "docs/runs.md"))
def test_the_settings_are_settings(toml: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(toml, encoding="utf-8")
    assert Config.from_toml(tmp_path / "settings.toml").nets["deep"].activation == "gelu"


def test_the_tree_names_what_is_there() -> None:
    (tree,) = blocks("text", "docs/structure.md")
    _, *lines = tree.splitlines()
    named = {line.split()[0].rstrip("/") for line in lines if line.startswith("  ")}
    present = {
        path.name for path in (REPO / "titanic_nn").iterdir() if not path.name.startswith("__")
    }
    assert named == present - {"py.typed"}
    for line in lines:
        assert line.startswith("  ") or (REPO / line.split()[0]).is_dir()


def test_the_front_page_is_short() -> None:
    assert len((REPO / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (REPO / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:\s]+)\)", text):
        assert (REPO / page).parent.joinpath(link).exists(), link


def make_links(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(root / "docs" / "make_links.py"), *options]
    return subprocess.run(script, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What has the repository's address, to change."""
    for name in ("docs", "notebooks"):
        shutil.copytree(REPO / name, tmp_path / name)
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(REPO / name, tmp_path)
    return tmp_path


def test_the_repositorys_address_is_that_of_pyproject() -> None:
    done = make_links(REPO, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_another_address_is_written_everywhere(checkout: Path) -> None:
    project = checkout / "pyproject.toml"
    old = tomllib.loads(project.read_text("utf-8"))["project"]["urls"]["Repository"]
    new = "https://github.com/some-one/a.net_2"
    project.write_text(project.read_text("utf-8").replace(old, new), "utf-8")
    done = make_links(checkout, "--check")
    assert done.returncode == 1
    assert done.stderr.startswith("README.md, docs/install.md, notebooks/01_how_a_neural_net_works")
    assert make_links(checkout).returncode == 0
    assert make_links(checkout, "--check").returncode == 0

    readme = (checkout / "README.md").read_text("utf-8")
    notebooks = sorted((checkout / "notebooks").glob("*.ipynb"))
    for path in (checkout / "notebooks").glob("[0-9]*.ipynb"):
        page = f"some-one/a.net_2/blob/main/notebooks/{path.name})"
        assert f"(https://colab.research.google.com/github/{page}" in readme
        assert f"(https://kaggle.com/kernels/welcome?src=https://github.com/{page}" in readme
    assert f"$ git clone {new} && cd" in readme
    for path in (checkout / "README.md", *checkout.glob("docs/*.md"), *notebooks):
        assert old not in path.read_text("utf-8")


@pytest.mark.parametrize("address", ["https://gitlab.com/a/b", "https://github.com/a/b.git", "a"])
def test_an_address_whose_notebooks_colab_cannot_open_is_refused(
    checkout: Path, address: str
) -> None:
    project = checkout / "pyproject.toml"
    text = re.sub(r'Repository = ".*"', f'Repository = "{address}"', project.read_text("utf-8"))
    project.write_text(text, "utf-8")
    before = (checkout / "README.md").read_text("utf-8")
    done = make_links(checkout)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"'{address}' is not of the form https://github.com/OWNER/NAME" in done.stderr
    assert (checkout / "README.md").read_text("utf-8") == before


def test_make_lab_opens_the_first_notebook_for_this_machine_only() -> None:
    makefile = (REPO / "Makefile").read_text("utf-8")
    (recipe,) = re.findall(
        r"^lab: \$\(VENV\)/\.installed-notebooks.*\n\t(.*)$", makefile, re.MULTILINE
    )
    assert recipe.startswith("$(BIN)/jupyter-lab --ip=127.0.0.1 notebooks/")
    notebook, more = recipe.split()[2:]
    assert more == "$(ARGS)"
    assert REPO / notebook == min((REPO / "notebooks").glob("*.ipynb"))
    extras = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [line.split(">")[0] for line in extras["optional-dependencies"]["notebooks"]]
    assert wanted == ["ipywidgets", "jupyterlab"]


@pytest.mark.parametrize("page", PAGES)
def test_the_make_targets_exist(page: str) -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|\$ )make ([\w-]+)", (REPO / page).read_text("utf-8"))):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def options(parser: argparse.ArgumentParser) -> set[str]:
    """A command's options, and those of its own commands."""
    found = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(options, action.choices.values()))
    return found


OPTIONS = {name: options(import_module(f"titanic_nn.cli.{name}").PARSER) for name in COMMANDS}
# Those of a benchmark stand in its source.
BENCHMARKS = "".join(path.read_text("utf-8") for path in (REPO / "benchmarks").glob("*.py"))


def spans(page: str) -> list[str]:
    """What a page shows as code: the lines of its blocks, and what stands between backticks."""
    text = (REPO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [*inline, *(line for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_exist(page: str) -> None:
    for span in spans(page):
        command = re.search(r"(?:-m titanic_nn[. ]|titanic-nn )([a-z]\w*)(.*)", span)
        if command:
            name, rest = command.groups()
            assert name in OPTIONS, span
            options = re.findall(r"(?<!\S)--[a-z][\w-]*", rest.split("#")[0])
            assert OPTIONS[name].issuperset(options), span
        elif span.startswith("--"):
            option = re.split(r"[\s=]", span)[0]
            assert option in set().union(*OPTIONS.values()) or f'"{option}"' in BENCHMARKS, span
