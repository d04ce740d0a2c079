"""The few exceptions that a user sees: each message is one clear line that says what to do."""

import difflib
from collections.abc import Iterable


class TitanicError(Exception):
    """A mistake that the user can mend. The commands print its message and exit with code 2."""

    help = ""  # lines that they print below the message


class DataError(TitanicError):
    """A table that is missing or malformed: names file, line, column and value where it can."""


class WriteError(TitanicError):
    """A file or folder that cannot be written: the disk is full, the place taken or read-only."""


class ModelError(TitanicError):
    """A saved model that is missing, damaged, changed, or of a newer version."""


class ConfigError(TitanicError):
    """A setting that is unknown, out of range, or that would have no effect."""


class DivergenceError(TitanicError, ValueError):
    """A net whose training diverged: its parameters or outputs are no longer finite.

    A ValueError too, as scikit-learn's own nets raise.
    """


class DeviceError(TitanicError):
    """A device that was asked for and cannot be used."""


class StudyError(TitanicError):
    """A study that cannot be opened, read or continued."""


class CredentialsError(TitanicError):
    """Kaggle's credentials are missing, malformed, or refused."""


class SubmissionError(TitanicError):
    """A submission that must not be sent, or that Kaggle does not take from this user."""


class KaggleError(TitanicError):
    """Kaggle, or the way to it, failed: not the user's to mend. The commands exit with code 3."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the known one that is nearest, if one is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
