"""README is true: its code runs, and its tree is the tree."""

import re
from pathlib import Path

import pytest

from titanic_nn.config import Config

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_code_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("toml", blocks("toml"))
def test_the_settings_are_settings(toml: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(toml, encoding="utf-8")
    assert Config.from_toml(tmp_path / "settings.toml").nets["deep"].activation == "gelu"


def test_the_tree_names_what_is_there() -> None:
    (tree,) = (block for block in blocks("text") if block.startswith("titanic_nn/"))
    _, *lines = tree.splitlines()
    named = {line.split()[0].rstrip("/") for line in lines if line.startswith("  ")}
    present = {
        path.name for path in (REPO / "titanic_nn").iterdir() if not path.name.startswith("__")
    }
    assert named == present - {"py.typed"}
    for line in lines:
        assert line.startswith("  ") or (REPO / line.split()[0]).is_dir()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (REPO / link).exists()


def test_the_make_targets_exist() -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|\$ )make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
