"""Build data/bundled/ from the OpenML Titanic file that scikit-learn carries among its tests.

    python data/build_bundled.py

Needs no network. The same file gives the same bytes, every time.
"""

import csv
import gzip
import hashlib
import re
from pathlib import Path

import sklearn
from sklearn.model_selection import train_test_split

SOURCE = Path(
    sklearn.__path__[0],
    "datasets/tests/data/openml/id_40945/data-v1-dl-16826755.arff.gz",
)
SOURCE_MD5 = "60ac7205eee0ba5045c90b3bba95b1c4"  # as OpenML states it for data set 40945

TEST_ROWS = 418  # as many as Kaggle's, which leaves 891 to train
SPLIT_SEED = 1912

FEATURES = ["Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"]


def read_passengers(source: Path) -> list[dict[str, str]]:
    """Read OpenML's ARFF file as Kaggle would spell it; what gives the outcome away is left out."""
    arff = gzip.decompress(source.read_bytes())
    if (md5 := hashlib.md5(arff).hexdigest()) != SOURCE_MD5:
        raise SystemExit(f"{source}: MD5 is {md5}, expected {SOURCE_MD5}")
    head, data = arff.decode().split("@data\n")
    names = re.findall(r"@attribute '(\S+)'", head)
    passengers = []
    for fields in csv.reader(data.splitlines()):
        passenger = {
            name.capitalize().replace("Sibsp", "SibSp"): "" if field == "?" else field
            for name, field in zip(names, fields, strict=True)
        }
        # OpenML writes Kaggle's (Johanna "Hannah" Godfrey) with apostrophes; O'Brien keeps hers.
        passenger["Name"] = re.sub(r"(?<!\w)'([^']+)'(?!\w)", r'"\1"', passenger["Name"])
        passengers.append({name: passenger[name] for name in ["Survived", *FEATURES]})
    return passengers


def build(folder: Path, source: Path = SOURCE) -> None:
    """Write train.csv, test.csv and answers.csv into `folder`."""
    passengers = read_passengers(source)
    train, test = train_test_split(
        passengers,
        test_size=TEST_ROWS,
        stratify=[passenger["Survived"] for passenger in passengers],
        random_state=SPLIT_SEED,
    )
    # The split shuffles; numbering comes after it, so that an id says nothing of the old order.
    for passenger_id, passenger in enumerate(train + test, start=1):
        passenger["PassengerId"] = str(passenger_id)

    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "train.csv", ["PassengerId", "Survived", *FEATURES], train)
    write(folder / "test.csv", ["PassengerId", *FEATURES], test)
    write(folder / "answers.csv", ["PassengerId", "Survived"], test)


def write(path: Path, columns: list[str], passengers: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(passengers)


if __name__ == "__main__":
    build(Path(__file__).parent / "bundled")
