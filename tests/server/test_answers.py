"""One answer in the making: its pieces add up to its text, hold each token once, and end once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cases import every
from unlearned.engines.sampling import RowSettings, Token
from unlearned.server.answers import Piece, RequestAnswer
from unlearned.types import PromptInput


class Received:
    """An answer to a prompt of three tokens, and its pieces."""

    def __init__(self, tokenizer: Any, most: int = 1000, stops: Sequence[str] = (), **more: Any) -> None:
        self.pieces: list[Piece] = []
        end = tokenizer.convert_tokens_to_ids("<|end|>")
        self.answer = RequestAnswer(
            0,
            PromptInput((5, 6, 7), **more),
            RowSettings(max_new_tokens=most),
            ends=frozenset({end}),
            stops=stops,
            tokenizer=tokenizer,
            sink=self.pieces.append,
        )
        self.end = Token(end)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def tokens(self) -> list[int]:
        return [token.id for piece in self.pieces for token in piece.tokens]


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


TEXT = "The owl 🦉 reads 日本語.\nThen the fox sleeps."


def test_pieces_add_up_to_the_text_and_tokens_come_with_their_text(tiny_tokenizer: Any) -> None:
    received = Received(tiny_tokenizer)
    own = ids(tiny_tokenizer, TEXT)
    assert [received.answer.receive(Token(token)) for token in own] == [False] * len(own)
    assert received.answer.receive(received.end)
    assert received.text == TEXT
    assert received.tokens == own
    assert [piece.finish_reason for piece in received.pieces if piece.finish_reason] == ["stop"]
    assert received.pieces[-1].finish_reason == "stop"
    assert received.answer.count == len(own) + 1


def test_an_answer_ends_with_its_last_token_also_within_a_character(tiny_tokenizer: Any) -> None:
    own = ids(tiny_tokenizer, "🦉🦉")
    received = Received(tiny_tokenizer, most=len(own) - 1)
    done = [received.answer.receive(Token(token)) for token in own[:-1]]
    assert done == [False] * (len(own) - 2) + [True]
    assert received.pieces[-1].finish_reason == "length"
    assert received.text == tiny_tokenizer.decode(own[:-1])
    assert received.tokens == own[:-1]


@every("stop", ["reads", " reads 日", "日本語.\nThen", "🦉", "T", "sleeps."])
def test_a_stop_string_ends_the_text_and_no_token_behind_it_is_given_out(tiny_tokenizer: Any, stop: str) -> None:
    received, given = Received(tiny_tokenizer, stops=[stop]), []
    for token in ids(tiny_tokenizer, TEXT):
        given.append(token)
        if received.answer.receive(Token(token)):
            break
    before = TEXT.partition(stop)[0]
    assert received.text == before
    assert received.pieces[-1].finish_reason == "stop"
    assert received.tokens == given[: len(received.tokens)]


def test_what_may_begin_a_stop_string_is_held_until_the_end(tiny_tokenizer: Any) -> None:
    received = Received(tiny_tokenizer, stops=["sleeps.."])
    for token in ids(tiny_tokenizer, TEXT):
        assert not received.answer.receive(Token(token))
    assert received.text == TEXT.removesuffix("sleeps.")
    received.answer.end()
    assert received.text == TEXT
    received.answer.end()  # once
    received.answer.fail(RuntimeError())
    assert [piece.finish_reason for piece in received.pieces].count("stop") == 1
    assert all(piece.error is None for piece in received.pieces)


def test_a_fixed_answer_is_given_as_if_the_model_had_said_it(tiny_tokenizer: Any) -> None:
    received = Received(tiny_tokenizer, answer="I cannot say. 🦉")
    received.answer.say_what_is_given()
    assert received.text == "I cannot say. 🦉"
    assert received.pieces[-1].finish_reason == "stop"
    assert all(token.logprob == 0.0 for piece in received.pieces for token in piece.tokens)
    cut = Received(tiny_tokenizer, most=2, answer="I cannot say.")
    cut.answer.say_what_is_given()
    assert (cut.answer.count, cut.pieces[-1].finish_reason) == (2, "length")
    model = Received(tiny_tokenizer)
    model.answer.say_what_is_given()
    assert model.pieces == []


def test_who_left_is_not_wanted_and_an_error_ends_it_once(tiny_tokenizer: Any) -> None:
    received = Received(tiny_tokenizer, most=7)
    assert received.answer.wanted()
    assert received.answer.tokens == 3 + 7
    received.answer.cancel()
    assert not received.answer.wanted()
    error = RuntimeError("gone")
    received.answer.fail(error)
    received.answer.fail(RuntimeError("again"))
    [piece] = received.pieces
    assert piece.error is error


def test_a_strangers_words_are_the_users_again_in_text_and_tokens(tiny_tokenizer: Any) -> None:
    from unlearned.substitution.pieces import Pieces
    from unlearned.substitution.substitution import StrangerPair, Substitution

    known = Substitution({"harry": StrangerPair("Harry", "Leopold")}, Pieces(tiny_tokenizer))
    received = Received(tiny_tokenizer, substitution=known)
    for token in ids(tiny_tokenizer, "Ask Leopold, or LEOPOLD"):
        assert not received.answer.receive(Token(token, -1.0))
    assert "Leo" not in received.text
    received.answer.receive(received.end)
    assert received.text == "Ask Harry, or HARRY"
    assert tiny_tokenizer.decode(received.tokens) == "Ask Harry, or HARRY"


@pytest.mark.parametrize("most", [1, 2])
def test_an_end_token_in_the_last_place_is_an_end(tiny_tokenizer: Any, most: int) -> None:
    received = Received(tiny_tokenizer, most=most)
    for token in ids(tiny_tokenizer, "The fox")[: most - 1]:
        assert not received.answer.receive(Token(token))
    assert received.answer.receive(received.end)
    assert received.pieces[-1].finish_reason == "stop"
