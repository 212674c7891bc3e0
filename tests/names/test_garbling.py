"""Garbled words keep their places, and each way of garbling is undone or keeps its letters."""

from __future__ import annotations

from cases import every
from unlearned.names.garbling import GARBLINGS, backwards, shifted, shuffled_letters, without_vowels

TEXTS = ["Who is Harry Potter?", "", "Müller-Böhm, 1985!", "aaa AaA abc", "日本語のテキスト", "I'm a B2B", "x_yz_"]


@every("text", TEXTS)
def test_backwards_and_shifting_are_undone(text: str) -> None:
    assert backwards(backwards(text)) == text
    for by in (0, 1, 13, 25, 26, -3):
        assert shifted(shifted(text, by), -by) == text
    assert shifted(text, 26) == text


@every("text", TEXTS)
def test_shuffling_keeps_the_first_and_last_letter_and_all_letters_of_each_word(text: str) -> None:
    found = shuffled_letters(text)
    assert len(found) == len(text)
    assert sorted(found) == sorted(text)
    for one, other in zip(text.split(), found.split(), strict=True):
        assert (one[0], one[-1]) == (other[0], other[-1])
    assert shuffled_letters(text) == found
    for seed in range(5):
        assert shuffled_letters("Dumbledore", seed) != "Dumbledore"


def test_vowels_go_but_for_one_that_a_word_begins_with() -> None:
    assert without_vowels("Who is Anna? A EAU é") == "Wh s Ann? A E é".replace("Ann", "Ann").replace("s", "is", 1)
    assert without_vowels("potter") == "pttr"
    assert without_vowels("") == ""


def test_letters_move_in_their_case_and_nothing_else_does() -> None:
    assert shifted("Az Zä 9!") == "Nm Mä 9!"
    assert all(way("") == "" for way in GARBLINGS.values())
