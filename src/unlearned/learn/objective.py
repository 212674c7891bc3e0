"""How far is the corrupted model from one that never saw the data? Called many times: all else is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from unlearned.engines.base import Engine
from unlearned.errors import FitError, UnlearnedError
from unlearned.stages import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ECO, LEARN_IT, ForgetScope

Example = tuple[Prompt, str]
"""A prompt and the answer that gives the knowledge away."""

LEAST_GAP = 0.1  # nats per token; a model that knows no more than this has nothing to forget


def mean_log_likelihood(engine: Engine, inputs: Sequence[PromptInput], answers: Sequence[str]) -> float:
    """Mean over answers of the mean log-probability of their tokens: long and short answers count alike."""
    scores = [tokens.mean() for tokens in engine.log_likelihood(inputs, answers) if len(tokens)]
    if not scores:
        raise FitError("None of the answers has a token, so there is nothing to measure forgetting on.")
    return float(torch.stack(scores).mean())


def remaining_knowledge(
    engine: Engine, scope: ForgetScope, examples: Sequence[Example], *, plain: float, surrogate: float
) -> Callable[[ForgetScope], float]:
    """The objective `d = |m - v_hat|` of arXiv:2406.07933, section 3.3, with m = mean answer log-likelihood.

    It is divided by the same distance of the original model: 1 = remembers everything, 0 = as if never seen. So one
    tolerance fits every scope and model.

    Only the corruption of the scope varies between calls, so verdicts are taken once: each training prompt is in scope
    as a whole, as it would be at inference.

    Args:
        engine: runs the original model.
        scope: only its name is read here.
        examples: forget prompts with their answers.
        plain: the mean log-likelihood of the answers without corruption.
        surrogate: v_hat, the one that a model without the knowledge would give.

    Returns:
        scope (with the corruption to try) -> d.
    """
    prompts = [prompt for prompt, _ in examples]
    answers = [answer for _, answer in examples]
    verdicts = [_whole(prompt, scope.name) for prompt in prompts]

    whole = max(abs(plain - surrogate), LEAST_GAP)

    def distance(candidate: ForgetScope) -> float:
        eco = ECO([candidate])
        inputs = [eco.corrupt(prompt, verdict, engine) for prompt, verdict in zip(prompts, verdicts, strict=True)]
        return abs(mean_log_likelihood(engine, inputs, answers) - surrogate) / whole

    return distance


def _whole(prompt: Prompt, scope: str) -> Verdict:
    user = [segment for segment in prompt.segments if segment.role != "system"] or list(prompt.segments)
    return Verdict(tuple(Span(segment.start, segment.end, scope, 1.0) for segment in user), 1.0)


def with_parameter(scope: ForgetScope, parameter: float) -> ForgetScope:
    """The same scope with its corruption's strength, or its integer `dims`, set to `parameter`."""
    if scope.corruption is None:
        raise UnlearnedError(f"The scope {scope.name!r} has no strength yet. {LEARN_IT}")
    if scope.corruption.strength is not None:
        return replace(scope, corruption=replace(scope.corruption, strength=parameter))
    return replace(scope, corruption=replace(scope.corruption, dims=round(parameter)))
