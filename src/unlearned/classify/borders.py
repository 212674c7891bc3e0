"""Words that only make sense together: the messages of a conversation, read over their borders as well."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from unlearned.classify.detect import detect
from unlearned.classify.scope import Scope
from unlearned.classify.scoring import NEARLY_AS_GOOD, log_odds
from unlearned.types import Prompt, Segment, Span, Verdict

REACH = 80
"""Characters on each side of a border between two messages that are read as one text."""

WORD_REACH = 30
"""Characters around a border without a space, for words that were cut in two."""


def detect_in_conversations(prompts: Sequence[Prompt], scopes: Sequence[Scope]) -> list[Verdict]:
    """`detect`, which reads messages one by one, and once more over their borders; in one batch.

    Raises:
        DetectionError: a classifier failed. Nothing may be generated then.
    """
    readings = [joined(prompt) for prompt in prompts]
    verdicts = detect([*prompts, *(text for own in readings for text, _ in own)], scopes)
    further = iter(verdicts[len(prompts) :])
    return [
        merged(verdict, [(next(further), places) for _, places in own])
        for verdict, own in zip(verdicts, readings, strict=False)
    ]


def joined(prompt: Prompt) -> list[tuple[Prompt, list[int]]]:
    """Further readings of a conversation, each with the place of its characters in `prompt.text`.

    "Who is Hog" in one message and "warts?" in the next name nobody by themselves. What lies far from a border was
    read before, so a reading only holds the words around borders; short messages are in it as a whole.
    """
    if len(prompt.segments) < 2:
        return []
    users = tuple(segment for segment in prompt.segments if segment.role == "user")
    found = []
    for segments in (prompt.segments, users) if 1 < len(users) < len(prompt.segments) else (prompt.segments,):
        found.append(_reading(prompt, segments, REACH, cut=False))
        if any(_cuts_a_word(prompt, *pair) for pair in pairwise(segments)):
            found.append(_reading(prompt, segments, WORD_REACH, cut=True))
    return found


def _cuts_a_word(prompt: Prompt, first: Segment, second: Segment) -> bool:
    """Whether one may end, and the other begin, in the middle of a word."""
    return prompt.text[first.end - 1 : first.end].isalnum() and prompt.text[second.start : second.start + 1].isalnum()


def _reading(prompt: Prompt, segments: Sequence[Segment], reach: int, *, cut: bool) -> tuple[Prompt, list[int]]:
    """The words around the borders; `cut`: without a space where a word may have been cut in two."""
    text, places, kept = "", list[int](), list[Segment]()
    start = 0
    for index, segment in enumerate(segments):
        words, first, last = prompt.text[segment.start : segment.end], index == 0, index == len(segments) - 1
        head = 0 if first else _after(words, reach)
        tail = len(words) if last else _before(words, reach)
        if not first and not last and head >= tail:
            head = tail = len(words)  # short: all of it
        for here, parts in ((segment.start, words[:head]), (segment.start + tail, words[tail:])):
            if here == segment.start + tail and tail > head and len(text) > start:
                kept.append(Segment(start, len(text)))  # the text goes on elsewhere
                start = len(text)
            text += parts
            places += range(here, here + len(parts))
        if not last and not (cut and _cuts_a_word(prompt, segment, segments[index + 1])):
            text += " "
            places.append(segment.end - 1)
    if len(text) > start:
        kept.append(Segment(start, len(text)))
    none = np.zeros(0, dtype=np.bool_)
    return Prompt(text, (), np.zeros((0, 2), dtype=np.int64), none, tuple(kept), owner=prompt.owner), places


def _after(words: str, reach: int) -> int:
    """Where a beginning of about `reach` characters ends, at a word's end."""
    end = words.find(" ", reach)
    return len(words) if end < 0 else end


def _before(words: str, reach: int) -> int:
    """Where an end of about `reach` characters starts, at a word's start."""
    return words.rfind(" ", 0, max(0, len(words) - reach)) + 1


def merged(own: Verdict, others: Sequence[tuple[Verdict, list[int]]]) -> Verdict:
    """One verdict from those of all readings.

    A span over a border counts where no part of it is nearly as certain by itself: what follows a forget question would
    be in scope for being its neighbour, else. It takes the place of what it meets.
    """
    content: dict[str, list[Span]] = {}  # per scope, by start; as none of them is in another one, also by end
    for span in own.spans:
        if span.reason == "content":
            content.setdefault(span.scope, []).append(span)
    for verdict, places in others:
        for span in verdict.spans:
            if span.reason != "content":
                continue
            moved = replace(span, start=places[span.start], end=places[span.end - 1] + 1)
            known = content.setdefault(span.scope, [])
            first = bisect_right(known, moved.start, key=lambda other: other.end)
            last = bisect_left(known, moved.end, key=lambda other: other.start)
            if all(log_odds(moved.score) - log_odds(met.score) > NEARLY_AS_GOOD for met in known[first:last]):
                both = [moved, *known[first:last]]
                start, end = min(one.start for one in both), max(one.end for one in both)
                known[first:last] = [replace(moved, start=start, end=end)]
    spans = [span for known in content.values() for span in known]
    spans += [span for span in own.spans if span.reason != "content"]
    score = max([own.score, *(verdict.score for verdict, _ in others)])
    exempted = {one for verdict in (own, *(verdict for verdict, _ in others)) for one in verdict.exempted_by}
    return Verdict(tuple(sorted(spans)), score, own.languages, tuple(sorted(exempted)))
