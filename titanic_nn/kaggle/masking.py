"""Text from Kaggle or its client, as one short line without secrets.

All of it goes through `plain` before it is printed, recorded or put into an error: a server may
echo what it was sent, in any spelling.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import groupby

LONGEST = 300  # characters
# A character, as it is or escaped: %41, %2541, \u0041, \x41; then what may stand between two.
_CHARACTER = re.compile(
    r"(?:%(?:25)*([0-9a-f]{2})|(?<=\\)(?:u00|x)([0-9a-f]{2})|(.))([ \\]*)", re.IGNORECASE
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
    characters = list(_CHARACTER.finditer(text))
    letters = "".join(map(_letter, characters))
    masked = [False] * len(letters)
    for form, is_base64 in {form for secret in secrets for form in _forms(secret)}:
        end = 0
        while form and (start := letters.find(form, end)) >= 0:
            end = start + len(form)
            if is_base64:  # the whole word: it also encodes what stands beside the secret
                while start and not characters[start - 1][4] and _may_be_base64(letters[start - 1]):
                    start -= 1
                while (
                    end < len(letters)
                    and not characters[end - 1][4]
                    and _may_be_base64(letters[end])
                ):
                    end += 1
            masked[start:end] = [True] * (end - start)
    parts = []
    for secret, run in groupby(zip(masked, characters, strict=True), key=lambda pair: pair[0]):
        found = [character for _, character in run]
        parts.append("***" + found[-1][4] if secret else "".join(one[0] for one in found))
    return "".join(parts)


def _forms(secret: str) -> Iterator[tuple[str, bool]]:
    """The secret, and what base64 makes of it wherever it begins: as letters; is it base64?"""
    yield _letters(secret), False
    for before, mixed in enumerate((0, 2, 3)):  # bytes before it; letters that encode those too
        content = bytes(before) + secret.encode()
        encoded = b64encode(content).decode().rstrip("=")
        core = encoded[mixed : None if len(content) % 3 == 0 else -1]
        if len(core) >= 6:  # shorter ones stand in ordinary words
            yield _letters(core), True


def _letters(text: str) -> str:
    """A text in one spelling: unescaped, in lower case, without blanks and backslashes."""
    return "".join(map(_letter, _CHARACTER.finditer(text)))


def _letter(character: re.Match[str]) -> str:
    code = character[1] or character[2]
    letter = chr(int(code, 16)) if code else character[3]
    return letter.translate(_URLSAFE).lower()[:1]  # one letter, where "İ" has two


def _may_be_base64(letter: str) -> bool:
    return letter.isalnum() or letter in "+/="
