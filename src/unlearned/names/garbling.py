"""Spellings that a reader undoes: letters shuffled inside words, vowels left out, words backwards, letters shifted."""

from __future__ import annotations

import re

import numpy as np

_WORD = re.compile(r"[^\W\d_]{3,}")
_VOWELS = re.compile("[aeiou]", re.IGNORECASE)
_LETTER = re.compile("[A-Za-z]")


def shuffled_letters(text: str, seed: int = 0) -> str:
    """Letters inside words in another order: the first and the last one stay."""
    return _WORD.sub(lambda match: _shuffled(match[0], seed), text)


def without_vowels(text: str) -> str:
    """Words without vowels, but for one that they begin with; a word of nothing else stays."""
    return re.sub(r"[^\W\d_]+", lambda match: match[0][0] + _VOWELS.sub("", match[0][1:]), text)


def backwards(text: str) -> str:
    """Every word backwards, in its place."""
    return re.sub(r"[^\W\d_]+", lambda match: match[0][::-1], text)


def shifted(text: str, by: int = 13) -> str:
    """Every letter moved through the alphabet."""
    return _LETTER.sub(lambda match: _moved(match[0], by), text)


def _moved(letter: str, by: int) -> str:
    base = ord("a") if letter.islower() else ord("A")
    return chr(base + (ord(letter) - base + by) % 26)


def _shuffled(word: str, seed: int) -> str:
    if len(set(word[1:-1].lower())) < 2:
        return word
    random = np.random.default_rng([seed, *word.encode()])
    inner = list(word[1:-1])
    while inner == list(word[1:-1]):
        random.shuffle(inner)
    return word[0] + "".join(inner) + word[-1]


GARBLINGS = {
    "letters shuffled": shuffled_letters,
    "no vowels": without_vowels,
    "backwards": backwards,
    "rot13": shifted,
}
