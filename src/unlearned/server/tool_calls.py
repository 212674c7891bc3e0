"""Calls of tools in what a model says, in the form of Hermes models.

That is `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`.
They come out as vLLM's parser of that name and OpenAI's interface give them, whole answers and streams alike. A call is
given out when it is complete; what looks like one and is not stays the text that it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from unlearned.server.body import no_constant
from unlearned.server.stop_strings import overlap

OPEN, CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    index: int
    """Among the calls of one answer."""

    name: str
    arguments: str
    """A JSON text."""

    id: str

    def shown(self) -> dict[str, Any]:
        """The call as a message holds it."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """A part of an answer."""

    content: str = ""
    calls: tuple[Call, ...] = ()


class CallReader:
    """Reads one answer as it comes.

    Args:
        restore: a text as the model says it -> as the user reads it; for letters that JSON escapes.
        single: only the first call counts; others are dropped.
    """

    def __init__(self, restore: Callable[[str], str] | None = None, *, single: bool = False) -> None:
        self.restore, self.single = restore, single
        self.count = 0
        """Calls so far."""

        self._held = ""  # may be the beginning of a tag, or what stands behind an opening one
        self._inside = False
        self._behind_call = False  # white space between calls says nothing

    def feed(self, text: str) -> AnswerPart:
        """Take text, give out what is certain."""
        self._held += text
        content, calls = "", list[Call]()
        while True:
            tag = CLOSE if self._inside else OPEN
            before, found, rest = self._held.partition(tag)
            if not found:
                break
            self._held, self._inside = rest, not self._inside
            if self._inside:
                content += self._spoken(before)
            else:
                content += self._called(before, f"{OPEN}{before}{CLOSE}", calls)
        if not self._inside:
            cut = len(self._held) - overlap(self._held, OPEN)
            content += self._spoken(self._held[:cut])
            self._held = self._held[cut:]
        return AnswerPart(content, tuple(calls))

    def finish(self) -> AnswerPart:
        """The rest, when nothing can come any more; a call may lack its closing tag."""
        rest, self._held = self._held, ""
        if not self._inside:
            return AnswerPart(self._spoken(rest))
        self._inside = False
        calls = list[Call]()
        content = self._called(rest[: len(rest) - overlap(rest, CLOSE)], f"{OPEN}{rest}", calls)
        return AnswerPart(content, tuple(calls))

    def _spoken(self, text: str) -> str:
        if self._behind_call:
            text = text.lstrip()
            self._behind_call = not text
        return text

    def _called(self, body: str, written: str, calls: list[Call]) -> str:
        """Add the call that a text between tags is; returns what is content because it is none."""
        read = _read(body)
        if read is None:
            return self._spoken(written)
        name, arguments = read
        if self.restore is not None and "\\u" in body:
            arguments = _restored(arguments, self.restore)
        if not (self.single and self.count):
            text = json.dumps(arguments, ensure_ascii=False)
            calls.append(Call(self.count, name, text, f"chatcmpl-tool-{uuid4().hex}"))
            self.count += 1
        self._behind_call = True
        return ""


def _read(body: str) -> tuple[str, Any] | None:
    """Name and arguments."""
    try:
        found = json.loads(body, parse_constant=no_constant)
        if isinstance(found, dict) and isinstance(found.get("name"), str) and "arguments" in found:
            return found["name"], found["arguments"]
    except (ValueError, RecursionError):
        pass
    return None


def _restored(value: Any, restore: Callable[[str], str]) -> Any:
    """A JSON value with every text in it restored."""
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, dict):
        return {restore(name): _restored(inner, restore) for name, inner in value.items()}
    if isinstance(value, list):
        return [_restored(inner, restore) for inner in value]
    return value
