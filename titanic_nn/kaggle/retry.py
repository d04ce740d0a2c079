"""Timeouts, and pauses between tries of a call to Kaggle."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from titanic_nn.errors import ConfigError


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait, in seconds; environment variables override the first two."""

    call_timeout: float = 30.0  # for an answer; TITANIC_NN_CALL_TIMEOUT
    pause: float = 1.0  # before the first retry, 1.5 times as long for each other; TITANIC_NN_PAUSE
    longest_pause: float = 30.0
    total: float = 300.0  # for the score, and for calls that Kaggle asks to repeat later

    @classmethod
    def from_environment(cls, total: float = total) -> "RetryPolicy":
        """The defaults, or what the environment sets. Raises ConfigError for no positive number."""
        return cls(
            call_timeout=min(_seconds("TITANIC_NN_CALL_TIMEOUT", cls.call_timeout), total),
            pause=_seconds("TITANIC_NN_PAUSE", cls.pause),
            total=total,
        )

    def pauses(self) -> Iterator[float]:
        """Growing pauses, without end."""
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
