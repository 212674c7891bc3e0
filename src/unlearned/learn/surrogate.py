"""What would a model that never saw the data score? It is not at hand, so it is estimated (`v_hat`)."""

from __future__ import annotations

from collections.abc import Sequence

from unlearned.engines.base import Engine
from unlearned.learn.objective import Example, mean_log_likelihood
from unlearned.stages import Prompt, PromptInput


def unrelated_question_likelihood(engine: Engine, examples: Sequence[Example], unrelated: Sequence[Prompt]) -> float:
    """Mean log-likelihood of the forget answers after questions that have nothing to do with them.

    The original model knows the language and form of such an answer, but this question gives it no reason to say it:
    what remains is what a model without the knowledge would still guess.

    Args:
        engine: runs the original model.
        examples: forget prompts with answers; only the answers are used.
        unrelated: at least one prompt outside the scope; they are dealt out in turn.
    """
    answers = [answer for _, answer in examples]
    prompts = [PromptInput(unrelated[index % len(unrelated)].token_ids) for index in range(len(answers))]
    return mean_log_likelihood(engine, prompts, answers)
