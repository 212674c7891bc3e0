"""The lexicons of many scopes as one: a text is searched once for the names of all of them.

A thousand people share a few hundred first names. Nearly every text with such a name has no form of anybody's whole
name, and says the same to all who have it as a part: itself, and itself without that word. What is found is what
`Lexicon.said` finds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from unlearned.classify.decoding import everyday_words
from unlearned.classify.lexicon import Lexicon, ScopeText
from unlearned.names.matcher import LAST_NAME, LONGEST, MOST_MIDDLES, WordToken, tokens
from unlearned.names.people import Parts, asks, is_lone
from unlearned.substitution.substitution import Replacement, replaced


class JointLexicons:
    """What texts say to S scopes.

    Args:
        lexicons: of the scopes, in their order.
    """

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self._lexicons = lexicons
        self._telling = frozenset[str]().union(*(lexicon.telling for lexicon in lexicons))
        self._weak: dict[str, list[int]] = {}
        self._strong: dict[str, list[tuple[int, Parts]]] = {}
        self._forms: dict[str, list[int]] = {}
        self._middles: dict[str, dict[str, list[int]]] = {}  # first name -> last name -> scopes
        for scope, lexicon in enumerate(lexicons):
            for parts in lexicon.parts:
                for word in parts.weak:
                    self._weak.setdefault(word, []).append(scope)
                for word in parts.strong:
                    self._strong.setdefault(word, []).append((scope, parts))
            for form in lexicon.matcher.keys:
                self._forms.setdefault(form, []).append(scope)
            for middle in lexicon.matcher.open_middles:
                self._middles.setdefault(middle.first, {}).setdefault(middle.last, []).append(scope)
        self._sorted = sorted(self._forms)

    def said(self, text: str) -> dict[int, ScopeText]:
        """Scope -> what the text says to it; only where that is not just the text itself."""
        if not self._telling:
            return {}
        words = tokens(text)
        if self._telling.isdisjoint(word.key for word in words):
            return {}
        whole = self._with_a_form(words)
        found = {scope: self._lexicons[scope].said(text, words) for scope in whole}
        found |= self._of_parts(text, words, whole)
        return {scope: found[scope] for scope in sorted(found) if found[scope] != ScopeText(text, None, False)}

    def _with_a_form(self, words: Sequence[WordToken]) -> set[int]:
        """The scopes of which some form may stand in the text, and some more."""
        found = set[int]()
        for first, word in enumerate(words):
            key = ""
            for place in range(first, min(first + LONGEST, len(words))):
                if place > first and words[place].before == "/":
                    break
                key += ("" if place == first else words[place].before) + words[place].key
                found.update(self._forms.get(key, ()))
                after = bisect_left(self._sorted, key)
                if after == len(self._sorted) or not self._sorted[after].startswith(key):
                    break
            if (lasts := self._middles.get(word.key)) is not None:
                found |= _with_a_last_name(words, first, lasts)
        return found

    def _of_parts(self, text: str, words: Sequence[WordToken], whole: set[int]) -> dict[int, ScopeText]:
        """What a text says to scopes of whose names it has parts alone: nearly always the same to many of them."""
        everyday, is_asked = everyday_words(), asks(words)
        struck: dict[int, dict[int, None]] = {}
        for place, word in enumerate(words):
            for scope in self._weak.get(word.key, ()):
                if scope not in whole:
                    struck.setdefault(scope, {})[place] = None
            for scope, parts in self._strong.get(word.key, ()):
                if scope not in whole and is_lone(text, words, place, parts, everyday, is_asked=is_asked):
                    struck.setdefault(scope, {})[place] = None
        less: dict[tuple[int, ...], ScopeText] = {}
        found = {}
        for scope, places in struck.items():
            key = tuple(places)
            if key not in less:
                without = replaced(text, [Replacement(words[place].start, words[place].end, "") for place in key])
                less[key] = ScopeText(text, without, False)
            found[scope] = less[key]
        return found


def _with_a_last_name(words: Sequence[WordToken], first: int, lasts: dict[str, list[int]]) -> set[int]:
    found = set[int]()
    for start in range(first + 2, min(first + 2 + MOST_MIDDLES, len(words))):
        key = ""
        for place in range(start, min(start + LAST_NAME, len(words))):
            key += words[place].key
            found.update(lasts.get(key, ()))
    return found
