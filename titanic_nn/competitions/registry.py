"""Every competition by its slug: one line per competition.

A line names "module:object"; the module is imported when the competition is first asked for.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from titanic_nn.competitions.competition import Competition
from titanic_nn.config import Config, read_toml
from titanic_nn.errors import ConfigError
from titanic_nn.tables.sources import Tables

COMPETITIONS: dict[str, "str | Competition"] = {
    "titanic": "titanic_nn.competitions.titanic.competition:TITANIC",
    "spaceship-titanic": "titanic_nn.competitions.spaceship.competition:SPACESHIP",
}


def get_competition(slug: str) -> Competition:
    """The competition with this slug. Raises ConfigError where there is none."""
    found = COMPETITIONS.get(slug)
    if found is None:
        known = ", ".join(COMPETITIONS)
        raise ConfigError(f"competition {slug!r} is not known here; choose from {known}")
    if isinstance(found, Competition):
        return found
    module, _, name = found.partition(":")
    competition: Competition = getattr(import_module(module), name)
    return competition


def load_config(path: Path | None = None, **overrides: Any) -> Config:
    """A run's settings for the competition that the file or an override names.

    Raises ConfigError, in one line, where a setting is wrong or both name different competitions.
    """
    stated = read_toml(path).get("competition") if path else None
    asked = overrides.get("competition")
    if stated and asked and stated != asked:
        raise ConfigError(f"{path}: is for competition {stated}, not {asked}")
    return get_competition(asked or stated or Config.competition).config(path, **overrides)


def load_tables(data: Path | None = None, competition: str = Config.competition) -> Tables:
    """A competition's tables, checked.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip file; by default the usual
            places are searched, the bundled table last.
        competition: its slug.

    Raises:
        DataError: there are no tables, or one breaks the schema: file, line, column and value.

    Examples:
        >>> from titanic_nn import load_tables
        >>> tables = load_tables()
        >>> tables.train.shape, tables.test.shape
        ((891, 12), (418, 11))
    """
    return get_competition(competition).load(data)
