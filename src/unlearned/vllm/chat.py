"""Whose words are where in a conversation that vLLM rendered: every message, and all else that a client can write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearned.prompts.segments import ROLES, aligned, as_rendered, placeholders, template_parts
from unlearned.types import Segment

Render = Callable[[Sequence[Mapping[str, Any]], bool], str]
"""(messages, bare) -> text. Bare: without tools and whatever else a request adds to its messages."""


@dataclass(frozen=True, slots=True, eq=False)
class Chat:
    """A conversation, and how to render another one in the same way."""

    messages: Sequence[Mapping[str, Any]]
    render: Render

    def split(self, text: str) -> list[Segment] | None:
        """The segments of the rendered `text`, or None where it cannot be aligned with the messages.

        The template is rendered with markers in place of the messages, once as the request wants it and once bare:
        where the two differ, descriptions of tools, calls of them, names or documents stand, which are the client's
        words, too.
        """
        if any(message.get("role") not in ROLES for message in self.messages):
            return None
        markers = placeholders(len(self.messages), text)
        marked = [{**m, "content": mark} for m, mark in zip(self.messages, markers, strict=True)]
        try:
            outline = self.render(marked, False)
            words = [_printed(message.get("content")) for message in self.messages]
            places = aligned(text, outline, markers, words)
        except Exception:  # jinja lets templates raise anything; the marker may break a rule the real message keeps
            return None
        if places is None:
            return None
        segments = [Segment(*place, str(m["role"])) for place, m in zip(places, self.messages, strict=True)]
        gaps = _gaps(places, len(text))
        plain = self._plain(marked, markers)
        segments += [Segment(*gap, "tool") for gap, bare in zip(gaps, plain, strict=True) if text[slice(*gap)] != bare]
        return sorted((segment for segment in segments if segment.start < segment.end), key=lambda part: part.start)

    def _plain(self, marked: Sequence[Mapping[str, Any]], markers: Sequence[str]) -> Sequence[str | None]:
        """What the template alone prints before, between and after the messages."""
        try:
            rest = self.render([{"role": m["role"], "content": m["content"]} for m in marked], True)
        except Exception:
            return [None] * (len(markers) + 1)
        return template_parts(rest, markers) or [None] * (len(markers) + 1)


def _gaps(places: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), length]
    return list(zip(starts, ends, strict=True))


def _printed(content: Any) -> tuple[str, ...]:
    """How vLLM and templates print a content; parts are joined by line breaks, or by the template itself."""
    if isinstance(content, str):
        return as_rendered(content)
    texts = [part if isinstance(part, str) else str(part["text"]) for part in content]
    return tuple(dict.fromkeys((*as_rendered("\n".join(texts)), *as_rendered("".join(texts)))))
