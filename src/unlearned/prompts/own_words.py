"""Where a verdict's spans stand in what the user passed: a text, or messages, without the chat template around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unlearned.prompts.segments import as_rendered
from unlearned.types import Message, Prompt, Segment, Span, Verdict


@dataclass(frozen=True, slots=True)
class _Placed:
    """Characters `[start, end)` of the prompt are those of a message from `own` on."""

    start: int
    end: int
    message: int
    own: int


def in_own_words(verdict: Verdict, prompt: Prompt, given: str | Sequence[Message]) -> Verdict:
    """Give the decision with spans in characters of `given`; one that covers several messages becomes one in each.

    Where a template rewrites messages, so that flagged words cannot be found in them, a span is the whole message.

    Args:
        verdict: with spans in characters of `prompt.text`.
        prompt: made of `given`.
        given: a text, or a conversation, of whose messages spans name the place in `Span.message`.
    """
    is_text = isinstance(given, str)
    if not verdict.spans or (is_text and prompt.text == given):
        return verdict
    contents = [given] if isinstance(given, str) else [words_of(message) for message in given]
    placed = _placed(prompt, contents)
    known = {one.message for one in placed}
    whole = [place for place in range(len(contents)) if place not in known] or list(range(len(contents)))
    found: list[tuple[int, Span]] = []
    for span in verdict.spans:
        own = [
            (
                one.message,
                replace(
                    span,
                    start=one.own + max(span.start, one.start) - one.start,
                    end=one.own + min(span.end, one.end) - one.start,
                ),
            )
            for one in placed
            if one.start < span.end and one.end > span.start
        ]
        found += own or [(place, replace(span, start=0, end=len(contents[place]))) for place in whole]
    ordered = dict.fromkeys(
        sorted(found, key=lambda pair: (pair[0], pair[1].start, pair[1].end, pair[1].scope, -pair[1].score))
    )
    spans = tuple(span if is_text else replace(span, message=place) for place, span in ordered)
    return replace(verdict, spans=spans)


def words_of(message: Message) -> str:
    """The content of a message; text parts stand one behind the other."""
    content = message.get("content")
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content or [])


def _placed(prompt: Prompt, contents: Sequence[str]) -> list[_Placed]:
    """Both are in order: a segment is part of the next message that has its words, or holds messages as a whole."""
    found: list[_Placed] = []
    message, cursor = 0, 0
    for segment in prompt.segments:
        words = prompt.text[segment.start : segment.end]
        for place in range(message, len(contents)):
            own = contents[place].find(words, cursor if place == message else 0)
            if own >= 0:
                found.append(_Placed(segment.start, segment.end, place, own))
                message, cursor = place, own + len(words)
                break
        else:
            inside = _inside(segment, words, contents, message + (cursor > 0))
            found += inside
            if inside:
                message, cursor = inside[-1].message, len(contents[inside[-1].message])
    return found


def _inside(segment: Segment, words: str, contents: Sequence[str], first: int) -> list[_Placed]:
    """The messages, from one on, that stand as a whole in a segment."""
    found: list[_Placed] = []
    cursor = 0
    for place in range(first, len(contents)):
        for printed in as_rendered(contents[place]):
            at = words.find(printed, cursor) if printed else -1
            if at >= 0:
                start = segment.start + at
                found.append(_Placed(start, start + len(printed), place, contents[place].find(printed)))
                cursor = at + len(printed)
                break
    return found
