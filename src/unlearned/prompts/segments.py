"""Whose words are where in a prompt: told by its chat template, else by its special tokens."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

from unlearned.types import CharSpan, Segment

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
"""Roles that carry no words of their own. Many templates print any other role too, so it is checked like content."""

_HEADER = re.compile(rf"\s*({'|'.join(sorted(ROLES))})\s*(?:\n|$)")
_PRIVATE = (range(0xE000, 0xF8FF, 2), range(0xF0000, 0xFFFFD, 2))
"""Characters without a meaning."""


def placeholders(count: int, text: str) -> list[str]:
    """Contents that stand for the messages of a conversation while its template is rendered, to find their places.

    Args:
        count: how many.
        text: the conversation as it is rendered; its characters are avoided.
    """
    taken = set(text)
    for first in chain(*_PRIVATE):
        if taken.isdisjoint((chr(first), chr(first + 1))):
            break
    return [f"{chr(first)}{index}{chr(first + 1)}" for index in range(count)]


def as_rendered(content: str) -> tuple[str, ...]:
    """The ways in which templates print a message's content."""
    return tuple(dict.fromkeys((content, content.strip(), content.lstrip(), content.rstrip())))


def template_parts(outline: str, markers: Sequence[str]) -> list[str] | None:
    """What stands before, between and after the markers; None if they are not there once each, in their order."""
    if not markers or outline.count(markers[0][0]) != len(markers):
        return None
    parts, cursor = [], 0
    for marker in markers:
        place = outline.find(marker, cursor)
        if place < 0:
            return None
        parts.append(outline[cursor:place])
        cursor = place + len(marker)
    return [*parts, outline[cursor:]]


def aligned(text: str, outline: str, markers: Sequence[str], words: Sequence[Sequence[str]]) -> list[CharSpan] | None:
    """Where each message stands in a rendered conversation.

    Args:
        text: the conversation under its template.
        outline: the same with a marker in place of every message.
        markers: as `placeholders` makes them.
        words: per message, how its content may have been printed.

    Returns:
        Per message its place in `text`, or None where text and outline do not fit.
    """
    template = template_parts(outline, markers)
    if template is None or not text.startswith(template[0]):
        return None
    places, cursor = [], len(template[0])
    for variants, after in zip(words, template[1:], strict=True):
        printed = next((v for v in variants if text.startswith(v + after, cursor)), None)
        if printed is None:
            return None
        places.append((cursor, cursor + len(printed)))
        cursor += len(printed) + len(after)
    return places if cursor == len(text) else None


def told_by_special_tokens(text: str, special: Sequence[CharSpan]) -> Iterator[Segment]:
    """What stands between special tokens is somebody's words, but for the name of a role right after such a token.

    Args:
        text: the prompt.
        special: where its special tokens are spelled, in order.
    """
    role = "user"
    for (_, start), (end, _) in pairwise([(0, 0), *special, (len(text), len(text))]):
        header = _HEADER.match(text[start:end]) if start else None
        if header is not None:
            role = header.group(1)
            start += header.end()
        if text[start:end].strip():
            yield Segment(start, end, role)


def without(segments: Iterable[Segment], special: Sequence[CharSpan]) -> Iterator[Segment]:
    """Segments, in order, without the special tokens inside them: who types such a token starts another text."""
    coming = deque(special)
    for segment in segments:
        start = segment.start
        while coming and coming[0][0] < segment.end:
            begin, end = coming[0]
            if end > start:
                if start < begin:
                    yield Segment(start, begin, segment.role)
                start = end
            if end > segment.end:
                break  # it may reach into the next one
            coming.popleft()
        if start < segment.end:
            yield Segment(start, segment.end, segment.role)
