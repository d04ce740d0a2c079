"""Folders of data that must be refused, and what the error must say.

Each starts from a small valid pair of tables and spoils one thing in it.
"""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

TRAIN = """\
PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked
1,0,3,"Smith, Mr. Adam",male,22,1,0,A 100,7.25,,S
2,1,1,"Jones, Mrs. Eve (Ann ""Nan"" Hill)",female,38,1,0,B 200,71.5,C85,C
3,1,3,"Brown, Miss. Ida",female,,0,0,C 300,8,,Q
4,0,2,"Green, Rev. Paul",male,54.5,0,2,D 400,13,,S
"""
TEST = """\
PassengerId,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked
5,3,"White, Mr. Tom",male,34,0,0,E 500,,,Q
6,1,"Black, Miss. May",female,27,0,1,B 200,71.5,C85,
"""


def write_good_pair(folder: Path) -> None:
    """Write train.csv (4 passengers, 2 survivors) and test.csv (2 passengers)."""
    (folder / "train.csv").write_text(TRAIN, encoding="utf-8")
    (folder / "test.csv").write_text(TEST, encoding="utf-8")


@dataclass(frozen=True)
class BadTable:
    """One way to spoil the data."""

    id: str
    spoil: Callable[[Path], object]  # acts on a folder that holds the good pair
    fragments: tuple[str, ...]  # each is part of the one line that the user sees


def bad_file(id: str, name: str, content: bytes, *fragments: str) -> BadTable:
    return BadTable(id, lambda folder: (folder / name).write_bytes(content), (name, *fragments))


def bad_train(id: str, old: str, new: str, *fragments: str) -> BadTable:
    """Put `new` for `old`, which occurs once in train.csv."""
    assert TRAIN.count(old) == 1, f"{id}: {old!r} occurs {TRAIN.count(old)} times"
    return bad_file(id, "train.csv", TRAIN.replace(old, new).encode(), *fragments)


def bad_value(column: str, old: str, new: str, line: int, value: str, expected: str) -> BadTable:
    """Put a wrong value into one row of train.csv; `old` and `new` may show its neighbours too."""
    fault = f"{value!r} is not accepted" if value else "the value is missing"
    id = f"{column}-{value or 'missing'}"
    return bad_train(id, old, new, f"line {line}, column {column}: {fault}; expected {expected}")


def only_zip(folder: Path, members: dict[str, str]) -> Path:
    """Replace the tables by a titanic.zip."""
    for table in folder.glob("*.csv"):
        table.unlink()
    path = folder / "titanic.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


GOOD_MEMBERS = {"train.csv": TRAIN, "test.csv": TEST}


def _cut_zip(folder: Path) -> None:
    path = only_zip(folder, GOOD_MEMBERS)
    path.write_bytes(path.read_bytes()[:200])


def _flip_byte_in_zip(folder: Path) -> None:
    """Flip one bit within train.csv, uncompressed: only its checksum shows it."""
    path = only_zip(folder, {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in GOOD_MEMBERS.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"Smith", b"Smyth"))


def _folder_for_file(folder: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "train.csv").mkdir()


def _pipe_for_file(folder: Path) -> None:
    (folder / "train.csv").unlink()
    os.mkfifo(folder / "train.csv")


