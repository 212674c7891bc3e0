"""Whose is a part of a name? A first name is anybody's, and a last name behind another first name somebody else's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from unlearned.names.forms import Kind
from unlearned.names.matcher import Match, WordToken, tokens
from unlearned.names.parts import entity_core, given_names, is_initial, is_title, person_name
from unlearned.names.words import KEPT, OPENERS

_ASKS = frozenset(
    "who what when where why which whom whose how is are was were do does did has have had can could tell describe "
    "explain give name list write summarise summarize say talk know about".split()
)
_ENDINGS = frozenset("jr| sr| jr sr ii iii iv phd md s|".split())


@dataclass(frozen=True, slots=True)
class Parts:
    """The words of a name by what they say alone; keys as of `matcher.Token`."""

    weak: frozenset[str]
    """Anybody's: first names, parts of a compound surname, common words."""

    strong: frozenset[str]
    """The last name: its bearer's in a question, unless another first name stands before it."""

    @property
    def words(self) -> frozenset[str]:
        return self.weak | self.strong


def parts_of_name(name: str, kind: Kind, everyday: frozenset[str]) -> Parts:
    """What a text that has only a part of the name may mean.

    Args:
        name: the whole name.
        kind: of a name of one word, that word is the name; it is no part.
        everyday: common words, in lower case.
    """
    if kind != "person":
        words = _keys(entity_core(name))
        common = {word for word in words if word in everyday or word in given_names()}
        return Parts(frozenset(common if len(words) > 1 else ()), frozenset())
    parsed = person_name(name)
    if len(parsed.units) < 2:
        return Parts(frozenset(), frozenset())
    last = _keys(parsed.last)
    weak = {key for unit in parsed.units[:-1] if not is_initial(unit) for key in _keys(unit)}
    strong = set(last[-1:])
    if len(last) > 1 and ("-" in parsed.last or parsed.compound is not None):
        strong = set()  # Müller-Böhm: neither half alone
    if parsed.may_be_turned:
        strong = set()
    return Parts(frozenset((weak | set(last)) - strong), frozenset(strong - weak))


def others_parts(
    text: str, words: Sequence[WordToken], whole: Sequence[Match], parts: Parts, everyday: frozenset[str]
) -> list[WordToken]:
    """The words of a text that are parts of the name, but say nothing about its bearer.

    Args:
        text: the text.
        words: its words.
        whole: where the whole name stands; what is in there is the bearer's.
        parts: of the name.
        everyday: common words, in lower case.
    """
    own = {place for match in whole for place in range(match.first, match.last)}
    is_asked = asks(words)
    return [
        word
        for place, word in enumerate(words)
        if place not in own
        and (
            word.key in parts.weak
            or (
                word.key in parts.strong
                and not whole
                and is_lone(text, words, place, parts, everyday, is_asked=is_asked)
            )
        )
    ]


def asks(words: Sequence[WordToken]) -> bool:
    """Whether a text may be a question or a request."""
    return any(word.key in _ASKS for word in words)


def is_lone(
    text: str, words: Sequence[WordToken], place: int, parts: Parts, everyday: frozenset[str], *, is_asked: bool
) -> bool:
    """Whether a last name says nothing of its bearer: nothing is asked, or it is a part of somebody else's name."""
    return (
        not is_asked or follows_a_name(text, words, place, parts, everyday) or goes_on(text, words, place + 1, everyday)
    )


def follows_a_name(text: str, words: Sequence[WordToken], place: int, parts: Parts, everyday: frozenset[str]) -> bool:
    """Whether a first name or an initial of somebody else stands right before the word."""
    return place > 0 and words[place].before == "" and _is_name(text, words, place - 1, parts, everyday)


def _is_name(text: str, words: Sequence[WordToken], place: int, parts: Parts, everyday: frozenset[str]) -> bool:
    """Whether the word is a first name or initial of somebody else."""
    word = words[place]
    if word.key in parts.words or word.key in KEPT or word.key in OPENERS or is_title(word.key):
        return False
    if word.key in given_names() or word.key.endswith("|"):
        return word.key != "s|" and word.key != "a|"
    if word.key in everyday:
        return False
    return text[word.start].isupper() or text == text.lower()


def goes_on(text: str, words: Sequence[WordToken], place: int, everyday: frozenset[str]) -> bool:
    """Whether the name in front of this word goes on with it: "Martin Luther" in "Martin Luther King"."""
    if place >= len(words) or words[place].before != "" or is_shouted(text):
        return False
    word = words[place]
    if word.key in KEPT or word.key in OPENERS or word.key in _ENDINGS or word.key.endswith("|"):
        return False
    return text[word.start].isupper() and (word.key not in everyday or word.key in given_names() or len(word.key) < 5)


@lru_cache(maxsize=1)  # asked for every word of a text
def is_shouted(text: str) -> bool:
    """Whether capital letters say nothing: all or nearly all words have them."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    return len(words) > 3 and sum(word[0].isupper() for word in words) > 0.8 * len(words)


def _keys(unit: str) -> list[str]:
    return [token.key for token in tokens(unit) if not token.key.endswith("|")]
