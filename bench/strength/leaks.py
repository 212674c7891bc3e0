"""Held-out questions, answered before and after, and by a model that cannot know: about invented subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.strength.scopes import BenchScope
from unlearned.demo.concepts import Concept
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.fluency import fluency, is_degenerate
from unlearned.learn.forget_prompts import plain
from unlearned.learn.invented import invented
from unlearned.learn.strength import Learned
from unlearned.progress import Progress
from unlearned.types import PromptInput
from unlearned.unlearners.eco import ECO

ANSWER_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Leaks:
    """What one scope leaks with the strength that was learned for it."""

    scope: str
    questions: int
    original: int
    """Answers of the original model that hold a fact about the scope."""

    unlearned: int
    undetected: int
    """Questions that were not flagged: what leaks there leaks by detection, not by strength."""

    invented: int
    """Answers of the original model to the same questions about invented subjects that hold such a fact."""

    empty: int
    """Unlearned answers to flagged questions without a word."""

    degenerate: int
    """Those, and answers that repeat themselves."""

    perplexity: float
    """Perplexity of the unlearned answers to flagged questions, under the original model."""

    invented_perplexity: float


def measure_leaks(engine: TransformersEngine, scope: BenchScope, learned: Learned, report: Progress) -> Leaks:
    """Ask the demo's held-out questions, of which nothing was fitted."""
    report(f"{scope.name}: leaks", 0, 1)
    questions = Concept(scope.name).held_out
    prompts = [engine.tokenize(question.prompt) for question in questions]
    eco = ECO([learned.scope])
    inputs = eco.prepare(prompts, engine)
    renamed = [row.prompt for row in invented([Row(question.prompt) for question in questions], engine.bank, seed=0)]

    def answers(run: Sequence[PromptInput]) -> list[Completion]:
        return engine.generate(run, max_new_tokens=ANSWER_TOKENS, do_sample=False, batch_size=32)

    original, unlearned = answers(plain(prompts)), answers(inputs)
    unknown = answers(plain([engine.tokenize(prompt) for prompt in renamed]))
    flagged = [answer for answer, prompt in zip(unlearned, inputs, strict=True) if prompt.corrupted]
    fluent, reference = fluency(engine, [flagged, unknown])

    def leaked(given: Sequence[Completion]) -> int:
        return sum(question.leaked_by(answer.text) for question, answer in zip(questions, given, strict=True))

    report(f"{scope.name}: leaks", 1, 1)
    return Leaks(
        scope=scope.name,
        questions=len(questions),
        original=leaked(original),
        unlearned=leaked(unlearned),
        undetected=sum(not prompt.corrupted for prompt in inputs),
        invented=leaked(unknown),
        empty=sum(not answer.text.strip() for answer in flagged),
        degenerate=sum(map(is_degenerate, flagged)),
        perplexity=fluent.perplexity if math.isfinite(fluent.log_perplexity) else math.inf,
        invented_perplexity=reference.perplexity,
    )
