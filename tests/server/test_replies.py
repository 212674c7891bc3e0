"""Answers in OpenAI's form: chunks add up to what the whole says."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from unlearned.engines.sampling import Token
from unlearned.server.answers import Piece
from unlearned.server.replies import ChatReply, CompletionReply, ReplyHead, TokenTexts, event, usage
from unlearned.server.tool_calls import CallReader


@pytest.fixture
def head(tiny_tokenizer: Any) -> ReplyHead:
    return ReplyHead("id-1", 7, "tiny", TokenTexts(tiny_tokenizer))


def tokens(tokenizer: Any, text: str) -> tuple[Token, ...]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tuple(Token(token, -float(n), ((token, -float(n)), (5, -9.0))) for n, token in enumerate(ids, start=1))


def test_an_event_is_one_line_whatever_the_text_holds() -> None:
    raw = event({"text": "Zeile\n\nZwei 🦊\u2028\r"})
    assert raw.startswith(b"data: ")
    assert raw.endswith(b"\n\n")
    assert raw[:-2].count(b"\n") == raw.count(b"\r") == 0
    assert json.loads(raw.removeprefix(b"data: ")) == {"text": "Zeile\n\nZwei 🦊\u2028\r"}
    assert usage(3, 4) == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_a_chat_answer_is_the_same_whole_and_in_chunks(head: ReplyHead, tiny_tokenizer: Any) -> None:
    pieces = [
        Piece(0, "The ", tokens(tiny_tokenizer, "The ")),
        Piece(0, "owl", tokens(tiny_tokenizer, "owl"), finish_reason="length"),
    ]
    reply = ChatReply(head, logprobs=True)
    assert reply.opening(0)["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    chunks = [reply.chunk(piece) for piece in pieces]
    assert all(chunk is not None for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks if chunk is not None]
    whole = reply.whole([Piece(0, "The owl", pieces[0].tokens + pieces[1].tokens, "length")], usage(1, 2))
    [choice] = whole["choices"]
    assert "".join(one["delta"].get("content", "") for one in choices) == choice["message"]["content"] == "The owl"
    assert [one["finish_reason"] for one in choices] == [None, "length"]
    own = [entry for one in choices for entry in one["logprobs"]["content"]]
    assert own == choice["logprobs"]["content"]
    assert bytes(byte for entry in own for byte in entry["bytes"]) == b"The owl"
    assert own[0]["top_logprobs"][0]["token"] == own[0]["token"]
    for one in (whole, *chunks, reply.final(usage(1, 2))):
        assert one is not None
        assert (one["id"], one["created"], one["model"]) == ("id-1", 7, "tiny")
    assert reply.final(usage(1, 2))["choices"] == []


def test_without_log_probabilities_there_are_none(head: ReplyHead, tiny_tokenizer: Any) -> None:
    piece = Piece(1, "owl", tokens(tiny_tokenizer, "owl"), "stop")
    for reply in (ChatReply(head, logprobs=False), CompletionReply(head, logprobs=None)):
        [choice] = reply.whole([piece], usage(1, 1))["choices"]
        assert (choice["index"], choice["logprobs"]) == (1, None)


def test_calls_of_tools_are_not_text_and_each_choice_has_its_own(head: ReplyHead) -> None:
    call = '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'
    reply = ChatReply(head, logprobs=False, reader=partial(CallReader, None))
    assert reply.chunk(Piece(0, "<tool_")) is None  # it may become a call
    chunk = reply.chunk(Piece(0, call.removeprefix("<tool_"), finish_reason="stop"))
    other = reply.chunk(Piece(1, "Plain", finish_reason="stop"))
    assert chunk is not None
    assert other is not None
    [choice] = chunk["choices"]
    assert choice["finish_reason"] == "tool_calls"
    [told] = choice["delta"]["tool_calls"]
    assert (told["index"], told["function"]["name"]) == (0, "f")
    assert json.loads(told["function"]["arguments"]) == {"a": 1}
    assert other["choices"][0]["delta"] == {"content": "Plain"}
    assert other["choices"][0]["finish_reason"] == "stop"
    whole = ChatReply(head, logprobs=False, reader=partial(CallReader, None)).whole(
        [Piece(0, call, finish_reason="stop")], usage(1, 1)
    )
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert len(message["tool_calls"]) == 1


def test_a_completion_knows_where_each_token_begins_echoed_ones_too(head: ReplyHead, tiny_tokenizer: Any) -> None:
    prompt, said = "🦉 Häuser", " and 日"
    echo, own = tokens(tiny_tokenizer, prompt), tokens(tiny_tokenizer, said)
    echo = (Token(echo[0].id), *echo[1:])  # nothing precedes the first one
    reply = CompletionReply(head, logprobs=1, echoes=[(prompt, echo)])
    parts = [reply.opening(0), reply.chunk(Piece(0, said, own, "stop"))]
    whole = CompletionReply(head, logprobs=1, echoes=[(prompt, echo)]).whole([Piece(0, said, own, "stop")], usage(1, 2))
    [choice] = whole["choices"]
    assert choice["text"] == prompt + said == "".join(part["choices"][0]["text"] for part in parts)
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        in_parts = [value for part in parts for value in part["choices"][0]["logprobs"][name]]
        assert in_parts == choice["logprobs"][name]
    offsets = choice["logprobs"]["text_offset"]
    assert offsets == sorted(offsets)
    assert (offsets[0], choice["logprobs"]["token_logprobs"][0], choice["logprobs"]["top_logprobs"][0]) == (
        0,
        None,
        None,
    )
    first = choice["logprobs"]["text_offset"][len(echo)]
    assert first == len(prompt)


def test_where_scores_begin_is_repeated_to_whoever_said_so(head: ReplyHead) -> None:
    reply = CompletionReply(head, logprobs=0, scored_from=[3])
    for one in (reply.whole([], usage(0, 0)), reply.final(usage(0, 0)), reply.chunk(Piece(0, ""))):
        assert one["unlearned"] == {"scored_from": [3]}
    assert "unlearned" not in CompletionReply(head, logprobs=0).final(usage(0, 0))
