"""Words of the bank fit in the place of a word, and are nothing like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tokenizers_at_hand import with_spaces_as_letters

from unlearned.substitution.bank import (
    KINDS,
    Bank,
    WordSlot,
    as_name,
    in_case_of,
    kind_by_itself,
    stand_ins,
)
from unlearned.substitution.pieces import Pieces
from unlearned.words import squash


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank(Pieces(with_spaces_as_letters()))


def first(bank: Bank, word: str, count: int = 5, **more: Any) -> list[str]:
    found = bank.candidates(word, more.pop("kind", "surname"), np.random.default_rng(0), **more)
    return [candidate for _, candidate in zip(range(count), found, strict=False)]


def test_every_kind_has_words_and_no_word_is_twice_in_one() -> None:
    assert set(KINDS) < set(stand_ins())
    for kind in KINDS:
        words = stand_ins()[kind]
        assert len(words) == len(set(words)) > 50, kind
        assert all(word[0].isupper() and word.isalpha() for word in words), kind


def test_candidates_take_as_many_tokens_in_every_place_and_share_no_beginning(bank: Bank) -> None:
    slots = [WordSlot("Potter", " "), WordSlot("POTTER", '"', "!"), WordSlot("potter", " ", "s")]
    found = first(bank, "Potter", surfaces=slots)
    assert found
    for word in found:
        assert squash(word)[:3] != "pot"
        for slot in slots:
            written = in_case_of(slot.word, word)
            assert len(slot.tokens(written, bank.pieces)) == len(slot.tokens(slot.word, bank.pieces)), (word, slot)


def test_the_order_is_the_generators_and_taken_words_are_left_out(bank: Bank) -> None:
    found = first(bank, "Potter")
    assert found == first(bank, "Potter")
    assert found[1:] == first(bank, "Potter", 4, is_taken=lambda word: word == found[0])
    assert len(set(found)) == len(found)


def test_a_number_of_tokens_that_nothing_has_gives_no_word(bank: Bank) -> None:
    assert bank.count(WordSlot("Potter", count=7)) == 7
    assert first(bank, "Potter", surfaces=[WordSlot("Potter", count=1000)]) == []


def test_the_kind_of_a_word_by_itself(bank: Bank) -> None:
    for word, kind in {
        "Anna": "she",
        "James": "he",
        "London": "place",
        "Abilov": "surname",
        "wand": "thing",
        "": "thing",
    }.items():
        assert kind_by_itself(word, bank.is_ordinary) == kind, word
    assert kind_by_itself("Bread", bank.is_ordinary) == "thing"  # a common word with a capital
    assert bank.is_ordinary("bread")
    assert not bank.is_ordinary("xqzvvk")


def test_capitals_go_over_from_one_word_to_another() -> None:
    for written, word, expected in (
        ("POTTER", "Snow", "SNOW"),
        ("potter", "Snow", "snow"),
        ("Potter", "Snow", "Snow"),
        ("A", "Snow", "Snow"),
        ("日本", "Snow", "snow"),
        ("McX", "Snow", "Snow"),
    ):
        assert in_case_of(written, word) == expected, written
    for written, name in {"potter": "Potter", "POTTER": "Potter", "McGee": "McGee", "A": "A", "": "", "é": "É"}.items():
        assert as_name(written) == name, written
