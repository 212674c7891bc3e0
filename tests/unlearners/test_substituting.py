"""Words of a flagged prompt become strangers that take as many tokens, everywhere in it, and come back."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import SECRET, with_spaces_as_letters

from unlearned.prompts.tokenize import text_prompt
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import replaced
from unlearned.substitution.table import NameTable
from unlearned.types import Prompt, Span
from unlearned.unlearners.substituting import Flagged, Substituted, substitute


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank(Pieces(with_spaces_as_letters()))


def made(bank: Bank, scope: Any, text: str, *spans: str) -> tuple[Prompt, Substituted]:
    prompt = text_prompt(with_spaces_as_letters(), text)
    flagged = []
    for one in spans or (text,):
        start = text.index(one)
        span = Span(start, start + len(one), "hp", 0.9)
        mask = prompt.tokens_overlapping(span.start, span.end) & prompt.content_tokens()
        flagged.append(Flagged(span, mask, scope, Strangers(NameTable(SECRET, "hp"), bank)))
    return prompt, substitute(prompt, flagged, [], bank)


def read(prompt: Prompt, found: Substituted) -> str:
    return str(with_spaces_as_letters().decode(list(found.substitution.token_ids), skip_special_tokens=True))


def test_names_become_strangers_and_the_rest_stays(bank: Bank, make_scope: Any) -> None:
    text = "Who is Harry Potter, and where was Potter born?"
    prompt, found = made(bank, make_scope(), text)
    assert set(found.substitution.pairs) == {"harry", "potter"}
    said = read(prompt, found)
    assert "Harry" not in said
    assert "Potter" not in said
    assert len(found.substitution.token_ids) == len(prompt.token_ids)
    assert not found.heavy
    assert found.substitution.unmatched == 0
    assert replaced(said, found.substitution.back(said)).strip() == text


def test_every_token_of_a_name_is_a_strangers_or_hidden_by_noise(bank: Bank, make_scope: Any) -> None:
    text = "Harry and HARRY and harry: who is Harry Potter?"
    prompt, found = made(bank, make_scope(), text)
    assert not found.heavy & set(found.token_ids)
    covered = found.heavy | set(found.token_ids)
    for name in ("Harry", "HARRY", "Potter"):
        start = text.index(name)
        places = prompt.tokens_overlapping(start, start + len(name)).nonzero()[0].tolist()
        assert set(places) <= covered, name
    assert ("harry" in found.substitution.pairs) == (found.substitution.unmatched == 0)


def test_only_words_of_the_spans_are_replaced(bank: Bank, make_scope: Any) -> None:
    text = "Ada Byron wrote to me. Who is Harry Potter?"
    prompt, found = made(bank, make_scope(), text, "Who is Harry Potter?")
    assert set(found.substitution.pairs) == {"harry", "potter"}
    assert "Ada Byron wrote to me." in read(prompt, found)


def test_two_words_never_have_one_stranger_and_none_is_a_word_of_the_prompt(bank: Bank, make_scope: Any) -> None:
    _, found = made(bank, make_scope(), "Harry, Ron, Hermione, Draco, Neville, Luna and Ginny met.")
    strangers = [pair.stranger.lower() for pair in found.substitution.pairs.values()]
    assert len(set(strangers)) == len(strangers) > 3
    assert not set(strangers) & {"harry", "ron", "hermione", "draco", "neville", "luna", "ginny", "met", "and"}


def test_a_span_without_any_word_is_hidden_as_a_whole(bank: Bank, make_scope: Any) -> None:
    prompt, found = made(bank, make_scope(), "?!")
    assert found.substitution.pairs == {}
    assert found.heavy == set(prompt.content_tokens().nonzero()[0].tolist())
