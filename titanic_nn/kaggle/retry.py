"""How long Kaggle is waited for."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from titanic_nn.errors import ConfigError


@dataclass(frozen=True)
class Patience:
    """All in seconds. The first two can be set from outside, for slow lines and for tests."""

    silence: float = 30.0  # TITANIC_NN_SILENCE: how long one call may say nothing
    pause: float = 1.0  # TITANIC_NN_PAUSE: before asking again; each pause is longer than the last
    longest_pause: float = 30.0
    total: float = 300.0  # the score, or Kaggle's "not now", is waited for no longer than this

    @classmethod
    def from_environment(cls, total: float = total) -> "Patience":
        """The defaults, or what the environment says.

        Raises:
            SettingsError: a variable that is not a positive number.
        """
        return cls(
            silence=min(_seconds("TITANIC_NN_SILENCE", cls.silence), total),
            pause=_seconds("TITANIC_NN_PAUSE", cls.pause),
            total=total,
        )

    def pauses(self) -> Iterator[float]:
        """Ever longer pauses, without end."""
        pause = self.pause
        while True:
            yield pause
            pause = min(1.5 * pause, self.longest_pause)


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{variable}={text!r}: expected a positive number of seconds")
    return seconds
