"""Words that only make sense together: the messages of a conversation, read over their borders as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unlearned.stages import Prompt, Segment, Span, Verdict

REACH = 80
"""Characters on each side of a border between two messages that are read as one text."""

WORD_REACH = 30
"""The same without a space at the border, for words that were cut in two."""


def joined(prompt: Prompt) -> list[tuple[Prompt, list[int]]]:
    """Further readings of a conversation, each with the place of its characters in `prompt.text`.

    "Who is Hog" in one message and "warts?" in the next name nobody by themselves. What lies far from a border was
    read before, so a reading only holds the words around borders; short messages are in it as a whole.
    """
    if len(prompt.segments) < 2:
        return []
    users = tuple(segment for segment in prompt.segments if segment.role == "user")
    variants = [(prompt.segments, " ", REACH), (prompt.segments, "", WORD_REACH)]
    if 1 < len(users) < len(prompt.segments):
        variants += [(users, " ", REACH), (users, "", WORD_REACH)]
    return [_reading(prompt, *variant) for variant in variants]


def _reading(prompt: Prompt, segments: Sequence[Segment], glue: str, reach: int) -> tuple[Prompt, list[int]]:
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
        if not last:
            text += glue
            places += [segment.end - 1] * len(glue)
    if len(text) > start:
        kept.append(Segment(start, len(text)))
    none = np.zeros(0, dtype=np.bool_)
    return Prompt(text, (), np.zeros((0, 2), dtype=np.int64), none, tuple(kept)), places


def _after(words: str, reach: int) -> int:
    """Where a beginning of about `reach` characters ends, at a word's end."""
    end = words.find(" ", reach)
    return len(words) if end < 0 else end


def _before(words: str, reach: int) -> int:
    """Where an end of about `reach` characters starts, at a word's start."""
    return words.rfind(" ", 0, max(0, len(words) - reach)) + 1


def merged(own: Verdict, others: Sequence[tuple[Verdict, list[int]]]) -> Verdict:
    """One verdict from those of all readings; spans that the prompt's own reading already has are not repeated."""
    spans = list(own.spans)
    for verdict, places in others:
        for span in verdict.spans:
            moved = replace(span, start=places[span.start], end=places[span.end - 1] + 1)
            if span.reason == "content" and not any(_inside(known, moved) for known in spans):
                spans.append(moved)
    score = max([own.score, *(verdict.score for verdict, _ in others)])
    return Verdict(tuple(sorted(spans)), score, own.languages)


def _inside(known: Span, span: Span) -> bool:
    return known.scope == span.scope and span.start <= known.start and known.end <= span.end
