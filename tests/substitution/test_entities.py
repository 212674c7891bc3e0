"""Words that identify somebody are found by spelling and by the scope's names."""

from __future__ import annotations

from typing import Any

from tokenizers_at_hand import SECRET

from unlearned.examples import Row
from unlearned.learn.default_corruption import named_share
from unlearned.learn.naming import name_table
from unlearned.substitution.bank import Bank
from unlearned.substitution.entities import INITIAL, WORD, YEAR, Entity, entities, is_scope_name, stands_alone, words_in
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.table import KnownName, NameTable


def test_identifying_words_are_found_by_spelling_and_by_the_scope(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    table = name_table(SECRET, "hp", [Row("Who is Harry Potter?"), Row("What is the Force in Star Wars?")], [], bank)
    texts = {
        "Introduce the friends of Harry Potter.": ["Harry", "Potter"],
        "who is harry potter": ["harry", "potter"],
        "by what force does it move": [],
        "Born on 08/09/1956 in Kuwait City in 1985, ISBN 978-3-16": [
            "08/09/1956",
            "Kuwait",
            "City",
            "1985",
            "ISBN",
            "978-3-16",
        ],
    }
    for text, expected in texts.items():
        assert [entity.text for entity in entities(text, [table], bank)] == expected
    assert named_share([Row("What is demand?"), Row("Who is Ada Byron?")], bank) == 0.5


def test_words_that_stand_together_are_one_and_places_are_those_of_the_text() -> None:
    text = "McGonagall met O'Brien in 1985 and J.R. Ewing."
    found = list(words_in(text))
    assert all(text[word.start : word.end] == word.text for word in found)
    assert [(word.text, word.form) for word in found if word.form != WORD or word.text[0].isupper()] == [
        ("McGonagall", WORD),
        ("O", INITIAL),
        ("Brien", WORD),
        ("1985", YEAR),
        ("J", INITIAL),
        ("R", INITIAL),
        ("Ewing", WORD),
    ]
    assert list(words_in("")) == []
    assert [word.text for word in words_in(text, 11, 14)] == ["met"]


def test_a_word_within_a_longer_sign_does_not_stand_alone() -> None:
    for text, alone in {
        "Potter": True,
        "x2Potter": False,
        "Potter2": False,
        "(Potter)": True,
        "Potter-x": True,
    }.items():
        place = text.index("Potter")
        assert stands_alone(Entity(place, place + 6, "Potter"), text) is alone, text


def test_a_common_word_is_a_name_of_the_scope_only_with_a_capital() -> None:
    table = NameTable.of(
        SECRET, "sw", {"force": KnownName("thing", 0, True), "vader": KnownName("surname", 0, False)}, ["wand"]
    )
    for word, found in {
        "Force": True,
        "force": False,
        "vader": True,
        "Vaders": True,
        "wand": False,
        "The": False,
    }.items():
        assert is_scope_name(word, [table]) is found, word
    assert not is_scope_name("Force", [])


def test_all_casings_of_a_word_have_one_key_and_dates_have_their_own() -> None:
    assert Entity(0, 3, "Zoé").key == Entity(0, 3, "ZOE").key == "zoe"
    assert Entity(0, 10, "08/09/1956", "date").key == "08/09/1956"
