"""A word is the same in any casing, with or without its accents and marks."""

from __future__ import annotations

from cases import every
from unlearned.words import squash


def test_letters_and_digits_are_left_in_lower_case_without_accents() -> None:
    for text, key in {
        "O'Brien-2": "obrien2",
        "ZOÉ": "zoe",
        "Zoe\u0301": "zoe",
        "Ｈａｒｒｙ": "harry",
        "ﬁ": "fi",
        "Straße": "straße",
        "日本": "日本",
        "Привет!": "привет",
        "²": "2",
        "": "",
        "?! \n": "",
        "🦊": "",
    }.items():
        assert squash(text) == key, text


@every("text", ["O'Brien-2", "ZOÉ", "Ｈａｒｒｙ", "İstanbul", "ẞ", "Å", "日本", "ǅ"])
def test_a_key_is_its_own_key(text: str) -> None:
    assert squash(squash(text)) == squash(text)
    assert squash(text.lower()) == squash(text)
