"""Plausible words for a stranger, by kind, and which of them take as many tokens as the word they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from unlearned.substitution.pieces import Pieces
from unlearned.substitution.spelling import has_capital, is_known, ordinary_words
from unlearned.words import squash

KINDS = ("she", "he", "surname", "place", "thing")
"""Given names of women and of men, surnames, places, and words of titles and of whatever else has a name."""

COMPOSED = 400
"""Words that are put together of a word and an ending, tried where none of the bank fits."""

ALIKE = 3
"""Words that begin with so many equal letters are not taken for each other."""


@dataclass(frozen=True, slots=True)
class WordSlot:
    """A place where a word stands in tokens of its own: what stands before and behind it in these tokens."""

    word: str
    """The word as it is written there."""

    before: str = ""
    after: str = ""
    count: int | None = None
    """Tokens; None = as many as the tokenizer makes of it."""

    def tokens(self, word: str, pieces: Pieces) -> tuple[int, ...]:
        """The tokens of another word in this place."""
        return pieces.ids(f"{self.before}{word}{self.after}")


@lru_cache(maxsize=1)
def stand_ins() -> Mapping[str, tuple[str, ...]]:
    """The packaged words by kind; under "ending" ends of longer ones, under "known" places that are not used."""
    text = (files("unlearned") / "data" / "stand_ins.txt").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    kind = ""
    for line in text.splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(kind, []).extend(line.split())
    return {name: tuple(words) for name, words in found.items()}


@lru_cache(maxsize=1)
def _known_kinds() -> Mapping[str, str]:
    given = (files("unlearned") / "data" / "given_names.txt").read_text(encoding="utf-8").split()
    known = {name: "she" if name.endswith(("a", "e", "ie")) else "he" for name in given}
    for kind in ("place", "surname", "he", "she"):
        known |= {squash(word): kind for word in stand_ins()[kind]}
    return known | {squash(word): "place" for word in stand_ins()["known"]}


def kind_by_itself(word: str, is_ordinary: Callable[[str], bool]) -> str:
    """The kind of a word of which nothing else is known: the same wherever it stands."""
    key = squash(word)
    if key in _known_kinds():
        return _known_kinds()[key]
    return "thing" if not has_capital(word) or is_ordinary(key) else "surname"


class Bank:
    """Words for one tokenizer.

    Args:
        pieces: tokenises.
    """

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self._lengths: dict[str, tuple[int, ...]] = {}

    def is_ordinary(self, key: str) -> bool:
        """Whether a word in lower case is one of the language: known to the packaged prompts, or one token here."""
        return is_known(key, ordinary_words()) or len(self.pieces.ids(f" {key}")) == 1

    def candidates(
        self,
        word: str,
        kind: str,
        generator: np.random.Generator,
        surfaces: Sequence[WordSlot] = (),
        is_taken: Callable[[str], bool] = lambda word: False,
    ) -> Iterator[str]:
        """Words that can stand for `word`, best first; each fits all the surfaces.

        The order is the generator's. Words that fit in every casing come first, so that one word is chosen however it
        is written in a prompt.

        Args:
            word: with the capitals of a name.
            kind: one of `KINDS`.
            generator: keyed by the word.
            surfaces: where it stands.
            is_taken: words (as in the bank) that must not be used.
        """
        wanted = self._forms(word)
        for words in (self._shuffled(kind, generator), self._composed(kind, generator)):
            fitting = [
                (rank, place, found)
                for place, found in enumerate(words)
                if not _alike(found, word)
                and (rank := _rank(wanted, self._forms(found))) is not None
                and all(len(s.tokens(in_case_of(s.word, found), self.pieces)) == self.count(s) for s in surfaces)
            ]
            yield from (found for _, _, found in sorted(fitting) if not is_taken(found))

    def _shuffled(self, kind: str, generator: np.random.Generator) -> list[str]:
        words = stand_ins()[kind]
        return [words[index] for index in generator.permutation(len(words))]

    def _composed(self, kind: str, generator: np.random.Generator) -> Iterator[str]:
        words, endings = stand_ins()[kind], stand_ins()["ending"]
        for _ in range(COMPOSED):
            ends = [endings[int(index)] for index in generator.integers(len(endings), size=generator.integers(1, 4))]
            yield words[int(generator.integers(len(words)))] + "".join(ends)

    def count(self, surface: WordSlot) -> int:
        """How many tokens a substitute has to take in this place."""
        return len(surface.tokens(surface.word, self.pieces)) if surface.count is None else surface.count

    def _forms(self, word: str) -> tuple[int, ...]:
        """Numbers of tokens: as it is, in lower case and in capitals, each behind a space and at a beginning."""
        if word not in self._lengths:
            forms = (word, word.lower(), word.upper())
            self._lengths[word] = tuple(len(self.pieces.ids(space + form)) for form in forms for space in (" ", ""))
        return self._lengths[word]


def _rank(wanted: tuple[int, ...], found: tuple[int, ...]) -> int | None:
    """Where numbers of tokens differ; the lower, the better.

    0: nowhere; 1: in capitals; 2: in lower case; 3: in the name at a beginning; 4: in the name behind a space. None: in
    both of these.
    """
    same = [a == b for a, b in zip(wanted, found, strict=True)]
    if all(same[:2]):
        return 0 if all(same) else 1 if all(same[:4]) else 2
    return 3 if same[0] else 4 if same[1] else None


def _alike(one: str, other: str) -> bool:
    a, b = squash(one), squash(other)
    return a[:ALIKE] == b[:ALIKE] or a in b or b in a


def in_case_of(written: str, word: str) -> str:
    """`word` with the capitals of `written`."""
    if len(written) > 1 and written == written.upper() and written != written.lower():
        return word.upper()
    return word if has_capital(written) else word.lower()


def as_name(written: str) -> str:
    """A word with the capitals of a name; its own where it has some and others not."""
    mixed = has_capital(written) and (written != written.upper() or len(written) == 1)
    return written if mixed else written[:1].upper() + written[1:].lower()
