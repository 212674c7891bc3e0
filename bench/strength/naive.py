"""The objective as one would first write it: the baseline of its speed, and an oracle of its value.

Nothing is kept between evaluations: every prompt is classified, tokenised and corrupted anew, runs alone, and gives
logits at all its positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from unlearned.engines.injection import EmbeddingInjection
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.fluency import NEUTRAL, FluencyGuard, is_degenerate
from unlearned.learn.forget_prompts import whole
from unlearned.learn.measures import choice_prompt
from unlearned.types import PromptInput
from unlearned.unlearners.eco import ECO, ForgetScope


@torch.inference_mode()
def answer_log_probability(engine: TransformersEngine, prompt: PromptInput, answer: str) -> float:
    """Mean log-probability of the answer's tokens, from the full logits of this one row."""
    target = engine.tokenizer(answer, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*prompt.token_ids, *target]], device=engine.model.device)
    if prompt.corrupted:
        with EmbeddingInjection(engine.model, ids, [prompt], [0], engine.substitute_id):
            logits = engine.model(input_ids=ids, use_cache=False).logits
    else:
        logits = engine.model(input_ids=ids, use_cache=False).logits
    predicted = logits[0].float().log_softmax(-1)[len(prompt.token_ids) - 1 : -1]
    return float(predicted.gather(1, torch.tensor(target, device=predicted.device)[:, None]).mean())


def naive_objective(
    engine: TransformersEngine,
    scope: ForgetScope,
    rows: Sequence[Row],
    *,
    plain: float,
    surrogate: float,
    guard: FluencyGuard | None = None,
    answered: Sequence[int] = (),
    answer_tokens: int = 24,
) -> float:
    """`|m - v_hat| / |m_0 - v_hat|` with m the mean answer log-likelihood, plus the guard's penalty.

    Args:
        engine: runs the original model.
        scope: with the corruption to judge.
        rows: forget rows with answers; all count as in scope as a whole, whatever the classifier says of them.
        plain: m_0, without corruption.
        surrogate: v_hat.
        guard: None = no penalty.
        answered: indices of the rows that are answered for it.
        answer_tokens: length of these answers.
    """
    eco, values, answers = ECO([scope]), [], []
    for index, row in enumerate(rows):
        prompt = engine.tokenize(choice_prompt(row))
        eco.classify([prompt])
        corrupted = eco.corrupt(prompt, whole(prompt, scope.name), engine)
        values.append(answer_log_probability(engine, corrupted, row.answer or ""))
        if guard is not None and index in answered:
            answers += engine.generate([corrupted], max_new_tokens=answer_tokens, do_sample=False)
    distance = abs(sum(values) / len(values) - surrogate) / abs(plain - surrogate)
    if guard is None:
        return distance
    sound = [answer.text for answer in answers if not is_degenerate(answer)]
    neutral = PromptInput(engine.tokenize(NEUTRAL).token_ids)
    losses = [-answer_log_probability(engine, neutral, text) for text in sound]
    penalty = max(0.0, 1 - len(sound) / len(answers) - guard.reference.degenerate)
    if losses:
        excess = sum(losses) / len(losses) - guard.reference.log_perplexity
        penalty += max(0.0, excess / math.log(2) - 1)
    return distance + penalty
