"""Whether a word that is also a name stands for the name, as far as capital letters tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from unlearned.names.matcher import WordToken
from unlearned.names.people import is_shouted

Meant = Literal["name", "word", "either"]

_OPENS = '.!?:;\n"“”‘(['
"""Before a word that has a capital wherever it comes from."""


def meant_by_case(text: str, words: Sequence[WordToken], place: int) -> Meant:
    """What is meant by one word of a text.

    Args:
        text: any.
        words: its tokens.
        place: index of the word.

    Returns:
        "name" for a capital where none is needed, "word" for a small letter in a text that has capitals, and "either"
        where capitals tell nothing: at the beginning of a sentence, in headlines, without any capitals, in shouting.
    """
    if text.islower() or text.isupper() or is_shouted(text):
        return "either"
    word = words[place]
    if not text[word.start].isupper():
        return "word"
    before = text[: word.start].rstrip(" \t")
    return "either" if not before or before[-1] in _OPENS else "name"
