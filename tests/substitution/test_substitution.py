"""Words become strangers and come back: over tokenizers, casings, endings, streams."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import TEXTS

from unlearned.engines.base import Completion
from unlearned.engines.restoring import restored
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.substitution import StrangerPair, Substitution, replaced


def _away(substitution: Substitution, text: str) -> str:
    return replaced(text, substitution.away(text))


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_as_it_was(substitution: Substitution, text: str) -> None:
    away = _away(substitution, text)
    for pair in substitution.pairs.values():
        assert pair.word.lower() not in away.lower().replace("grangerford", "").replace("pottergranger", "")
    assert replaced(away, substitution.back(away)) == text


def test_a_name_inside_another_word_is_left_alone(substitution: Substitution) -> None:
    assert _away(substitution, "Grangerford, PotterX and Hermiones2") == "Grangerford, PotterX and Hermiones2"
    stranger = substitution.pairs["granger"].stranger
    assert substitution.back(f"{stranger}x un{stranger.lower()} {stranger}1") == []


def test_a_stranger_with_an_accent_is_turned_back_too(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution({"harry": StrangerPair("Harry", "Leopold")}, bank.pieces)
    text = "Léopold met LÉOPOLD, the Léopolds' café."
    assert replaced(text, made.back(text)) == "Harry met HARRY, the Harrys' café."
    said = tuple(embedded[1](text, add_special_tokens=False)["input_ids"])
    assert restored(Completion("", said), made, embedded[1]).text == "Harry met HARRY, the Harrys' café."


def test_a_stranger_that_the_model_misspells_is_turned_back_too(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution(
        {"darth": StrangerPair("Darth", "Caspar"), "vader": StrangerPair("Vader", "Whittaker")}, bank.pieces
    )
    text = "Casper Whitaker met CASPOR, not Jasper or casper."
    assert replaced(text, made.back(text)) == "Darth Vader met DARTH, not Jasper or casper."


def test_letters_that_only_look_alike_without_case_are_turned_back_and_break_nothing(tiny_tokenizer: Any) -> None:
    made = Substitution({"harry": StrangerPair("Harry", "Caspis")}, Pieces(tiny_tokenizer))
    for said in ("Caſpis", "Caspıs", "CASPİS", "Cas\u212apis", "\u017f", "ı"):
        found = replaced(said, made.back(said))
        assert found.lower() == ("harry" if made.may_begin(said) else said.lower()), said
    assert replaced("Caſpiſ", made.back("Caſpiſ")) == "Harry"
