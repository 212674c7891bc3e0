"""Prompts, answered by both models in batches of the same composition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from unlearned.api import Answer, Unlearned
from unlearned.check.facts import FactQuestion
from unlearned.check.on_topic import on_topic
from unlearned.engines.base import Completion
from unlearned.learn.fluency import is_degenerate
from unlearned.progress import Progress

Kind = Literal["held-out forget", "close retain", "general"]


@dataclass(frozen=True, slots=True)
class ComparedPrompt:
    """One prompt of a comparison."""

    kind: Kind
    prompt: str
    group: str | None = None
    """The concept or scope that it belongs to."""

    question: FactQuestion | None = None
    """The question with its facts, where it is about what is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt, and what both models say."""

    kind: Kind
    concept: str | None
    prompt: str
    original: Answer
    unlearned: Answer
    question: FactQuestion | None = None
    held_back: bool = False
    """The original answer says what the unlearned one may not: a name or a quote of a scope that nobody wrote."""

    @property
    def untouched(self) -> bool:
        """Neither flagged nor held back: the answer must be the original model's."""
        return not self.unlearned.flagged and not self.held_back

    @property
    def identical(self) -> bool:
        return self.original.token_ids == self.unlearned.token_ids

    @property
    def leaked_before(self) -> bool:
        return self.question is not None and self.question.leaked_by(self.original.text)

    @property
    def leaked_after(self) -> bool:
        return self.question is not None and self.question.leaked_by(self.unlearned.text)

    @property
    def on_topic(self) -> bool:
        """Whether the unlearned answer is one, and about what was asked (`unlearned.check.on_topic`)."""
        return not is_looping(self.unlearned) and on_topic(self.prompt, self.unlearned.text)

    def marked(self) -> list[tuple[str, bool]]:
        """The prompt in pieces, each with whether it was found in scope."""
        spans = [(s.start, s.end) for s in self.unlearned.verdict.spans]
        cuts = sorted({0, len(self.prompt), *(cut for span in spans for cut in span)})
        return [(self.prompt[a:b], any(start <= a and b <= end for start, end in spans)) for a, b in pairwise(cuts)]


def compare(
    original: Unlearned,
    unlearned: Unlearned,
    asked: Sequence[ComparedPrompt],
    *,
    max_new_tokens: int,
    batch_size: int,
    report: Progress,
) -> list[Comparison]:
    """Greedy answers of both, in the same batches, so that they can be compared bit for bit."""
    answers: list[list[Answer]] = []
    prompts = [one.prompt for one in asked]
    bans = unlearned.unlearner.bans
    for name, llm in (("original answers", original), ("unlearned answers", unlearned)):
        report(name, 0, len(prompts))
        answers.append(llm.generate(prompts, max_new_tokens=max_new_tokens, do_sample=False, batch_size=batch_size))
        report(name, len(prompts), len(prompts))
    return [
        Comparison(
            one.kind,
            one.group,
            one.prompt,
            before,
            after,
            one.question,
            held_back=bans.unasked(one.prompt, before.text),
        )
        for one, before, after in zip(asked, *answers, strict=True)
    ]


def is_looping(answer: Answer) -> bool:
    """Empty, or a few tokens over and over."""
    return is_degenerate(Completion(answer.text, answer.token_ids))
