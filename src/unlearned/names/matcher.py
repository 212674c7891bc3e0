"""Find the forms of names in a text, at word borders, whatever the case, accents, hyphens and possessives."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlearned.names.parts import bare, is_title

_TOKEN = re.compile(r"[^\W_]+(?:['’](?=[^\W_]{3})[^\W_]+)*")
_WITHIN = re.compile(r"[ \t]{0,2}[-·'’]?[ \t]{0,2}")
_COMMA = re.compile(r"[ \t]?,[ \t]{0,2}")
_DOT = re.compile(r"\.[ \t]{0,2}-?")
LONGEST = 12
"""Words of the longest form that is looked for."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text."""

    start: int
    end: int
    key: str
    """As `bare` gives it; a single letter is marked, so that "A. Li" is not "Ali"."""

    before: str
    """What joins it to the word before: "" as in one name, "," of "Last, First", or "/" of words apart."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a form stands."""

    start: int
    end: int
    name: int
    """Index of the name of which it is a form."""

    first: int
    """Index of its first token."""

    last: int
    """Index behind its last one."""


def tokens(text: str) -> list[Token]:
    """The words of a text, and how each is joined to the one before."""
    found: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(text):
        key = bare(match[0])
        if not key:
            continue
        gap = text[end : match.start()]
        found.append(Token(*match.span(), key if len(key) > 1 else f"{key}|", _joined(gap, found)))
        end = match.end()
    return found


def _joined(gap: str, before: Sequence[Token]) -> str:
    if not before or _WITHIN.fullmatch(gap):
        return ""
    if _COMMA.fullmatch(gap):
        return ","
    word = before[-1].key
    # "T. Edison", "Dr. Edison", "Edison, T., Inventions", but not "I met Thomas. Edison ..."
    if _DOT.fullmatch(gap) and (word.endswith("|") or len(word) == 2 or is_title(word)):
        return ""
    if re.fullmatch(r"\.,[ \t]{0,2}", gap):
        return ","
    return "/"


class Matcher:
    """Finds forms of several names.

    Args:
        forms: of each name.
    """

    def __init__(self, forms: Sequence[Iterable[str]]) -> None:
        keys: dict[str, int] = {}
        for name, own in enumerate(forms):
            for form in own:
                if key := key_of(form):
                    keys.setdefault(key, name)
        self._keys = keys
        self._sorted = sorted(keys)
        self.first_words = frozenset(token.key for own in forms for form in own for token in tokens(form)[:1])

    def find(self, text: str, words: Sequence[Token] | None = None) -> list[Match]:
        """The longest forms in the text, from left to right, none within another."""
        words = tokens(text) if words is None else words
        found: list[Match] = []
        place = 0
        while place < len(words):
            last = self._longest(words, place)
            if last is None:
                place += 1
                continue
            end, name = last
            stop = words[end - 1].end
            stop += words[end - 1].key.endswith("|") and text[stop : stop + 1] == "."  # of an initial
            found.append(Match(words[place].start, stop, name, place, end))
            place = end
        return found

    def _longest(self, words: Sequence[Token], first: int) -> tuple[int, int] | None:
        key, best = "", None
        for place in range(first, min(first + LONGEST, len(words))):
            word = words[place]
            if place > first:
                if word.before == "/":
                    break
                key += word.before
            key += word.key
            if (name := self._keys.get(key)) is not None:
                best = place + 1, name
            after = bisect_left(self._sorted, key)
            if after == len(self._sorted) or not self._sorted[after].startswith(key):
                break
        return best


def key_of(form: str) -> str:
    """How a form is compared: its words, joined."""
    return "".join(("" if place == 0 else token.before) + token.key for place, token in enumerate(tokens(form)))
