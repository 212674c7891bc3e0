"""Find the forms of names in a text, at word borders, whatever the case, accents, hyphens and possessives."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlearned.names.parts import bare, is_initial, is_title, person_name
from unlearned.names.words import KEPT, OPENERS

_TOKEN = re.compile(r"[^\W_]+(?:['’](?=[^\W_]{3})[^\W_]+)*")
_WITHIN = re.compile(r"[ \t]{0,2}[-·'’]?[ \t]{0,2}")
_COMMA = re.compile(r"[ \t]?,[ \t]{0,2}")
_DOT = re.compile(r"\.[ \t]{0,2}-?")
MOST_MIDDLES = 2
"""Middle names that a text may have and the given name does not."""

LONGEST = 12
"""Words of the longest form that is looked for."""

LAST_NAME = 3
"""Words of the longest last name that is looked for behind other middle names."""


@dataclass(frozen=True, slots=True)
class WordToken:
    """A word of a text."""

    start: int
    end: int
    key: str
    """Key that `bare` gives; a single letter is marked, so that "A. Li" is not "Ali"."""

    before: str
    """What joins it to the word before: "" as in one name, "," of "Last, First", or "/" of words apart."""


@dataclass(frozen=True, slots=True)
class Match:
    """A place where a form of a name stands."""

    start: int
    end: int
    name: int
    """Index of the name of which it is a form."""

    first: int
    """Index of its first token."""

    last: int
    """Index behind its last one."""


def tokens(text: str) -> list[WordToken]:
    """The words of a text, and how each is joined to the one before."""
    found: list[WordToken] = []
    end = 0
    for match in _TOKEN.finditer(text):
        key = bare(match[0])
        if not key:
            continue
        gap = text[end : match.start()]
        found.append(WordToken(*match.span(), key if len(key) > 1 else f"{key}|", _joined(gap, found)))
        end = match.end()
    return found


def _joined(gap: str, before: Sequence[WordToken]) -> str:
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


@dataclass(frozen=True, slots=True)
class OpenMiddle:
    """A person's first and last name, between which other middle names may stand: "Thomas Alva Edison"."""

    first: str
    last: str
    """Both as `key_of` gives them."""

    initials: frozenset[str]
    """With which the middle names begin; empty = any letter, for a name that was given without any."""

    @classmethod
    def of(cls, name: str) -> OpenMiddle | None:
        """None for a name of one unit, or one whose middle names are known in full."""
        parsed = person_name(name)
        if len(parsed.units) < 2 or is_initial(parsed.first):
            return None
        if any(not is_initial(unit) for unit in parsed.middles):
            return None
        return cls(key_of(parsed.first), key_of(parsed.last), frozenset(bare(unit)[:1] for unit in parsed.middles))

    def takes(self, text: str, word: WordToken) -> bool:
        """Whether the word may be a middle name of this person, and not "met" in "Thomas met Edison"."""
        key = word.key.removesuffix("|")
        is_spelt_so = text[word.start].isupper() or (text == text.lower() and bool(self.initials))
        is_name = key.isalpha() and (word.key.endswith("|") or (is_spelt_so and key not in KEPT | OPENERS))
        return word.before == "" and is_name and (not self.initials or key[0] in self.initials)


class Matcher:
    """Finds forms of several names.

    Args:
        forms: of each name.
        middles: of each name, whether other middle names may stand in it; none given = of no name.
    """

    def __init__(self, forms: Sequence[Iterable[str]], middles: Sequence[OpenMiddle | None] = ()) -> None:
        self._middles: dict[str, list[tuple[int, OpenMiddle]]] = {}
        for name, middle in enumerate(middles):
            if middle is not None:
                self._middles.setdefault(middle.first, []).append((name, middle))
        keys: dict[str, int] = {}
        for name, own in enumerate(forms):
            for form in own:
                if key := key_of(form):
                    keys.setdefault(key, name)
        self._names = keys
        self.keys = sorted(keys)
        """All forms, as `key_of` gives them."""

        self.open_middles = tuple(own for found in self._middles.values() for _, own in found)
        self.first_words = frozenset(token.key for own in forms for form in own for token in tokens(form)[:1])

    def find(self, text: str, words: Sequence[WordToken] | None = None) -> list[Match]:
        """The longest forms in the text, from left to right, none within another."""
        words = tokens(text) if words is None else words
        found: list[Match] = []
        place = 0
        while place < len(words):
            last = self._longest(words, place) or self._with_middle(text, words, place)
            if last is None:
                place += 1
                continue
            end, name = last
            stop = words[end - 1].end
            stop += words[end - 1].key.endswith("|") and text[stop : stop + 1] == "."  # of an initial
            found.append(Match(words[place].start, stop, name, place, end))
            place = end
        return found

    def _with_middle(self, text: str, words: Sequence[WordToken], first: int) -> tuple[int, int] | None:
        for name, middle in self._middles.get(words[first].key, ()):
            for place in range(first + 1, min(first + 1 + MOST_MIDDLES, len(words) - 1)):
                if not middle.takes(text, words[place]):
                    break
                key = ""
                for end in range(place + 1, min(place + 1 + LAST_NAME, len(words))):
                    if words[end].before != "":
                        break
                    key += words[end].key
                    if key == middle.last:
                        return end + 1, name
        return None

    def _longest(self, words: Sequence[WordToken], first: int) -> tuple[int, int] | None:
        key, best = "", None
        for place in range(first, min(first + LONGEST, len(words))):
            word = words[place]
            if place > first:
                if word.before == "/":
                    break
                key += word.before
            key += word.key
            if (name := self._names.get(key)) is not None:
                best = place + 1, name
            after = bisect_left(self.keys, key)
            if after == len(self.keys) or not self.keys[after].startswith(key):
                break
        return best


def key_of(form: str) -> str:
    """How a form is compared: its words, joined."""
    return "".join(("" if place == 0 else token.before) + token.key for place, token in enumerate(tokens(form)))
