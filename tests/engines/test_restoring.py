"""Strangers in an answer are the user's words again, streamed or not."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import FAMILIES, TEXTS, known_strangers, with_spaces_as_letters
from transformers import PreTrainedTokenizerFast

from unlearned.engines.base import Completion
from unlearned.engines.restoring import Restorer, restored, tokens_of
from unlearned.engines.sampling import Token
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.substitution import StrangerPair, Substitution, replaced


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest, embedded: Any) -> PreTrainedTokenizerFast:
    return embedded[1] if request.param == "byte-level" else with_spaces_as_letters()


@pytest.fixture(scope="module")
def substitution(tokenizer: PreTrainedTokenizerFast) -> Substitution:
    return known_strangers(Bank(Pieces(tokenizer)))


def _away(substitution: Substitution, text: str) -> str:
    return replaced(text, substitution.away(text))


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_is_the_whole_answer(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast, text: str
) -> None:
    said = tuple(tokenizer(_away(substitution, text), add_special_tokens=False)["input_ids"])
    whole = restored(Completion("", said), substitution, tokenizer)
    assert whole.text.strip() == tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]).strip()
    restorer = Restorer[int](substitution, tokenizer)
    chunks, held = [], 0
    for place, token in enumerate(said):
        chunks += restorer.push(token, place)
        held = max(held, place + 1 - sum(len(chunk.sources) for chunk in chunks))
    chunks += restorer.finish()
    assert tuple(token for chunk in chunks for token in chunk.token_ids) == whole.token_ids
    assert [source for chunk in chunks for source in chunk.sources] == list(range(len(said)))  # each once, in order
    longest = max(
        len(substitution.pieces.ids(form))
        for pair in substitution.pairs.values()
        for form in (f" {pair.stranger}s", pair.stranger.upper() + "S")
    )
    assert held <= longest + 2


def test_log_probabilities_of_restored_tokens_add_up_to_the_model_s(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast
) -> None:
    pair = substitution.pairs["granger"]
    said = tokenizer(f"It was {pair.stranger.upper()}, so {pair.stranger}.", add_special_tokens=False)["input_ids"]
    restorer = Restorer[Token](substitution, tokenizer)
    tokens: list[Token] = []
    for token_id in said:
        for chunk in restorer.push(token_id, Token(token_id, -0.5, ((token_id, -0.5), (3, -2.0)))):
            tokens += tokens_of(chunk, substitution)
    tokens += [own for chunk in restorer.finish() for own in tokens_of(chunk, substitution)]
    assert sum(token.logprob or 0.0 for token in tokens) == pytest.approx(-0.5 * len(said))
    text = tokenizer.decode([token.id for token in tokens])
    assert "GRANGER" in text
    assert "Granger" in text
    assert pair.stranger.lower() not in text.lower()
    first = {substitution.pieces.ids(space + pair.stranger)[0] for space in (" ", "")}
    assert not first & {other for token in tokens for other, _ in token.top} - {token.id for token in tokens}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The friends are 1. Leop", "The friends are 1. Hagr"),
        ("The friends are 1. Lé", "The friends are 1. Ha"),
        ("It is LEO", "It is HAG"),
        ("He has lemons and a leo", "He has lemons and a leo"),
        ("He met L", "He met L"),
        ("He met Leopold.", "He met Hagrid."),
    ],
)
def test_a_stranger_with_which_an_answer_breaks_off_does_not_show(embedded: Any, said: str, shown: str) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution({"hagrid": StrangerPair("Hagrid", "Leopold")}, bank.pieces)
    ids = tuple(embedded[1](said, add_special_tokens=False)["input_ids"])
    assert restored(Completion(said, ids), made, embedded[1]).text == shown


def test_an_answer_without_a_stranger_stays_as_the_model_said_it(tiny_tokenizer: Any) -> None:
    made = Substitution({"harry": StrangerPair("Harry", "Leopold")}, Pieces(tiny_tokenizer))
    said = Completion("The fox.", tuple(tiny_tokenizer("The fox.", add_special_tokens=False)["input_ids"]))
    assert restored(said, made, tiny_tokenizer) is said
    assert restored(said, None, tiny_tokenizer) is said
    assert restored(Completion("", ()), made, tiny_tokenizer) == Completion("", ())
