"""Titanic's row features as spreadsheet formulas; features.py has the same in pandas.

Those that are made from other passengers (who holds the ticket, who survived) have no formula.
"""

import re
from collections import defaultdict
from string import ascii_uppercase, digits

import pandas as pd

from titanic_nn.competitions.titanic.features import MERGED_TITLES
from titanic_nn.tables.features import Formula

# The letters, each with the digit that follows a deck's letter: appended, so that each is found.
LETTERS = "".join(f"{letter}0" for letter in ascii_uppercase)
ZEROS = str.maketrans(dict.fromkeys(digits, "0"))


def _merged_titles() -> str:
    """The titles that are merged, as nested IFs; EXACT has no wildcards."""
    merged: dict[str, list[str]] = defaultdict(list)
    for title, common in MERGED_TITLES.items():
        merged[common].append(f'"{title}"')
    text = "[title_as_written]"
    for common, titles in merged.items():
        found = f"SUMPRODUCT(--EXACT([title_as_written],{{{','.join(titles)}}}))"
        text = f'IF({found}>0,"{common}",{text})'
    return f"={text}"


def _digits_as_0() -> str:
    text = "[Cabin]"
    for digit in digits[1:]:
        text = f'SUBSTITUTE({text},"{digit}","0")'
    return f'={text}&"0"'


def _after_comma(passengers: pd.DataFrame) -> pd.Series:
    return passengers["Name"].str.extract(r",(?!\.)(.*)", expand=False, flags=re.DOTALL).fillna("")


def _before_full_stop(passengers: pd.DataFrame) -> pd.Series:
    before, stop, _ = _after_comma(passengers).str.partition(".").T.to_numpy()
    return pd.Series(before).where(stop == ".", "")


def _title_as_written(passengers: pd.DataFrame) -> pd.Series:
    text = _before_full_stop(passengers)
    return text.str.lstrip(" ").where(text.str.strip(" ") != "", text.str[-1:])


def _cabin_with_0(passengers: pd.DataFrame) -> pd.Series:
    return passengers["Cabin"].fillna("").str.translate(ZEROS) + "0"


def _place_of_deck(passengers: pd.DataFrame) -> pd.Series:
    texts = _cabin_with_0(passengers) + LETTERS
    first = [min(text.index(f"{letter}0") for letter in ascii_uppercase) for text in texts]
    return pd.Series(first) + 1


def _decks() -> str:
    return "{" + ",".join(f'"{letter}0"' for letter in ascii_uppercase) + "}"


def _missing(column: str) -> str:
    return f'=IF([{column}]="",1,0)'


FORMULAS = (
    # A comma that a full stop follows has no title after it.
    Formula(
        "after_comma",
        '=IFERROR(MID([Name],FIND(",",SUBSTITUTE([Name],",.","_."))+1,LEN([Name])),"")',
        _after_comma,
    ),
    Formula(
        "before_full_stop",
        '=IFERROR(LEFT([after_comma],FIND(".",[after_comma])-1),"")',
        _before_full_stop,
    ),
    Formula(  # without the blanks in front
        "title_as_written",
        '=IF(TRIM([before_full_stop])="",RIGHT([before_full_stop],1),'
        "MID([before_full_stop],FIND(LEFT(TRIM([before_full_stop]),1),[before_full_stop]),"
        "LEN([before_full_stop])))",
        _title_as_written,
    ),
    Formula("title", _merged_titles()),
    Formula("sex", "=[Sex]"),
    Formula("class", '=TEXT([Pclass],"0")'),
    Formula("age", '=IF([Age]="","",[Age])'),
    Formula("age_missing", _missing("Age")),
    Formula("siblings_spouses", "=[SibSp]"),
    Formula("parents_children", "=[Parch]"),
    Formula("family_size", "=[SibSp]+[Parch]+1"),
    Formula("alone", "=IF([family_size]=1,1,0)"),
    Formula("log_fare", '=IF([Fare]="","",LN(1+[Fare]))'),
    Formula("fare_per_head", '=IF([Fare]="","",LN(1+[Fare]/[ticket_shared_by]))'),
    Formula("fare_missing", _missing("Fare")),
    Formula("embarked", '=[Embarked]&""'),
    Formula("embarked_missing", _missing("Embarked")),
    # The deck is the first capital letter that a digit follows, or the cabin's end.
    Formula("cabin_digits_as_0", _digits_as_0(), _cabin_with_0),
    Formula(
        "place_of_deck",
        f'=SUMPRODUCT(MIN(FIND({_decks()},[cabin_digits_as_0]&"{LETTERS}")))',
        _place_of_deck,
    ),
    Formula("deck", '=IF([place_of_deck]>LEN([Cabin]),"",MID([Cabin],[place_of_deck],1))'),
    Formula("cabin_known", '=IF([Cabin]="",0,1)'),
)
