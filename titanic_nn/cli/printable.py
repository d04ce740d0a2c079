"""The console that commands print to, apart from console.py, which needs no rich for --help."""

import re
from collections.abc import Iterator
from textwrap import fill
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from titanic_nn.escape import printable_lines

# On one line: a command, to be copied; a number and its sign.
WHOLE = re.compile(r"`[^`]*`|(?<=\d) %|± (?=\d)")


class PrintableConsole(Console):
    """A Console whose styles are its own: a code in a text is shown as an escape."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print; text is wrapped at words; what matches WHOLE stays on one line."""
        if all(isinstance(part, str) for part in objects):
            if self.is_terminal and not soft_wrap:
                objects = tuple(map(self._wrapped, objects))
            soft_wrap = True
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def _wrapped(self, text: str) -> str:
        return "\n".join(map(self._wrapped_line, printable_lines(text).split("\n")))

    def _wrapped_line(self, line: str) -> str:
        whole = WHOLE.sub(lambda match: match[0].replace(" ", "\0"), line)
        wrapped = fill(whole, max(1, self.width), break_long_words=False, break_on_hyphens=False)
        return wrapped.replace("\0", " ")

    def render_str(self, text: str, **options: Any) -> Text:
        """Text as it is laid out."""
        return super().render_str(printable_lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Text as it is written, whatever it was made by."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)
