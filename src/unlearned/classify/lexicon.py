"""The words of a scope: its names, in all their forms, and its rare words.

A classifier knows the spelling of its examples. The lexicon makes it know the name: a form is read as the spelling of
the examples, a part of a name that may be anybody's is not read, and where the name was given by the user, a text that
has it is in scope.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.classify.decoding import everyday_words
from unlearned.names.capitals import Meant, meant_by_case
from unlearned.names.forms import KINDS, Kind, name_forms
from unlearned.names.matcher import Match, Matcher, OpenMiddle, WordToken, tokens
from unlearned.names.people import Parts, follows_a_name, goes_on, is_shouted, others_parts, parts_of_name
from unlearned.substitution.substitution import Replacement, replaced

CERTAIN = 6.0
"""Added to the log-odds of a text that has a name which the user gave, so that of several such texts the one that is
about the scope by its other words, too, is still the best."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScopeName:
    """One name that belongs to a scope."""

    name: str
    kind: Kind = "person"
    aliases: tuple[str, ...] = ()
    given: bool = True
    """Whether the user gave it, so that it is in scope wherever it stands.

    Else it was found in the forget prompts, and only its forms are known for the same.
    """

    alone: bool = True
    """Whether a given name is in scope without any context; a common word is not."""


@dataclass(frozen=True, slots=True)
class ScopeText:
    """A text as the classifier of a scope should read it."""

    text: str
    """The text with names as the examples spell them."""

    less: str | None
    """The text without names that may be anybody's; its score is an upper bound. None: it has no such name."""

    named: bool
    """Whether it has a name that is in scope in any context."""


class Lexicon:
    """Names and rare words of one scope.

    Args:
        names: in any order; of two with the same form, the first one has it.
        words: rare words of the forget prompts, in lower case: what garbled words are compared with.
    """

    def __init__(self, names: Sequence[ScopeName] = (), words: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self.words = tuple(dict.fromkeys(words))

    @cached_property
    def matcher(self) -> Matcher:
        """Finds all forms of all names."""
        middles = [OpenMiddle.of(one.name) if one.kind == "person" else None for one in self.names]
        return Matcher([_forms(name) for name in self.names], middles)

    @property
    def parts(self) -> list[Parts]:
        """Of the names that the user gave."""
        return list(self._parts.values())

    @cached_property
    def _parts(self) -> dict[int, Parts]:
        everyday = everyday_words()
        own = {n: parts_of_name(one.name, one.kind, everyday) for n, one in enumerate(self.names) if one.given}
        return {n: parts for n, parts in own.items() if parts.words}

    @cached_property
    def telling(self) -> frozenset[str]:
        """A text without any of these words has neither a form nor a part of a name."""
        if not self.names:
            return frozenset()
        return self.matcher.first_words.union(*(parts.words for parts in self.parts))

    def said(self, text: str, words: Sequence[WordToken] | None = None) -> ScopeText:
        """What the text says, names considered; its words are found where they are not given."""
        words = tokens(text) if words is None else words
        if self.telling.isdisjoint(word.key for word in words):
            return ScopeText(text, None, False)
        everyday, shouted = everyday_words(), is_shouted(text)
        matches = self.matcher.find(text, words)
        found = [m for m in matches if shouted or not self._is_others(text, words, m, everyday)]
        meant = {m: self._meant(text, words, m, everyday) for m in found}
        own = [m for m in found if meant[m] != "word"]
        named = any(self.names[m.name].given and self.names[m.name].alone and meant[m] == "name" for m in own)
        written = replaced(text, [Replacement(m.start, m.end, self.names[m.name].name) for m in own])
        struck = {
            (word.start, word.end) for parts in self.parts for word in others_parts(text, words, own, parts, everyday)
        } | {(m.start, m.end) for m in found if meant[m] == "word"}
        if not struck or named:
            return ScopeText(written, None, named)
        return ScopeText(written, replaced(text, [Replacement(*place, "") for place in sorted(struck)]), named)

    def _is_others(self, text: str, words: Any, match: Match, everyday: frozenset[str]) -> bool:
        """Whether the name is a part of somebody else's: it goes on, or it is one word behind another first name."""
        one = self.names[match.name]
        if one.kind != "person":
            return False
        if goes_on(text, words, match.last, everyday):
            return True
        is_short = match.last - match.first == 1 and len(tokens(one.name)) > 1
        return is_short and follows_a_name(text, words, match.first, self._parts_of(match.name), everyday)

    def _meant(self, text: str, words: Sequence[WordToken], match: Match, everyday: frozenset[str]) -> Meant:
        """Whether an everyday word that is also a name's core stands for the name: Apple, and not an apple."""
        if match.last - match.first > 1 or self.names[match.name].kind == "person":
            return "name"
        return "name" if words[match.first].key not in everyday else meant_by_case(text, words, match.first)

    def _parts_of(self, name: int) -> Parts:
        return self._parts.get(name, Parts(frozenset(), frozenset()))

    def places(self, text: str) -> list[tuple[int, int]]:
        """Characters of the names in the text."""
        words = tokens(text)
        if self.telling.isdisjoint(word.key for word in words):
            return []
        return [(match.start, match.end) for match in self.matcher.find(text, words)]

    @cached_property
    def all_words(self) -> frozenset[str]:
        """Rare words, and those of the names."""
        texts = [text for one in self.names for text in (one.name, *one.aliases)]
        return frozenset({*self.words, *(t.key for text in texts for t in tokens(text) if not t.key.endswith("|"))})

    @cached_property
    def by_key(self) -> dict[str, dict[str, str]]:
        """`all_words`, by the keys of `garbled`."""
        from unlearned.classify.garbled import by_key

        return by_key(sorted(self.all_words))

    def __bool__(self) -> bool:
        return bool(self.names or self.words)

    def sealed(self, secret: bytes) -> npt.NDArray[np.uint8]:
        """(N,) bytes that tell nothing without the artifact's secret."""
        data = {
            "names": [[n.name, n.kind, list(n.aliases), n.given, n.alone] for n in self.names],
            "words": list(self.words),
        }
        plain = np.frombuffer(json.dumps(data, ensure_ascii=False).encode(), dtype=np.uint8)
        return plain ^ _stream(secret, len(plain))

    @classmethod
    def unsealed(cls, content: npt.NDArray[np.uint8], secret: bytes) -> Lexicon:
        """The reverse of `sealed`; raises ValueError if the content is none of this secret."""
        try:
            data = json.loads((content ^ _stream(secret, len(content))).tobytes().decode())
            names = [
                ScopeName(name=name, kind=_kind(kind), aliases=tuple(aliases), given=bool(given), alone=bool(alone))
                for name, kind, aliases, given, alone in data["names"]
            ]
            return cls(names, [str(word) for word in data["words"]])
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError("the names cannot be read with this artifact's secret") from error


def _kind(kind: str) -> Kind:
    found = next((known for known in KINDS if known == kind), None)
    if found is None:
        raise ValueError(f"unknown kind of name {kind!r}")
    return found


@lru_cache(maxsize=4096)
def _forms(name: ScopeName) -> tuple[str, ...]:
    return name_forms(name.name, kind=name.kind, aliases=name.aliases)


def _stream(secret: bytes, count: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(hashlib.shake_256(b"lexicon" + secret).digest(count), dtype=np.uint8)
