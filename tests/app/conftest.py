"""A run of Titanic's bundled table, and of tables of other kinds."""

from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
from spaceship_tables import write_spaceship
from toads import TOADS, write_toads

from titanic_nn.cli.train import main as train
from titanic_nn.competitions.registry import COMPETITIONS, get_competition

QUICK = ["--folds", "2", "--repeats", "1", "--n-seeds", "1", "--inner-folds", "2", "--quiet"]
BUNDLED = get_competition("titanic").search[-1][1]


PONDS = ("<script>alert(1)</script>", "${x}", "{{y}}")
OWN = """
name = "frogs"
row_name = "frog"
id = "id"
target = "kind"
labels = ["=green", "<b>red"]
numbers = ["<i>length", "weight"]
categories = ["pond"]
booleans = ["striped"]
dates = ["seen"]
"""


def own_table(folder: Path) -> None:
    """Frogs, of which names of columns, labels and values are hostile."""
    folder.mkdir()
    for name, rows, first in (("train.csv", 60, 0), ("test.csv", 20, 60)):
        table = pd.DataFrame(
            {
                "id": [f"=f{first + i}" for i in range(rows)],
                "<i>length": [i % 7 + 0.5 for i in range(rows)],
                "weight": ["" if i % 5 == 0 else i % 11 for i in range(rows)],
                "pond": [
                    ("<script>alert(1)</script>", "${x}", "{{y}}")[i % 3] for i in range(rows)
                ],
                "striped": ["yes" if i % 2 else "no" for i in range(rows)],
                "seen": [f"2024-05-{1 + i % 28:02}" for i in range(rows)],
                "kind": ["<b>red" if i % 7 > 3 else "=green" for i in range(rows)],
            }
        )
        table.drop(columns=["kind"] * (name == "test.csv")).to_csv(folder / name, index=False)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose place no answer of the app may show. Copy it before you change it."""
    home = tmp_path_factory.mktemp("home_of_the_user")
    with chdir(home):
        train([*QUICK, "--models", "linear", "relu", "--data", str(BUNDLED), "--out", "runs/mine"])
    return home / "runs/mine"


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, run: Path) -> dict[str, Path]:
    """A run of each kind of table, by its name; their tables are beside them."""
    home = tmp_path_factory.mktemp("kinds")
    own_table(home / "own")
    (home / "frogs.toml").write_text(OWN)
    write_spaceship(home / "spaceship-titanic", groups=60)
    write_toads(home / "toads")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setitem(COMPETITIONS, "toads", TOADS)
        named = {"own": "frogs.toml", "spaceship-titanic": "spaceship-titanic", "toads": "toads"}
        for name, competition in named.items():
            words = ["--competition", competition, "--data", name, "--models", "linear"]
            train([*words, *QUICK, "--out", f"runs/{name}"])
    return {"titanic": run, **{name: home / "runs" / name for name in named}}
