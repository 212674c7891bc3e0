"""Misspelt copies of examples: a classifier that has seen some does not depend on every letter of a name."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

import numpy as np

LEAST_LETTERS = 3
_WORD = re.compile(rf"[^\W\d_]{{{LEAST_LETTERS},}}")


def misspelt(texts: Sequence[str], seed: int = 0) -> list[str]:
    """Each text with one or two slips of the pen in a third of its words: letters swapped, dropped, doubled, mistaken.

    The same text gets the same slips whatever else is in the list.
    """
    return [_misspell(text, np.random.default_rng([seed, *text.encode()])) for text in texts]


def _misspell(text: str, random: np.random.Generator) -> str:
    words = [match.span() for match in _WORD.finditer(text)]
    if not words:
        return text
    chosen = random.choice(len(words), size=max(1, len(words) // 3), replace=False)
    for start, end in sorted((words[i] for i in chosen), reverse=True):  # from the end: earlier places stay valid
        word = text[start:end]
        for _ in range(int(random.integers(1, 3))):
            word = _slip(word, random)
        text = text[:start] + word + text[end:]
    return text


def _slip(word: str, random: np.random.Generator) -> str:
    if len(word) < LEAST_LETTERS:
        return word
    place = int(random.integers(0, len(word) - 1))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kind = int(random.integers(0, 4))
    if kind == 0:
        return before + after[0] + letter + after[1:]
    if kind == 1:
        return before + after
    if kind == 2:
        return before + letter + letter + after
    return before + string.ascii_lowercase[int(random.integers(0, 26))] + after
