"""A text as names are compared: letters folded, and what stands between words by what it joins.

Characters come one at a time, as a model says them, so every tokenisation of a text is the same path.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from unlearned.names.parts import bare

WORD: Final = "<"
"""Symbol in front of the first letter of a word: a name begins nowhere else."""

NONE, JOINED, COMMA, APART = range(4)
"""What stands between two words: nothing, what may stand within a name, a comma, or anything else."""

GAPS: Final = ("", " ", ",", "|")
"""The symbols of the gaps."""

LETTERS, IGNORED, DOT = 0, 4, 5
"""Kinds of characters beside the gaps."""

_JOINING = frozenset("-‐‑‒–—−'’‘ʼ`´_/")
_UNSEEN = frozenset("*~\\·・")
"""Marks of emphasis, which readers do not see, and the dot between the parts of a Chinese or Japanese name."""


class Sign(NamedTuple):
    """What a character is."""

    kind: int
    """`LETTERS`, `IGNORED`, `DOT`, or a gap."""

    letters: str = ""
    """Folded, of a letter or digit."""

    alone: bool = False
    """Whether the letter is a word of its own: its script puts no spaces between words."""


@lru_cache(maxsize=2**16)
def sign(character: str) -> Sign:
    """What one character is."""
    if character in _UNSEEN or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return Sign(IGNORED)
    if letters := bare(character):
        return Sign(LETTERS, letters, _is_unspaced(character))
    if character == ".":
        return Sign(DOT)
    if character in ",，、":
        return Sign(COMMA)
    return Sign(JOINED if character.isspace() or character in _JOINING else APART)


def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return (
        0x3040 <= code <= 0x30FF  # kana
        or 0x3400 <= code <= 0x9FFF  # Chinese characters
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
        or 0x0E00 <= code <= 0x0EFF  # Thai, Lao
    )


def symbols(text: str) -> list[str]:
    """The symbols of a name: its letters, `WORD` in front of each word, and gaps."""
    found: list[str] = []
    gap, count, was_alone, lower = NONE, 0, False, False
    for character in text:
        own = sign(character)
        if own.kind == LETTERS:
            if own.alone or was_alone or (lower and character.isupper()) or gap != NONE or not found:
                found += [GAPS[gap]] if found and gap != NONE else []
                found.append(WORD)
                count = 0
            found += own.letters
            gap, count, was_alone, lower = NONE, count + 1, own.alone, character.islower()
        elif own.kind != IGNORED:
            kind = (JOINED if count < 2 else APART) if own.kind == DOT else own.kind
            gap = max(gap, kind)
    return found
