"""Writes docs/api.md from the docstrings of what `titanic_nn` offers: `python docs/make_api.py`."""

import inspect
import re
from pathlib import Path
from typing import Any

import titanic_nn

PAGE = Path(__file__).parent / "api.md"
INTRODUCTION = """# The Python interface

Generated from the docstrings by `python docs/make_api.py`; every example runs as a test. `python -m
titanic_nn` lists the commands; each has a `--help`.
"""


def page() -> str:
    """The whole page as Markdown."""
    names = [name for name in titanic_nn.__all__ if not name.startswith("__")]
    contents = " · ".join(f"[{name}](#{name.lower()})" for name in names)
    entries = [_entry(name, getattr(titanic_nn, name)) for name in names]
    return "\n".join([INTRODUCTION, contents + "\n", *entries])


def _entry(name: str, thing: Any) -> str:
    parts = [f"## {name}", _call(name, thing), _markdown(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        for method in _methods(thing):
            doc = inspect.getdoc(getattr(thing, method)) or ""
            parts += [f"### {name}.{method}", _markdown(doc)]
    return "\n\n".join(parts) + "\n"


def _methods(cls: type) -> list[str]:
    """Public methods that the package defines, not those inherited from scikit-learn."""
    return [
        name
        for base in cls.__mro__
        if base.__module__.startswith("titanic_nn")
        for name, member in vars(base).items()
        if not name.startswith("_") and inspect.isfunction(inspect.unwrap(member))
    ]


def _call(name: str, thing: Any) -> str:
    """Its signature; on one line each, if there are many parameters."""
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except ValueError:
        return f"`{name}`"
    shown = [
        str(p.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty))
        + ("" if p.default is inspect.Parameter.empty else f"={_default(p.default)}")
        for p in parameters
    ]
    one_line = f"{name}({', '.join(shown)})"
    lines = [f"{name}(", *(f"    {one}," for one in shown), ")"]
    return "\n".join(["```python", *([one_line] if len(one_line) < 80 else lines), "```"])


def _default(value: Any) -> str:
    shown = repr(value).replace("'", '"')
    # Values that differ between machines are left out.
    return "..." if callable(value) or "Path(" in shown or " at 0x" in shown else shown


def _markdown(doc: str) -> str:
    """A docstring with `Args:` and the like as headed lists, and examples as code."""
    head, *sections = re.split(
        r"^(Args|Returns|Raises|Examples|Attributes(?:, after `fit`)?):\n", doc, flags=re.MULTILINE
    )
    parts = [head.strip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        text = inspect.cleandoc("\n" + body)
        if title == "Examples":
            parts.append(f"```python\n{text}\n```")
        else:
            parts.append(f"**{title}**\n\n{text if title == 'Returns' else _items(text)}")
    return "\n\n".join(parts)


def _items(text: str) -> str:
    """Lines `name: description` as a list; an indented line continues the item before."""
    lines: list[str] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(": ")
        if line.startswith(" ") or not colon:
            lines.append(f"  {line.strip()}" if lines else line)
        else:
            lines.append(f"- `{name}`: {rest}")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
