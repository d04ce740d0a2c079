"""Fetch a competition's train.csv and test.csv from Kaggle, check them, and put them in place."""

import re
import shlex
import zipfile
from argparse import Namespace
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, say, warn
from titanic_nn.cli.options import COMPETITION
from titanic_nn.config import Config
from titanic_nn.errors import DataError, KaggleError
from titanic_nn.files import check_place, hidden_folder, move
from titanic_nn.kaggle.masking import plain

if TYPE_CHECKING:
    from titanic_nn.competitions.competition import Competition
    from titanic_nn.tables.sources import Tables


PARSER = Parser(prog="titanic-nn download", description=__doc__)
add = PARSER.add_argument
add(
    "--competition",
    default=Config.competition,
    metavar="NAME",
    help=COMPETITION,
)
add("--force", action="store_true", help="fetch even if good tables are there already")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.competitions.registry import find_competition

    competition = find_competition(args.competition)
    competition.check_at_kaggle()
    folder, row_names = competition.folder, competition.schema.row_names
    tables = None
    with suppress(DataError):  # damaged tables are fetched again
        tables = None if args.force else competition.load(folder)
    if tables:
        say(f"{folder} has good tables already; --force fetches them again")
    else:
        tables = _fetch(competition)
    named = shlex.quote(args.competition)
    option = "" if named == Config.competition else f" --competition {named}"
    say(
        f"{folder}: {len(tables.train)} train and {len(tables.test)} test {row_names}, "
        f"SHA-256 {tables.fingerprint}\nNext: python -m titanic_nn.train{option}"
    )


def _fetch(competition: "Competition") -> "Tables":
    """Download beside the folder, check everything, and only then replace what is in it."""
    from titanic_nn.kaggle.retry import RetryPolicy
    from titanic_nn.kaggle.service import Kaggle

    kaggle = Kaggle(competition.slug, RetryPolicy.from_environment())
    if kaggle.credentials.warning:
        warn(f"warning: {kaggle.credentials.warning}")
    folder = competition.folder
    check_place(folder)
    with hidden_folder(folder) as fresh:
        _replace(competition, kaggle.download(fresh))
    return competition.load(folder)


def _replace(competition: "Competition", archive: Path) -> None:
    """Check an archive, unpack it beside itself, and only then replace what is in the folder."""
    folder = competition.folder
    _check_whole(archive, folder)
    try:
        competition.load(archive)
    except DataError as error:
        complaint = str(error).replace(str(archive), f"Kaggle's {archive.name}")
        raise DataError(f"{complaint}; {folder} is unchanged") from None
    with zipfile.ZipFile(archive) as opened:
        files = [name for name in opened.namelist() if re.fullmatch(r"\w[\w.-]{0,99}\.csv", name)]
        for file in files:
            opened.extract(file, archive.parent)
    for file in files:
        move(archive.parent / file, folder / file)


def _check_whole(archive: Path, folder: Path) -> None:
    """Test all of the archive: a file that was cut can have the announced length."""
    from titanic_nn.tables.sources import LARGEST_UNPACKED  # loads pandas

    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            names = Counter(member.filename for member in members)
            damaged = next((name for name, number in names.items() if number > 1), None)
            # A larger one is refused where tables are loaded; to test it could take hours.
            if sum(member.file_size for member in members) <= LARGEST_UNPACKED:
                damaged = damaged or opened.testzip()
    except Exception:  # each decompressor raises its own
        damaged = archive.name
    if damaged:
        raise KaggleError(
            f"the download is damaged at {plain(damaged)}; {folder} is unchanged, try again"
        )
