"""Prompts cut to fit a model's context, where that was asked for: words go, the template stays whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from unlearned.errors import ContextError
from unlearned.prompts.context import too_long
from unlearned.types import Prompt, Segment, Span, Verdict

Side = Literal["left", "right", "middle"]
"""What is left out: the first words of the conversation, its last ones, or those halfway."""


@dataclass(frozen=True, slots=True, eq=False)
class Truncated:
    """What is left of a prompt, and where it stood."""

    prompt: Prompt
    kept: npt.NDArray[np.int64]
    """Per character of what is left, its place in the whole text; ascending."""

    def inward(self, span: Span) -> Span | None:
        """A span of the whole text in what is left; None where no token of it is."""
        start, end = (int(np.searchsorted(self.kept, place)) for place in (span.start, span.end))
        here = self.prompt.tokens_overlapping(start, end) & self.prompt.content_tokens()
        return replace(span, start=start, end=end) if here.any() else None

    def outward(self, span: Span) -> Span:
        """A span of what is left in the whole text, with what was left out inside it."""
        return replace(span, start=int(self.kept[span.start]), end=int(self.kept[span.end - 1]) + 1)


def truncated(prompt: Prompt, room: int, side: Side, *, answer: int, context: int) -> Truncated:
    """A prompt of at most `room` tokens.

    Args:
        prompt: of more tokens.
        room: how many may stay.
        side: which words go.
        answer: tokens of the answer, and ...
        context: ... of the model's context: for the message.

    Raises:
        ContextError: template and special tokens alone are too many.
    """
    content = np.flatnonzero(prompt.content_tokens())
    surplus = len(prompt.token_ids) - room
    if surplus >= len(content):
        raise ContextError(f"{too_long(len(prompt.token_ids), answer, context)} Nothing would be left of its words.", 0)
    first = {"left": 0, "right": len(content) - surplus, "middle": (len(content) - surplus) // 2}[side]
    gone = np.zeros(len(prompt.token_ids), dtype=np.bool_)
    gone[content[first : first + surplus]] = True
    # A character that is spread over several tokens goes as a whole.
    for token in content[first + surplus :]:
        before = gone & prompt.tokens_overlapping(*prompt.offsets[token].tolist())
        if not before.any():
            break
        gone[token] = True
    for token in content[:first][::-1]:
        if not (gone & prompt.tokens_overlapping(*prompt.offsets[token].tolist())).any():
            break
        gone[token] = True
    stays = np.ones(len(prompt.text), dtype=np.bool_)
    for start, end in prompt.offsets[gone].tolist():
        stays[start:end] = False
    kept = np.flatnonzero(stays)
    offsets = np.searchsorted(kept, prompt.offsets[~gone])
    segments = [
        Segment(start, end, segment.role, segment.quoted)
        for segment in prompt.segments
        for start, end in [np.searchsorted(kept, (segment.start, segment.end)).tolist()]
        if start < end
    ]
    left = Prompt(
        text="".join(prompt.text[place] for place in kept.tolist()),
        token_ids=tuple(token for token, out in zip(prompt.token_ids, gone.tolist(), strict=True) if not out),
        offsets=offsets.astype(np.int64),
        is_special=prompt.is_special[~gone],
        segments=tuple(segments),
        templated=prompt.templated,
    )
    return Truncated(left, kept)


def both(whole: Verdict, left: Verdict, cut: Truncated) -> tuple[Verdict, Verdict]:
    """The verdict on what the model reads, and the same in characters of the whole text.

    What was in scope before stays so; what only came together by the cut is, too.

    Args:
        whole: of the whole prompt.
        left: of what is left of it.
        cut: where that stood.
    """
    inside = [span for own in whole.spans if (span := cut.inward(own)) is not None]
    read = _joined([*inside, *left.spans])
    score = max(whole.score, left.score)
    languages = tuple(sorted({*whole.languages, *left.languages}))
    exempted = tuple(sorted({*whole.exempted_by, *left.exempted_by}))
    outside = _joined([*whole.spans, *(cut.outward(span) for span in left.spans)])
    return Verdict(read, score, languages, exempted), Verdict(outside, score, languages, exempted)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Spans of one scope and reason that meet are one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.scope, one.reason, one.start)):
        last = found[-1] if found else None
        if last is not None and (last.scope, last.reason) == (span.scope, span.reason) and span.start < last.end:
            found[-1] = replace(last, end=max(last.end, span.end), score=max(last.score, span.score))
        else:
            found.append(span)
    return tuple(sorted(found))
