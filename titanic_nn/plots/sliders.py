"""Curves that sliders move, drawn by the page itself: they need no kernel."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from titanic_nn.errors import ConfigError

_PAGE = Path(__file__).with_name("sliders.html")
_NAME = re.compile(r"[a-z]\w*", re.ASCII)
_EXPRESSION = re.compile(r"[\w\s.,+*/()-]+", re.ASCII)


@dataclass(frozen=True, repr=False)
class Sliders:
    """Sliders below a picture of curves; a cell that ends in one displays it.

    The page that shows the output computes the curves, so it works in a saved notebook wherever
    scripts run. It loads nothing.

    Args:
        sliders: name -> its value at first, the lowest and the highest; steps of 0.1.
        curves: expression -> colour. An expression is arithmetic on `x`, the sliders' names and
            numbers, with `relu(m, b, x)`; it reads the same in Python. All but the last are dashed.
        x_range, y_range: the axes' limits.
        points: x and y of points; the title is then the last curve's mean errors there.
        title: the title without points.

    Raises:
        ConfigError: a name or an expression is none.
    """

    sliders: Mapping[str, tuple[float, float, float]]
    curves: Mapping[str, str]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    points: Sequence[tuple[float, float]] = ()
    title: str = ""

    def __post_init__(self) -> None:
        for name in self.sliders:
            if not _NAME.fullmatch(name) or name == "x":
                raise ConfigError(f"slider {name!r}: a name is letters and digits, and not x")
        for curve in self.curves:
            known = {"x", "relu", *self.sliders}
            unknown = [name for name in re.findall(r"[A-Za-z_]\w*", curve) if name not in known]
            if not _EXPRESSION.fullmatch(curve) or unknown:
                raise ConfigError(f"curve {curve!r}: is no arithmetic on x and the sliders' names")

    def _repr_html_(self) -> str:
        data = {
            "sliders": {name: [*map(float, value)] for name, value in self.sliders.items()},
            "x_range": self.x_range,
            "y_range": self.y_range,
            "points": [(round(float(x), 4), round(float(y), 4)) for x, y in self.points],
            "title": self.title,
        }
        names, last = ", ".join(self.sliders), len(self.curves) - 1
        curves = [
            f"{{ colour: {json.dumps(colour)}, dashed: {json.dumps(i < last)}, "
            f"at: (x, {{ {names} }}) => {curve} }}"
            for i, (curve, colour) in enumerate(self.curves.items())
        ]
        # No text ends the script: "<" is escaped in strings, and is in no expression.
        parts = {"DATA": json.dumps(data), "CURVES": f"[{', '.join(curves)}]"}
        parts = {name: text.replace("<", "\\u003c") for name, text in parts.items()}
        # One name per contents, so that the same sliders are always the same text.
        parts["ID"] = f"sliders-{sha256(''.join(parts.values()).encode()).hexdigest()[:8]}"
        page = _PAGE.read_text(encoding="utf-8")
        return re.sub(r"\b(DATA|CURVES|ID)\b", lambda match: parts[match[0]], page)
