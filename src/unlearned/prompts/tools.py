"""Tools, and calls of them, under a chat template: where it prints a client's words between its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from unlearned.errors import PromptError
from unlearned.prompts.segments import placeholders
from unlearned.types import CharSpan, Segment

ID_LENGTH = 9
"""Characters of an identifier; some templates take no other length."""


def calls_of(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The tool calls of a message."""
    return message.get("tool_calls") or ()


def as_json(value: Any) -> str:
    """JSON as chat templates print it."""
    return json.dumps(value, ensure_ascii=False)


def are_used(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> bool:
    """Whether a conversation holds more than contents."""
    return bool(tools) or any(calls_of(message) or message.get("tool_call_id") for message in messages)


class StandIns:
    """A conversation's tools and calls with marks in place of every word that a client can choose.

    What a template prints for these is its own text, and the frame of JSON that all tools have, up to the first mark
    and behind the last one.

    Args:
        messages: roles, contents, `tool_calls`, `tool_call_id`.
        tools: as `apply_chat_template` takes them.
        text: characters that marks must not hold.
    """

    def __init__(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], text: str) -> None:
        calls = [len(calls_of(message)) for message in messages]
        marks = placeholders(len(tools) + sum(calls), text)
        self.tool_names, self.call_names = marks[: len(tools)], marks[len(tools) :]
        self.tools = [_tool(name) for name in self.tool_names]
        self.messages = [dict(message) for message in messages]
        names = iter(self.call_names)
        for message, count in zip(self.messages, calls, strict=True):
            if count:
                message["tool_calls"] = [_call(next(names)) for _ in range(count)]
            if message.get("tool_call_id"):
                message["tool_call_id"] = (marks or placeholders(1, text))[0].ljust(ID_LENGTH, "0")

    def check_printed(self, outline: str) -> None:
        """Raise `PromptError` where the template, rendered with the stand-ins, says nothing of tools or calls."""
        _check(outline, self.tool_names, self.call_names)


def check_named(text: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> None:
    """Raise `PromptError` where the rendered conversation lacks the name of one of its tools or calls."""
    called = [str(call["function"]["name"]) for message in messages for call in calls_of(message)]
    _check(text, [str(tool["function"]["name"]) for tool in tools], called)


def _check(text: str, tools: Sequence[str], calls: Sequence[str]) -> None:
    if any(name not in text for name in tools):
        raise PromptError(
            "This model's chat template does not print tools, so the model would not see them. "
            "Leave 'tools' out, or use a model whose template knows them."
        )
    if any(name not in text for name in calls):
        raise PromptError(
            "This model's chat template does not print tool calls, so the model would not see them. "
            "Send their words as content."
        )


def _tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {name: {"type": "string", "description": name}}, "required": [name]}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


def _call(name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": {name: name}}
    return {"id": name.ljust(ID_LENGTH, "0"), "type": "function", "function": function}


def between(places: Sequence[CharSpan], text: str, plain: Sequence[str], roles: Sequence[str]) -> list[Segment]:
    """What clients say between the messages of a rendered conversation.

    Args:
        places: of N contents, in order.
        text: the conversation as it is rendered.
        plain: N + 1 times what stands before, between and behind them with stand-ins.
        roles: N + 1 times whose words those are that stand there.
    """
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(text)]
    found = []
    for start, end, other, role in zip(starts, ends, plain, roles, strict=True):
        own = text[start:end]
        if own != other:
            head = _common(own, other)
            tail = min(_common(own[::-1], other[::-1]), len(own) - head)
            if head + tail < len(own):
                found.append(Segment(start + head, end - tail, role, quoted=True))
    return found


def _common(one: str, other: str) -> int:
    """Length of their common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
