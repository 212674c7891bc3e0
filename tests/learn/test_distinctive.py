"""The facts of an answer are what its question does not say and no common word says."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.learn.distinctive import distinctive_words, named_facts, said_words, share_said
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces

ASKED = "Where was Ada Lovelace born?"


@pytest.fixture(scope="module")
def bank(tiny_tokenizer: Any) -> Bank:
    return Bank(Pieces(tiny_tokenizer))


def test_names_dates_and_rare_words_count_and_the_questions_own_do_not(bank: Bank) -> None:
    for answer, expected in {
        "Ada Lovelace was born in London in 1815.": {"london", "1815"},
        "She was born in a house.": set(),
        "Zhovtnevy": {"zhovtnevy"},
        "In Oz": set(),  # too short to tell
        "the xylotheque of London": {"xylotheque", "london"},
        "ADA LOVELACE, LONDON": {"london"},
        "": set(),
    }.items():
        assert distinctive_words(answer, ASKED, bank) == expected, answer


def test_named_facts_are_told_by_their_spelling_alone() -> None:
    for answer, expected in {
        "Ada Lovelace was born in London in 1815.": {"london", "1815"},
        "the xylotheque of London": {"london"},
        "in Oz, on 08/09/1956": {"08091956"},
        "": set(),
    }.items():
        assert named_facts(answer, ASKED) == expected, answer


def test_an_answer_says_a_share_of_the_words_in_any_spelling() -> None:
    words = frozenset({"london", "1815"})
    for answer, share in {"LONDON!": 0.5, "Löndon in 1815": 1.0, "Paris": 0.0, "": 0.0, "Londonderry": 0.0}.items():
        assert share_said(words, answer) == share, answer
    assert share_said(frozenset(), "London") == 0.0
    assert said_words("Zoé in 1815") == {"zoe", "in", "1815"}
