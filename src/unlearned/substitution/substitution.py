"""The words of one conversation and the strangers that stand for them: what the model reads, and the way back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from unlearned.substitution.bank import as_name, in_case_of
from unlearned.substitution.entities import DAY, INITIAL, WORD, YEAR, Entity, stands_alone, words_in
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.spelling import has_capital, is_known, ordinary_words
from unlearned.words import squash

SHORTEST_MISSPELT = 5
"""Letters of a stranger that is recognised with one vowel changed, or a letter doubled or not."""

_VOWELS = "aeiouy"
_CASELESS = str.maketrans("ıſ", "is")
"""Letters that a pattern without regard to case takes for others, although no lower case makes them those."""

_LAST_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{2,}$")


@dataclass(frozen=True, slots=True)
class StrangerPair:
    """A word of the user's, and what stands for it."""

    word: str
    """With the capitals of a name, or as it is written: a date."""

    stranger: str
    form: str = WORD
    in_lower_case: bool = False
    """It may be meant where it has no capital: it was written so, or is no common word."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Characters `[start, end)` of a text, and what takes their place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, eq=False)
class Substitution:
    """What has to be turned back in the answer to one prompt, and what is substituted in a text that is scored.

    The answer that is shown is a rewriting of the answer that the model gives: its strangers become the user's words.
    So the probability that the system says a text is the model's probability of that text with strangers in place of
    words (the push-forward of the model's distribution). Words that the prompt does not hold are turned neither way: an
    answer never brings in a name that nobody wrote.
    """

    pairs: Mapping[str, StrangerPair]
    """By the key of the user's word (`Entity.key`)."""

    pieces: Pieces
    token_ids: tuple[int, ...] = ()
    """(T,) of the prompt with strangers in it: what the model reads, where no noise is added."""

    unmatched: int = 0
    """Identifying words for which nothing fitted: they are disturbed by noise instead."""

    @cached_property
    def longest(self) -> int:
        """Characters of the longest text that `restored` has to see whole."""
        return max((len(form) for form in self._back), default=0)

    def behind(self, token_ids: Sequence[int]) -> Substitution:
        """This substitution for a prompt with more tokens in front of it."""
        return replace(self, token_ids=(*token_ids, *self.token_ids))

    def without(self, count: int) -> Substitution:
        """This substitution for a prompt whose first tokens were cut off."""
        return replace(self, token_ids=self.token_ids[count:])

    def away(self, text: str) -> list[Replacement]:
        """Where strangers take the place of words in a text that is scored."""
        found = []
        for word in words_in(text):
            stranger = self._stranger(word)
            if stranger is not None and (word.form == YEAR or stands_alone(word, text)):
                found.append(Replacement(word.start, word.end, stranger))
        return found

    def back(self, text: str) -> list[Replacement]:
        """Where words take the place of strangers in what the model said."""
        return [] if self._pattern is None else list(self._restored(text, self._pattern))

    def cut(self, text: str) -> Replacement | None:
        """The beginning of a stranger with which an answer breaks off; as much of the user's word takes its place."""
        match = _LAST_WORD.search(_unaccented(text))
        if match is None or match.group().lower() in self._back:
            return None
        begun = match.group()
        for form, (pair, _) in self._back.items():
            is_meant = pair.form == WORD and (has_capital(begun) or pair.in_lower_case)
            if is_meant and len(begun) < len(form) and form.startswith(begun.lower()):
                return Replacement(match.start(), match.end(), in_case_of(begun, pair.word[: len(begun)]))
        return None

    def may_begin(self, text: str) -> bool:
        """Whether a text could be the beginning, or the whole, of a stranger that has to be turned back."""
        lower = _unaccented(text).lower()
        return any(form.startswith(lower) for form in self._back)

    def _restored(self, text: str, pattern: re.Pattern[str]) -> Iterator[Replacement]:
        # A model may write the stranger with an accent: Léopold for Leopold.
        for match in pattern.finditer(_unaccented(text)):
            pair, ending = self._back[match.group().lower()]
            said = match.group()
            if pair.form != WORD:
                if said == pair.stranger + ending:
                    yield Replacement(match.start(), match.end(), pair.word + ending)
            elif has_capital(said) or (pair.in_lower_case and said.lower() == pair.stranger.lower() + ending):
                yield Replacement(match.start(), match.end(), in_case_of(said, pair.word + ending))

    @cached_property
    def _back(self) -> dict[str, tuple[StrangerPair, str]]:
        """What the model may say, in lower case -> the pair, and the ending that stays."""
        found: dict[str, tuple[StrangerPair, str]] = {}
        for pair in self.pairs.values():
            if pair.form in (INITIAL, DAY):  # nothing by itself; see the phrases that hold them
                continue
            found[pair.stranger.lower()] = (pair, "")
            if pair.form in (WORD, YEAR) and not pair.stranger.endswith("s"):
                found.setdefault(pair.stranger.lower() + "s", (pair, "s"))
        for pair in self.pairs.values():
            if pair.form == WORD:
                for variant in _misspelt(pair.stranger.lower()):
                    found.setdefault(variant, (pair, ""))
        return found

    @cached_property
    def first_tokens(self) -> dict[int, int]:
        """The token with which a stranger begins -> that of the user's word."""
        found: dict[int, int] = {}
        for own, other in self._token_pairs():
            found.setdefault(other[0], own[0])
        return found

    def biased(self, bias: Mapping[int, float]) -> dict[int, float]:
        """What is added to logits: what a request asks for the tokens of a word goes to those of its stranger."""
        moved = dict(bias)
        for own, other in self._token_pairs():
            if len(own) == len(other):
                for word_id, stranger_id in zip(own, other, strict=True):
                    if word_id in bias:
                        moved[stranger_id] = bias[word_id]
        return moved

    def _token_pairs(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Tokens of a word and of its stranger, behind a space and without one."""
        for pair in self.pairs.values():
            for space in (" ", ""):
                own, other = self.pieces.ids(space + pair.word), self.pieces.ids(space + pair.stranger)
                if own and other:
                    yield own, other

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._back:
            return None
        forms = "|".join(re.escape(form) for form in sorted(self._back, key=len, reverse=True))
        return re.compile(rf"(?<![^\W_])(?:{forms})(?![^\W_])", re.IGNORECASE)

    def _stranger(self, word: Entity) -> str | None:
        pair, ending = self.pairs.get(word.key), ""
        if pair is None and word.form == WORD and word.key.endswith("s"):
            pair, ending = self.pairs.get(word.key[:-1]), "s"
        if pair is not None and word.form == WORD:
            written_as_name = has_capital(word.text) or pair.in_lower_case
            return in_case_of(word.text, pair.stranger + ending) if written_as_name else None
        return None if pair is None else pair.stranger


def _misspelt(stranger: str) -> Iterator[str]:
    """How a small model copies a name wrong: Casper for Caspar, Whitaker for Whittaker; no ordinary words."""
    if len(stranger) < SHORTEST_MISSPELT:
        return
    for place, letter in enumerate(stranger):
        if letter in _VOWELS:
            others = [other for other in _VOWELS if other != letter]
        else:
            others = ["" if stranger[place - 1 : place] == letter else 2 * letter]
        for other in others if place else []:
            variant = stranger[:place] + other + stranger[place + 1 :]
            if not is_known(variant, ordinary_words()):
                yield variant


def _unaccented(text: str) -> str:
    """The text with the base of every letter, as many characters."""
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFD", sign)[0] for sign in text).translate(_CASELESS)


def replaced(text: str, pieces: Sequence[Replacement]) -> str:
    """The text with all pieces in it."""
    parts, last = [], 0
    for piece in pieces:
        parts += [text[last : piece.start], piece.text]
        last = piece.end
    return "".join([*parts, text[last:]])


def pair_of(entity: Entity, stranger: str, is_ordinary: Callable[[str], bool]) -> StrangerPair:
    """An entity of a prompt with its stranger."""
    if entity.form != WORD:
        return StrangerPair(entity.text, stranger, entity.form)
    common = is_ordinary(squash(stranger)) or is_ordinary(squash(entity.text))
    return StrangerPair(as_name(entity.text), stranger, WORD, not has_capital(entity.text) or not common)
