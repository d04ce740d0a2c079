"""A competition: its name, its folder, the passengers whose fate is asked, and known scores."""

import math
import re
from pathlib import Path

from titanic_nn.errors import DataError, ConfigError
from titanic_nn.tables.sources import SEARCH, TEST, TRAIN, ZIP, Passengers, load_passengers

TITANIC = "titanic"

# Public scores that a Titanic score can be held against, in rising order.
MARKS = ((0.76555, "the sex rule"), (0.77511, "the board's median"), (0.797, "the top 5 %"))


def check_name(competition: str) -> str:
    """Return the name if it can be one.

    Raises:
        SettingsError: it holds what no name does, so that no path can be made of it either.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", competition):
        raise ConfigError(
            f"--competition {competition!r}: expected a name as in the address of its page, "
            "small letters, digits and hyphens"
        )
    return competition


def data_folder(competition: str) -> Path:
    """Where its files lie: data/kaggle for Titanic, data/kaggle-<name> for another."""
    return Path("data/kaggle" if competition == TITANIC else f"data/kaggle-{competition}")


def competition_passengers(competition: str) -> Passengers:
    """The competition's own tables; never the bundled ones.

    Raises:
        DataError: they are not there, or broken.
    """
    folder = data_folder(competition)
    search = tuple(item for item in SEARCH if item[0] != "bundled")
    if competition != TITANIC:
        search = (("downloaded", folder),)
    if not any((place / name).exists() for _, place in search for name in (TRAIN, TEST, ZIP)):
        option = "" if competition == TITANIC else f" --competition {competition}"
        raise DataError(
            f"{folder}: has no tables of {competition} to check against; "
            f"get them with `python -m titanic_nn.cli.download{option}`"
        )
    return load_passengers(search=search)


def standing(score: str, rows: int, competition: str) -> str:
    """A public score with the uncertainty of its passengers, and where it stands."""
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        return f"public score {score}"  # not a share of passengers
    # A 95 % interval: 1.96 standard errors of a share of `rows` passengers.
    margin = 1.96 * (value * (1 - value) / rows) ** 0.5
    text = f"public score {score} ± {margin:.3f} (95 %, {rows} passengers)"
    if competition != TITANIC:
        return text
    beaten = [f"{name} ({mark})" for mark, name in MARKS if value > mark]
    level = [f"{name} ({mark})" for mark, name in MARKS if value == mark]
    missed = [f"{name} ({mark})" for mark, name in MARKS if value < mark]
    held_against = [("above", beaten[-1:]), ("level with", level), ("below", missed[:1])]
    return text + ": " + ", ".join(f"{how} {names[0]}" for how, names in held_against if names)
