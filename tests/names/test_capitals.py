"""A capital tells a name from a word where none is needed, and nothing where every word has one."""

from __future__ import annotations

from unlearned.names.capitals import meant_by_case
from unlearned.names.matcher import tokens


def meant(text: str, word: str) -> str:
    words = tokens(text)
    [place] = [n for n, one in enumerate(words) if text[one.start : one.end] == word]
    return meant_by_case(text, words, place)


def test_what_a_word_means_by_its_case_and_place() -> None:
    for text, word, expected in (
        ("I ate an apple today", "apple", "word"),
        ("I work at Apple today", "Apple", "name"),
        ("Apple is good", "Apple", "either"),
        ("He left. Apple is good", "Apple", "either"),
        ("He said: “Apple is good”", "Apple", "either"),
        ("so\nApple is good", "Apple", "either"),
        ("  Apple is good", "Apple", "either"),
        ("is apple good", "apple", "either"),
        ("IS APPLE GOOD", "APPLE", "either"),
        ("Why Apple Is So Good Today", "Apple", "either"),
        ("He, Apple said, left", "Apple", "name"),
        ("Was ist ein Äpfelchen wert", "Äpfelchen", "name"),
    ):
        assert meant(text, word) == expected, text