def _device_for_file(folder: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to("/dev/zero")


def _huge_file(folder: Path) -> None:
    """A terabyte, of which nothing is on the disk."""
    os.truncate(folder / "train.csv", 2**40)


def _link_to_itself(folder: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to(folder / "train.csv")


def _forbid_reading(folder: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("this user may read every file")
    (folder / "train.csv").chmod(0)


ID = "a whole number from 0 to 9007199254740991"
AGE = "years from 0 to 120, or nothing"
FARE = "a number from 0 to 10000, or nothing"
COUNT = "a whole number from 0 to 100"
TICKET = "a ticket, whose number has at most 15 digits"
HEADER = TRAIN.splitlines()[0]

BAD_TABLES = [
    # Files.
    BadTable(
        "no-train", lambda folder: (folder / "train.csv").unlink(), ("has no train.csv", "zip")
    ),
    BadTable("no-test", lambda folder: (folder / "test.csv").unlink(), ("has no test.csv", "zip")),
    BadTable("folder-for-file", _folder_for_file, ("train.csv", "cannot be read as a file")),
    BadTable(
        "pipe",
        _pipe_for_file,
        ("train.csv", "cannot be read as a file: it is a pipe or a device"),
    ),
    BadTable("device", _device_for_file, ("train.csv", "it is a pipe or a device")),
    BadTable("larger-than-memory", _huge_file, ("train.csv", "more than the 268435456 that are")),
    BadTable("link-to-itself", _link_to_itself, ("train.csv", "cannot be read as a file")),
    BadTable("forbidden", _forbid_reading, ("train.csv", "Permission denied")),
    bad_file("empty", "train.csv", b"", "is empty"),
    bad_file("only-empty-lines", "train.csv", b"\n\r\n\n", "is empty"),
    bad_file("only-a-byte-order-mark", "test.csv", b"\xef\xbb\xbf", "is empty"),
    bad_file("header-only", "test.csv", TEST.splitlines(True)[0].encode(), "no rows"),
    # Encodings and separators.
    bad_file("utf-16", "train.csv", TRAIN.encode("utf-16"), "line 1", "UTF-16", "save it as UTF-8"),
    bad_file(
        "utf-16-without-byte-order-mark",
        "train.csv",
        TRAIN.encode("utf-16-le"),
        "line 1",
        "NUL",
        "UTF-8",
    ),
    bad_file("nul", "test.csv", TEST.replace("Tom", "T\0m").encode(), "line 2", "NUL"),
    bad_file(
        "latin-1",
        "train.csv",
        TRAIN.replace("Ida", "Zoé").encode("latin-1"),
        "line 4",
        "the byte 0xe9 is not UTF-8",
    ),
    bad_file(
        "semicolons",
        "train.csv",
        TRAIN.replace(",", ";").encode(),
        "line 1",
        "'PassengerId;...",
        "single field; expected names between commas",
    ),
    bad_file("tabs", "train.csv", TRAIN.replace(",", "\t").encode(), "line 1", "between commas"),
    # The header.
    bad_train("no-age", "Sex,Age,", "Sex,,", "line 1", "the column Age is missing"),
    bad_train(
        "misspelt",
        ",Embarked",
        ",Embarkd",
        "line 1",
        "column Embarked is missing; rename 'Embarkd'",
    ),
    bad_train("wrong-case", ",Sex,", ",SEX,", "line 1", "column Sex is missing; rename 'SEX'"),
    bad_train("twice", "Cabin", "Fare", "line 1", "the column Fare stands 2 times"),
    # Records.
    bad_train(
        "too-few",
        ",13,,S",
        ",13,S",
        "line 5",
        "begins with '4'",
        "has 11 fields, the header has 12",
    ),
    bad_train(
        "too-many",
        '"Brown, Miss. Ida"',
        "Brown, Miss. Ida",
        "line 4",
        "begins with '3'",
        "has 13 fields, the header has 12",
        "put double quotes",
    ),
    bad_train("open-quote", 'Paul"', "Paul", "line 5", "unexpected end of data", "double quotes"),
    # It closes where the next name's opens, a line below: the complaint names where it began.
    bad_train("open-then-closed", 'Ida"', "Ida", "line 4", "',' expected after '\"'"),
    bad_train("text-after-quote", 'Ida"', 'Ida"x', "line 4", "',' expected after '\"'"),
    bad_train("long-field", "Ida", "a" * 140_000, "line 4", "larger than field limit"),
    # Values.
    bad_value("PassengerId", "\n3,", "\n3.5,", 4, "3.5", ID),
    bad_value("PassengerId", "\n3,", "\n-3,", 4, "-3", ID),
    bad_value("PassengerId", "\n3,", "\nx3,", 4, "x3", ID),
    bad_value(
        "PassengerId", "\n3,", "\n9007199254740993,", 4, "9007199254740993", "a whole number"
    ),
    bad_value("PassengerId", "\n3,", "\n,", 4, "", ID),
    bad_train(
        "PassengerId-twice",
        "\n3,",
        "\n1,",
        "line 4, column PassengerId: 1 stands twice, first on line 2",
    ),
    bad_file(
        "PassengerId-in-both",
        "test.csv",
        TEST.replace("\n6,", "\n2,").encode(),
        "line 3, column PassengerId: 2 also stands in",
        "train.csv, line 3",
    ),
    bad_value("Survived", "\n2,1", "\n2,2", 3, "2", "0 or 1"),
    bad_value("Survived", "\n2,1", "\n2,0.5", 3, "0.5", "0 or 1"),
    bad_value("Survived", "\n2,1", "\n2,yes", 3, "yes", "0 or 1"),
    bad_value("Survived", "\n2,1", "\n2,", 3, "", "0 or 1"),
    bad_file(
        "one-class",
        "train.csv",
        TRAIN.replace("\n2,1", "\n2,0").replace("\n3,1", "\n3,0").encode(),
        "column Survived: every passenger has 0; expected both 0 and 1",
    ),
    bad_value("Pclass", "4,0,2", "4,0,4", 5, "4", "1, 2 or 3"),
    bad_value("Pclass", "4,0,2", "4,0,0", 5, "0", "1, 2 or 3"),
    bad_value("Pclass", "4,0,2", "4,0,", 5, "", "1, 2 or 3"),
    bad_value("Name", '"Smith, Mr. Adam"', "", 2, "", "a name"),
    bad_value("Sex", "male,54.5", "Male,54.5", 5, "Male", "male or female"),
    bad_value("Sex", "male,54.5", ",54.5", 5, "", "male or female"),
    bad_value("Age", ",22,", ",old,", 2, "old", AGE),
    bad_value("Age", ",22,", ",-1,", 2, "-1", AGE),
    bad_value("Age", ",22,", ",inf,", 2, "inf", AGE),
    bad_value("Age", ",22,", ",1e400,", 2, "1e400", AGE),
    bad_value("Age", ",22,", ",120.5,", 2, "120.5", AGE),
    bad_value("SibSp", "38,1,0", "38,101,0", 3, "101", COUNT),
    bad_value("SibSp", "38,1,0", "38,1.5,0", 3, "1.5", COUNT),
    bad_value("SibSp", "38,1,0", "38,one,0", 3, "one", COUNT),
    bad_value("SibSp", "38,1,0", "38,NA,0", 3, "", COUNT),
    bad_value("Parch", "38,1,0", "38,1,-1", 3, "-1", COUNT),
    bad_value("Parch", "38,1,0", "38,1,Infinity", 3, "Infinity", COUNT),
    bad_value("Parch", "38,1,0", "38,1,", 3, "", COUNT),
    bad_value("Ticket", "D 400", "NaN", 5, "", "a ticket"),
    bad_value("Ticket", "D 400", f"D {4 * 10**15}", 5, f"D {4 * 10**15}", TICKET),
    bad_train("Ticket-endless", "D 400", "4" * 4000, "line 5, column Ticket", TICKET),
    bad_train(
        "Name-endless",
        "Ida",
        "a" * 1001,
        "line 4, column Name",
        "expected a name, at most 1000 characters",
    ),
    bad_train("Embarked-endless", ",8,,Q", f",8,,{'Q' * 1001}", "line 4, column Embarked"),
    bad_value("Fare", "7.25", "$7.25", 2, "$7.25", FARE),
    bad_value("Fare", "7.25", "10000.01", 2, "10000.01", FARE),
    bad_value("Fare", "7.25", "-7.25", 2, "-7.25", FARE),
    bad_value("Fare", "7.25", "-inf", 2, "-inf", FARE),
    bad_value("Fare", "7.25", "1e300", 2, "1e300", FARE),
    # Lines are counted as an editor counts them, after empty lines and line breaks within quotes.
    bad_train(
        "lines-counted",
        '\n2,1,1,"Jones, Mrs. Eve (Ann ""Nan"" Hill)",female,38,1,0,B 200,71.5,C85,C\n3',
        '\n\r\n\n2,1,1,"Jones,\nMrs.\r\nEve",female,38,1,0,B 200,71.5,C85,C\nx3',
        "line 8, column PassengerId: 'x3'",
    ),
    # Zip files.
    BadTable("zip-cut", _cut_zip, ("titanic.zip", "cannot be read as a zip file")),
    BadTable("zip-damaged", _flip_byte_in_zip, ("titanic.zip", "damaged", "train.csv")),
    BadTable(
        "zip-lacks-test",
        lambda folder: only_zip(folder, {"train.csv": TRAIN}),
        ("titanic.zip", "has no member test.csv"),
    ),
    BadTable(
        "zip-climbs",
        lambda folder: only_zip(folder, {**GOOD_MEMBERS, "../evil.csv": "x"}),
        ("titanic.zip", "'../evil.csv' leaves the folder"),
    ),
    BadTable(
        "zip-absolute",
        lambda folder: only_zip(folder, {**GOOD_MEMBERS, "/etc/evil": "x"}),
        ("titanic.zip", "'/etc/evil' leaves the folder"),
    ),
    BadTable(
        "zip-backslash",
        lambda folder: only_zip(folder, {**GOOD_MEMBERS, "..\\evil": "x"}),
        ("titanic.zip", "evil' leaves the folder"),
    ),
    BadTable(
        "zip-bad-value",
        lambda folder: only_zip(
            folder, {"train.csv": TRAIN.replace("54.5", "x"), "test.csv": TEST}
        ),
        ("titanic.zip", "train.csv, line 5, column Age: 'x'"),
    ),
]
