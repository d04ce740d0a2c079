"""An own table with a slug: downloaded, trained on and submitted as a competition of its own."""

from pathlib import Path

import pytest
from kaggle_server import KaggleServer
from kaggle_user import User, give_key, zipped
from own_tables import SMALL, TWO_CLASSES, write_table

from titanic_nn.cli import train

TOML = """
slug = "two-moons"
id = "row"
target = "target"
labels = ["0", "1"]
row_name = "point"
numbers = ["x0", "x1"]
"""


@pytest.fixture
def moon_user(newcomer: User, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user with a key and a description, where Kaggle has the competition's tables."""
    give_key(newcomer, monkeypatch)
    write_table(Path("made"), TWO_CLASSES["moons"]())
    files = {name: Path("made", name).read_bytes() for name in ("train.csv", "test.csv")}
    kaggle.competition, kaggle.header = "two-moons", ["row", "target"]
    kaggle.archive = zipped(files)
    rows = files["test.csv"].decode().splitlines()[1:]
    kaggle.answers = {row.split(",")[0]: str(i % 2) for i, row in enumerate(rows)}
    Path("moons.toml").write_text(TOML)
    return newcomer


def test_an_own_table_with_a_slug_is_a_competition(moon_user: User, kaggle: KaggleServer) -> None:
    done = moon_user.call("download", "--competition", "moons.toml")
    assert done.code == 0, done.err
    assert "data/kaggle/two-moons: 225 train and 75 test points" in done.out
    assert "Next: python -m titanic_nn.train --competition moons.toml" in done.out

    options = ["--competition", "moons.toml", "--models", "linear", *SMALL, "--quiet"]
    train.main([*options, "--out", "runs/moons"])
    Path("moons.toml").unlink()
    done = moon_user.call("submit", "moons")
    assert done.code == 0, done.err
    assert "Competition: two-moons\n" in done.out
    assert [*kaggle.uploads.values()] == [Path("submissions/moons-linear.csv").read_bytes()]
    assert moon_user.ledger()[0]["competition"] == "two-moons"
    assert kaggle.submissions[0]["publicScore"]

    done = moon_user.call("submit", "moons")
    assert "was sent already" in done.out
    assert len(kaggle.uploads) == 1
