"""What would a model that never saw the data score? It is not at hand, so it is estimated (`v_hat`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from unlearned.errors import ConfigError
from unlearned.learn.forget_prompts import plain
from unlearned.learn.invented import invented
from unlearned.learn.measures import AnswerMeasure, Doubles, MeasureInputs, choice_prompt
from unlearned.types import PromptInput

DRAWS = 2
"""Sets of invented subjects that are averaged."""

KINDS = ("invented", "unrelated")

Surrogate = str | float
"""One of `KINDS`, or the value itself."""

Texts = Callable[[Sequence[PromptInput]], list[str]]
"""Prompts -> the original model's answers, for measures that read text."""


def checked_surrogate(surrogate: Surrogate) -> Surrogate:
    """The surrogate; a number may be given as text, as on a command line. Raises `ConfigError`."""
    if isinstance(surrogate, str) and surrogate not in KINDS:
        try:
            surrogate = float(surrogate)
        except ValueError as error:
            raise ConfigError(f"surrogate={surrogate!r}: must be {' or '.join(KINDS)}, or a number.") from error
    if not isinstance(surrogate, str) and not np.isfinite(surrogate):
        raise ConfigError(f"surrogate={surrogate}: must be finite.")
    return surrogate


def surrogate_values(
    make: Callable[[MeasureInputs], AnswerMeasure],
    materials: MeasureInputs,
    surrogate: Surrogate,
    unrelated: Sequence[str],
    texts: Texts,
) -> Doubles:
    """(N,) v_hat of one measure for N examples.

    A number, or what the measure itself implies (chance, a typical refusal), is the same for all examples. Otherwise
    the original model is asked what it cannot know, and then scores these very answers:

    - "unrelated" (default): questions that have nothing to do with them. It knows the language of the answer and has no
      reason to give it. The stricter of the two; on a model that was fine-tuned on its forget set it came nearest to
      what the retained model really scores (docs/strength.md).
    - "invented": the same questions about subjects that do not exist. The form of the question still asks for such an
      answer, so a model that learned it by heart can go on from its first words.

    Args:
        make: makes the measure for given rows.
        materials: the forget rows, and what they are measured with.
        surrogate: the kind, or the value.
        unrelated: at least one prompt outside the scope; they are dealt out in turn.
        texts: the original model's answers, for measures that read them.
    """
    count = len(materials.rows)
    measure = make(materials)
    if not isinstance(surrogate, str):
        return np.full(count, float(surrogate))
    if measure.constant is not None:
        return np.full(count, measure.constant)
    engine = materials.engine

    def value(prompts: Sequence[str]) -> Doubles:
        """(N,) after these prompts, which the original model reads as they are."""
        inputs = plain([engine.tokenize(prompt) for prompt in prompts])
        return np.asarray(measure([inputs], [texts(inputs)] if measure.generates else [])[0])

    if surrogate == "unrelated":
        return value([unrelated[index % len(unrelated)] for index in range(count)])
    draws = [[choice_prompt(row) for row in invented(materials.rows, engine.bank, seed=draw)] for draw in range(DRAWS)]
    return np.asarray(np.mean([value(prompts) for prompts in draws], axis=0))
