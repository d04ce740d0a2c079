"""Fetch a competition's train.csv and test.csv from Kaggle, check them, and put them in place."""

import re
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from titanic_nn.errors import DataError, KaggleError
from titanic_nn.kaggle.competition import TITANIC, check_name, data_folder
from titanic_nn.kaggle.retry import Patience
from titanic_nn.tables.sources import Passengers, load_passengers
from titanic_nn.cli.console import Parser, run


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _download(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.download", description=__doc__)
    add = parser.add_argument
    add("--competition", default=TITANIC, metavar="NAME", help="as in its address (titanic)")
    add("--force", action="store_true", help="fetch even if good tables are there already")
    return parser


def _download(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)
    competition = check_name(args.competition)
    folder = data_folder(competition)
    passengers = None if args.force else _already_there(folder)
    if passengers:
        print(f"{folder} has good tables already; --force fetches them again")
    else:
        passengers = _fetch(competition, folder)
    option = "" if competition == TITANIC else f" --data {folder}"
    print(
        f"{folder}: {len(passengers.train)} train and {len(passengers.test)} test passengers, "
        f"SHA-256 {passengers.fingerprint}\nNext: python -m titanic_nn.train{option}"
    )


def _already_there(folder: Path) -> Passengers | None:
    try:
        return load_passengers(folder)
    except DataError:
        return None


def _fetch(competition: str, folder: Path) -> Passengers:
    """Download beside the folder, check everything, and only then replace what is in it."""
    from titanic_nn.kaggle.service import Kaggle

    kaggle = Kaggle(competition, Patience.from_environment())
    if kaggle.credentials.warning:
        print(f"warning: {kaggle.credentials.warning}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        fresh = Path(name)
        archive = kaggle.download(fresh)
        _check_whole(archive, folder)
        try:
            load_passengers(archive)
        except DataError as error:
            complaint = str(error).replace(str(archive), f"Kaggle's {archive.name}")
            raise DataError(f"{complaint}; {folder} stays as it was") from None
        with zipfile.ZipFile(archive) as opened:
            tables = [name for name in opened.namelist() if re.fullmatch(r"[^/]+\.csv", name)]
            for table in tables:
                opened.extract(table, fresh)
        folder.mkdir(exist_ok=True)
        for table in tables:
            (fresh / table).replace(folder / table)
    return load_passengers(folder)


def _check_whole(archive: Path, folder: Path) -> None:
    """Unpack it to nowhere: a cut file can have the length that was announced."""
    try:
        with zipfile.ZipFile(archive) as opened:
            damaged = opened.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error):
        damaged = archive.name
    if damaged:
        raise KaggleError(
            f"the download is damaged at {damaged}; {folder} stays as it was, try again"
        )


if __name__ == "__main__":
    main()
