"""Are corrupted answers still language? A corruption can win by making the model say nothing, or nonsense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError
from unlearned.types import PromptInput

LEAST_UNIQUE, FROM_TOKENS = 0.3, 8
"""An answer of at least so many tokens repeats itself if fewer than this share of them are different."""

MOST_PERPLEXITY = 2.0
"""Factor, up or down, of the perplexity of the original model's answers about invented subjects: fluent within it."""

NEUTRAL = "Tell me something."
"""Answers are judged as answers to this: the question itself would make a wrong answer look less like language."""


@dataclass(frozen=True, slots=True)
class Fluency:
    """How fluent some answers are."""

    degenerate: float
    """Share that is empty or repeats itself."""

    log_perplexity: float
    """Mean over the other answers of their mean negative log-probability under the original model; NaN without any."""

    @property
    def perplexity(self) -> float:
        return math.exp(self.log_perplexity)


def is_degenerate(answer: Completion) -> bool:
    """Empty, or a few tokens over and over."""
    ids = answer.token_ids
    return not answer.text.strip() or (len(ids) >= FROM_TOKENS and len(set(ids)) / len(ids) < LEAST_UNIQUE)


def fluency(engine: TransformersEngine, runs: Sequence[Sequence[Completion]], *, batch_size: int = 16) -> list[Fluency]:
    """Judge several sets of answers with the original model, all in one batch."""
    sound = [[answer.text for answer in answers if not is_degenerate(answer)] for answers in runs]
    neutral = PromptInput(engine.tokenize(NEUTRAL).token_ids)
    flat = [text for texts in sound for text in texts]
    scores = engine.log_likelihood([neutral] * len(flat), flat, batch_size=batch_size)
    means = iter([-float(tokens.mean()) for tokens in scores])
    result = []
    for answers, texts in zip(runs, sound, strict=True):
        values = [next(means) for _ in texts]
        share = 1 - len(texts) / len(answers)
        result.append(Fluency(share, float(np.mean(values)) if values else math.nan))
    return result


RECITED, LONG_ENOUGH = 0.15, 8
"""An answer of at least so many tokens is recited if it costs the model at most so many nats a token: it knows every
word that comes. Answers that a model makes up itself cost several times as much."""


def recites(scores: Sequence[npt.NDArray[np.floating[Any]]]) -> bool:
    """Whether a model says the forget set's answers by heart, as after fine-tuning on them for long.

    Such a model is no judge of language: whatever is not the text it was trained on looks to it like nonsense, and the
    guard would choose a corruption too weak to forget.

    Args:
        scores: log-probabilities of the tokens of each answer, after its own prompt.
    """
    costs = [-float(tokens.mean()) for tokens in scores if len(tokens) >= LONG_ENOUGH]
    return bool(costs) and float(np.median(costs)) <= RECITED


@dataclass(frozen=True, slots=True)
class FluencyGuard:
    """The part of the objective that keeps answers fluent."""

    reference: Fluency
    """Fluency of the original model's answers about subjects it cannot know."""

    judged: Sequence[int] | None = None
    """Indices of the answers that are looked at; None = all."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.reference.log_perplexity):
            raise FitError(
                "All answers of the original model about invented subjects are empty or repeat themselves, so there is "
                "nothing to compare fluency with. Use --no-fluency (fluency=False)."
            )

    def penalty(self, found: Fluency) -> float:
        """0 for answers as fluent as the reference allows; 1 if all are degenerate, or a factor of four away from it.

        Answers far below the reference are stock phrases: as likely as can be, and the same to every question.
        """
        excess = 0.0
        if math.isfinite(found.log_perplexity):
            excess = abs(found.log_perplexity - self.reference.log_perplexity) - math.log(MOST_PERPLEXITY)
        return max(0.0, found.degenerate - self.reference.degenerate) + max(0.0, excess) / math.log(MOST_PERPLEXITY)
