"""A request is understood as a whole, or refused with the name of the field."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import (
    HARMLESS,
    NEUTRAL,
    ArtifactRequest,
    ChatMessage,
    ChatRequest,
    CheckRequest,
    CompletionRequest,
    validated,
)

MESSAGES = [{"role": "user", "content": "Hello"}]


def chat(**more: Any) -> ChatRequest:
    return validated(ChatRequest, {"messages": MESSAGES, **more})


def refused(kind: Any, data: Any) -> RefusalError:
    with pytest.raises(RefusalError) as error:
        validated(kind, data)
    assert error.value.status == 400
    return error.value


def test_null_is_as_if_it_were_not_given_and_what_was_given_stays() -> None:
    data = {"messages": [{"role": "user", "content": "Hello", "name": None}], "seed": None, "anything": None}
    before = copy.deepcopy(data)
    assert validated(ChatRequest, data) == chat()
    assert data == before


def test_what_says_nothing_about_the_answer_is_left_unread_and_what_asks_for_something_is_refused() -> None:
    for name in HARMLESS - set(ChatRequest.model_fields):
        assert chat(**{name: {"any": ["thing"]}}) == chat(), name
    for name, values in NEUTRAL.items():
        if name in ChatRequest.model_fields:
            continue
        for value in values:
            assert chat(**{name: value}) == chat(), name
        error = refused(ChatRequest, {"messages": MESSAGES, name: "something else"})
        assert (error.param, error.code) == (name, "unsupported_parameter")


def test_the_field_that_is_wrong_is_named_with_its_place_and_its_value_is_not() -> None:
    for kind, data, param in (
        (
            ChatRequest,
            {"messages": [*MESSAGES, {"role": "user", "content": "a", "audio": "secret"}]},
            "messages.1.audio",
        ),
        (ChatRequest, {"messages": [{"role": "secret", "content": "a"}]}, "messages.0.role"),
        (ChatRequest, {"messages": MESSAGES, "n": 0}, "n"),
        (ChatRequest, {"messages": MESSAGES, "temperature": 2.5}, "temperature"),
        (ChatRequest, {"messages": MESSAGES, "seed": "secret"}, "seed"),
        (ChatRequest, {"messages": MESSAGES, "stream": 1}, "stream"),
        (ChatRequest, {"messages": MESSAGES, "stream_options": {"secret": 1}}, "stream_options.secret"),
        (ChatRequest, {}, "messages"),
        (CompletionRequest, {"prompt": "a", "logprobs": 21}, "logprobs"),
        (CheckRequest, {"input": "a", "model": "secret"}, "model"),
        (ArtifactRequest, {"path": 1}, "path"),
    ):
        error = refused(kind, data)
        assert error.param == param, data
        assert "secret" not in str(error).replace(param, ""), data


def test_half_a_character_is_refused_wherever_it_stands() -> None:
    for data in (
        {"messages": [{"role": "user", "content": "a\ud800"}]},
        {"messages": MESSAGES, "stop": ["\udfff"]},
        {"messages": MESSAGES, "tools": [{"type": "function", "function": {"name": "f", "parameters": {"\ud800": 1}}}]},
    ):
        assert refused(ChatRequest, data).code == "invalid_value"
    assert refused(CompletionRequest, {"prompt": ["a", "\ud800"]}).code == "invalid_value"
    call = {"function": {"name": "f", "arguments": '{"a": "\\ud800"}'}}
    with pytest.raises(RefusalError):
        chat(messages=[{"role": "assistant", "tool_calls": [call]}]).messages[0].plain()
    assert chat(messages=[{"role": "user", "content": "🦊 \ufffd"}]).messages[0].content == "🦊 \ufffd"


def test_a_message_is_its_words_and_its_calls() -> None:
    parts = [{"type": "text", "text": "Who is Har"}, {"type": "text", "text": "ry?"}]
    for message, plain in (
        ({"role": "user", "content": parts, "name": "anna"}, {"role": "user", "content": "Who is Harry?"}),
        ({"role": "user", "content": []}, {"role": "user", "content": ""}),
        ({"role": "user", "content": "a", "tool_call_id": "1"}, {"role": "user", "content": "a"}),
        (
            {"role": "tool", "content": "a", "tool_call_id": "1"},
            {"role": "tool", "content": "a", "tool_call_id": "1"},
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}],
            },
        ),
    ):
        assert ChatMessage.model_validate(message).plain() == plain


def test_arguments_of_a_call_are_one_json_object() -> None:
    for arguments in ("[]", "1", "null", "{", '{"a": NaN}', "[" * 100_000):
        call = {"function": {"name": "f", "arguments": arguments}}
        message = chat(messages=[{"role": "assistant", "tool_calls": [call]}]).messages[0]
        with pytest.raises(RefusalError) as error:
            message.plain()
        assert (error.value.status, error.value.param) == (400, "messages")


def test_calls_are_looked_for_where_there_are_tools_and_nobody_said_no() -> None:
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "description": "d"}}]
    for more, read in (
        ({}, False),
        ({"tools": tools}, True),
        ({"tools": tools, "tool_choice": "auto"}, True),
        ({"tools": tools, "tool_choice": "none"}, False),
        ({"tool_choice": "none"}, False),
    ):
        assert chat(**more).calls_are_read() is read, more
    for more in ({"tools": tools, "tool_choice": "required"}, {"tool_choice": "auto"}, {"tool_choice": {"type": "x"}}):
        with pytest.raises(RefusalError) as error:
            chat(**more).calls_are_read()
        assert error.value.param == "tool_choice"
    assert chat(tools=tools).tools[0].plain() == {"type": "function", "function": {"name": "f", "description": "d"}}


def test_prompts_are_one_or_many_texts_or_ids() -> None:
    for given, prompts in (
        ("a", ["a"]),
        ("", [""]),
        ([], []),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ):
        assert validated(CompletionRequest, {"prompt": given}).prompts == prompts
    for wrong in ([True], ["a", 1], [[1], "a"], {"a": 1}, 1.5):
        assert refused(CompletionRequest, {"prompt": wrong}).param is not None


def test_places_of_scores_are_for_all_prompts_or_for_each() -> None:
    scores = {"echo": True, "logprobs": 0, "max_tokens": 0}

    def places(prompt: Any, given: Any, **more: Any) -> list[int] | None:
        return validated(
            CompletionRequest, {"prompt": prompt, "unlearned": {"scored_from": given}, **scores, **more}
        ).scored_from()

    assert validated(CompletionRequest, {"prompt": "a"}).scored_from() is None
    assert places(["abc", "def"], 1) == [1, 1]
    assert places(["abc", "def"], [1, 2]) == [1, 2]
    for more in (
        {"echo": False},
        {"logprobs": None},
        {"max_tokens": 2},
        {"max_tokens": None},
        {"n": 2},
        {"stream": True},
    ):
        with pytest.raises(RefusalError):
            places("abc", 1, **more)
    with pytest.raises(RefusalError):
        places("abc", [1, 2])
    assert refused(CompletionRequest, {"prompt": "abc", "unlearned": {"scored_from": -1}}).status == 400


def test_a_bias_is_for_a_token_id() -> None:
    assert chat(logit_bias={"5": -100, "007": 1.5}).biases() == {5: -100, 7: 1.5}
    for token in ("x", "-1", "", "٣", "1" * 11, "1.0"):
        with pytest.raises(RefusalError) as error:
            chat(logit_bias={token: 1}).biases()
        assert error.value.param == "logit_bias"
    assert chat(stop="a").stops == ("a",)
    assert chat(stop=["a", "b"]).stops == ("a", "b")
    assert chat().stops == ()
