"""Text from Kaggle or its client, as one short line without secrets.

All of it goes through `plain` before it is printed, recorded or put into an error: a server may
echo what it was sent, in any spelling.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

LONGEST = 300  # characters
# A character, as it is or escaped: %41, %2541, \u0041, \x41.
_CHARACTER = re.compile(
    r"%(?:25)*([0-9a-f]{2})|\\(?:u00|x)([0-9a-f]{2})|.", re.IGNORECASE | re.DOTALL
)
_URLSAFE = str.maketrans("-_", "+/")  # to plain base64


def plain(text: str | None, secrets: Iterable[str] = ()) -> str:
    """A text on one line, without secrets, and without the passwords and queries of URLs.

    A secret is recognized in upper and lower case, in base64 of either alphabet (alone or as a part
    of what is encoded, such as "user:key"), percent-encoded, and escaped as in JSON.
    """
    words = "".join(letter for letter in " ".join((text or "").split()) if letter.isprintable())
    # Longer than what is kept, so that what follows is quick and cuts no URL that is shown.
    words = _mask(words, secrets)[: 10 * LONGEST]
    words = re.sub(r"(?i)(https?://)[^\s/?#]*@", r"\1***@", words)
    words = re.sub(r"(?i)(https?://[^\s?#]*)[?#]\S*", r"\1?***", words)
    words = re.sub(r"(?i)\b(basic|bearer)\s+\S+", r"\1 ***", words)
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _mask(text: str, secrets: Iterable[str]) -> str:
    spelled = [found[0] for found in _CHARACTER.finditer(text)]
    letters, places = _letters(text)
    masked = [False] * len(spelled)
    for form, is_base64 in {form for secret in secrets for form in _forms(secret)}:
        end = 0
        while form and (start := letters.find(form, end)) >= 0:
            end = start + len(form)
            if is_base64:  # the whole word, which also encodes what stands beside the secret
                while start and _is_one_word(letters, places, start - 1):
                    start -= 1
                while end < len(letters) and _is_one_word(letters, places, end - 1):
                    end += 1
            first, last = places[start], places[end - 1]
            masked[first : last + 1] = [True] * (last + 1 - first)
    runs = groupby(zip(masked, spelled, strict=True), key=itemgetter(0))
    return "".join("***" if mask else "".join(one for _, one in run) for mask, run in runs)


def _forms(secret: str) -> Iterator[tuple[str, bool]]:
    """The secret, and what base64 makes of it wherever it begins: as letters; is it base64?"""
    yield _letters(secret)[0], False
    for before, mixed in enumerate((0, 2, 3)):  # bytes before it; letters that encode those too
        content = bytes(before) + secret.encode()
        encoded = b64encode(content).decode().rstrip("=")
        core = encoded[mixed : None if len(content) % 3 == 0 else -1]
        if len(core) >= 6:  # shorter ones stand in ordinary words
            yield core.translate(_URLSAFE).lower(), True


def _letters(text: str) -> tuple[str, list[int]]:
    """A text in one spelling, unescaped and in lower case, without blanks and backslashes.

    Also returns which of its characters, as _CHARACTER counts them, each letter is.
    """
    letters, places = [], []
    for place, found in enumerate(_CHARACTER.finditer(text)):
        code = found[1] or found[2]
        letter = chr(int(code, 16)) if code else found[0]
        if letter not in " \\":
            letters.append(letter.translate(_URLSAFE).lower()[:1])  # one, where "İ" has two
            places.append(place)
    return "".join(letters), places


def _is_one_word(letters: str, places: list[int], left: int) -> bool:
    """Do a letter and the next one belong to one word of base64?"""
    return places[left] + 1 == places[left + 1] and all(
        letter.isalnum() or letter in "+/=" for letter in letters[left : left + 2]
    )
