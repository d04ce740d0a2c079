"""Every competition by its slug: one line per competition.

A line names "module:object"; the module is imported when the competition is first asked for.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from titanic_nn.competitions.competition import Competition, name_of
from titanic_nn.competitions.own_table.competition import own_table
from titanic_nn.competitions.own_table.description import check_description, read_description
from titanic_nn.config import Config, Reference, read_toml
from titanic_nn.errors import ConfigError
from titanic_nn.tables.sources import Tables

COMPETITIONS: dict[str, "str | Competition"] = {
    "titanic": "titanic_nn.competitions.titanic.competition:TITANIC",
    "spaceship-titanic": "titanic_nn.competitions.spaceship.competition:SPACESHIP",
}


def get_competition(reference: Reference, path: Path | None = None) -> Competition:
    """The competition that settings, a run or a saved model refer to; no file is read for it.

    path: where the reference is from, for messages. Raises ConfigError where there is none.
    """
    if isinstance(reference, Mapping):
        return own_table(check_description(reference, path, "competition"))
    found = COMPETITIONS.get(reference) if isinstance(reference, str) else None
    if found is None:
        known = ", ".join(COMPETITIONS)
        raise ConfigError(
            f"competition {reference!r} is not known here; choose from {known}, or a TOML file "
            "that describes a table"
        )
    if isinstance(found, Competition):
        return found
    module, _, name = found.partition(":")
    competition: Competition = getattr(import_module(module), name)
    return competition


def find_competition(named: Reference, path: Path | None = None) -> Competition:
    """The competition that a user names: by its slug, or by the path of a table's description.

    path: the settings that name it, for messages. Raises ConfigError where there is none, or the
    description is wrong.
    """
    return get_competition(_reference(named, path), path)


def _reference(named: Reference, path: Path | None) -> Reference:
    """What a user names, as settings store it: a TOML file's path becomes what is in the file."""
    if isinstance(named, Mapping):
        return check_description(named, path, "competition").values()
    if isinstance(named, str) and named not in COMPETITIONS and named.lower().endswith(".toml"):
        return read_description(Path(named)).values()
    return named


def load_config(path: Path | None = None, **overrides: Any) -> Config:
    """A run's settings for the competition that the file or an override names.

    Raises ConfigError, in one line, where a setting is wrong or both name different competitions.
    """
    stated = read_toml(path).get("competition") if path else None
    named = [_reference(name, path) for name in (stated, overrides.get("competition")) if name]
    if len(named) == 2 and named[0] != named[1]:
        raise ConfigError(
            f"{path}: is for competition {name_of(named[0])}, not {name_of(named[1])}"
        )
    return get_competition((named or [Config.competition])[0], path).config(path, **overrides)


def load_tables(data: Path | None = None, competition: Reference = Config.competition) -> Tables:
    """A competition's tables, checked.

    Args:
        data: a folder with train.csv and test.csv, or Kaggle's zip file; by default the usual
            places are searched, the bundled table last.
        competition: its slug, or the path of a TOML file that describes a table.

    Raises:
        DataError: there are no tables, or one breaks the schema: file, line, column and value.

    Examples:
        >>> from titanic_nn import load_tables
        >>> tables = load_tables()
        >>> tables.train.shape, tables.test.shape
        ((891, 12), (418, 11))
    """
    return find_competition(competition).load(data)
