"""A text is read letter by letter, and every spelling of a name is the same symbols."""

from __future__ import annotations

from cases import every
from unlearned.answers.folding import APART, COMMA, DOT, GAPS, IGNORED, JOINED, LETTERS, NONE, WORD, sign, symbols


def spelt(text: str) -> str:
    return "".join(symbols(text))


def test_every_character_is_one_kind_of_sign() -> None:
    for characters, kind in (
        ("aZ9éß日бا", LETTERS),
        (" \t\u00a0-–'’_/", JOINED),
        (",，、", COMMA),
        (".", DOT),
        ('()!?;:"\u3002', APART),
        ("*~\\·\u0301\u200b\u00ad", IGNORED),
    ):
        for character in characters:
            assert sign(character).kind == kind, repr(character)
    assert (sign("É").letters, sign("ß").letters, sign("ﬁ").letters) == ("e", "s", "fi")
    assert [sign(letter).alone for letter in "日かกaб"] == [True, True, True, False, False]


@every(
    "text",
    ["Harry Potter", "HARRY POTTER", "harry-potter", "Harry  Potter", "Härry Pötter", "HarryPotter", "*Harry* ~Potter~",
     "Har\u00adry Pot\u200bter", "Harry\nPotter", "H\u0301arry Potter", "Harry_Potter"],
)  # fmt: skip
def test_spellings_of_one_name_are_the_same_symbols(text: str) -> None:
    own = spelt(text)
    assert own.replace(GAPS[JOINED], "") == f"{WORD}harry{WORD}potter"
    assert (GAPS[JOINED] in own) == (text != "HarryPotter")


def test_gaps_tell_what_may_stand_within_a_name_from_what_ends_it() -> None:
    for text, gap in {
        "J. R": JOINED,
        "J.R": JOINED,
        "Dr. R": APART,
        "Harry. R": APART,
        "A, R": COMMA,
        "A (R": APART,
    }.items():
        assert GAPS[gap] in symbols(text), text
    assert GAPS[NONE] == ""
    assert spelt("Harry, (Potter") == f"{WORD}harry|{WORD}potter"  # the strongest of several


def test_characters_of_scripts_without_spaces_are_words_of_their_own() -> None:
    assert spelt("日本a") == f"{WORD}日{WORD}本{WORD}a"
    assert spelt("") == spelt("...") == spelt("\u0301") == ""
    assert spelt("  a ") == f"{WORD}a"
