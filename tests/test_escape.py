"""Text from outside, as terminals, pages and spreadsheets get it."""

import pandas as pd
import pytest

from titanic_nn.escape import neutralized, printable, printable_lines, restored


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("O'Dwyer, Miss. Ellen [née x] \\n 95 % ± → … 船 🚢 \u3000", None),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m\x07\x00\x7f", r"\x9b31m\x07\x00\x7f"),
        ("a\r\b\t\nb\u2028", r"a\r\x08\t\nb\u2028"),
        ("\u202e\u2066\u200b\u200d\ufeff\xad", r"\u202e\u2066\u200b\u200d\ufeff\xad"),
        ("caf\udce9", r"caf\udce9"),
        ("\U000e0041", r"\U000e0041"),  # a tag, which is not seen
    ],
)
def test_what_is_no_character_to_see_is_shown_as_an_escape(text: str, shown: str | None) -> None:
    assert printable(text) == (shown or text)
    assert printable(printable(text)) == printable(text)


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n\x1b\r\n") == "a\n\\x1b\\r\n"


FORMULAS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\uff1dx", "'=x", "''-x"]
TEXTS = ["x=1", "'x", "", "''", " =x", "1-1"]


def test_a_spreadsheet_runs_nothing_and_numbers_stay_numbers() -> None:
    table = pd.DataFrame({"=name": [*FORMULAS, *TEXTS, None], "change": -1.5, "rows": -2})
    safe = neutralized(table)
    assert list(safe) == ["'=name", "change", "rows"]
    assert safe["'=name"].tolist()[:-1] == [f"'{text}" for text in FORMULAS] + TEXTS
    pd.testing.assert_frame_equal(safe[["change", "rows"]], table[["change", "rows"]])


def test_what_is_read_back_is_what_was_written() -> None:
    for table in (
        pd.DataFrame({"=name": [*FORMULAS, *TEXTS, None], "change": -1.5}),
        pd.DataFrame({"model": []}),
    ):
        back = restored(neutralized(table))
        pd.testing.assert_frame_equal(back, table, check_index_type=False)
