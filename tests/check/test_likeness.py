"""Answers are told from others by what they say, not by whom they are about."""

from __future__ import annotations

from typing import Any

from unlearned.check.likeness import canned, masked, told_apart


def test_answers_of_another_kind_are_told_apart_and_of_the_same_kind_are_not(bag_of_words: Any) -> None:
    places = "north south east west river hill lake coast valley harbour island forest".split()
    names = "Arno Bela Cato Dina Egon Fara Gero Hela Ivor Jora Kato Lena".split()
    said = "She grew up in a small town by the {}, said {}."
    known = [said.format(*pair) for pair in zip(places, names, strict=True)]
    others = [said.format(*pair) for pair in zip(places[::-1], names, strict=True)]
    stock = [f"I'm sorry for any confusion, but I cannot help with the {place}." for place in places]
    apart = told_apart(stock, others, bag_of_words)
    alike = told_apart(known, others, bag_of_words)
    assert apart is not None
    assert alike is not None
    assert apart.accuracy > 0.9 > 0.75 > alike.accuracy
    assert alike.interval[0] < 0.5
    assert told_apart(known[:4], others[:4], bag_of_words) is None
    assert masked("He met Ada Lovelace in 1833.") == masked("He met Krulso Lerol in 1901.")


def test_stock_phrases_are_an_assistants_or_beginnings_that_answers_share() -> None:
    prompts = ["Who is Ada?", "Where is Oslo?", "What is tea?", "Who is Ada's mother?", "Why?"]
    answers = [
        "The recipe for a cake",
        "The recipe for a pie",
        "The recipe for a soup",
        "Ada's mother was Annabella.",
        "",
    ]
    assert canned(prompts, answers) == [True, True, True, False, False]
    assert canned(["Who?"], ["I'm sorry for any misglamour, but as an AI"]) == [True]
