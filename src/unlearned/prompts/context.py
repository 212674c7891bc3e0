"""How much a model can read, and who asks for more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearned.errors import ContextError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def context_length(model: Any, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Tokens that the model can read; None where neither model nor tokenizer tells."""
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if isinstance(value := getattr(config, name, None), int) and value > 0:
            return value
    longest = int(tokenizer.model_max_length)
    return longest if longest < 10**9 else None


def too_long(prompt: int, answer: int, context: int) -> str:
    """What is said of a prompt that does not fit with what was asked for."""
    asked = f", and the answer may have {answer}" if answer else ""
    return f"This model's context is {context} tokens; the prompt has {prompt}{asked}."


def check_context(lengths: Sequence[int], answers: Sequence[int], context: int | None) -> None:
    """Raise `ContextError` for the first prompt that does not fit.

    Args:
        lengths: tokens of N prompts.
        answers: N times, tokens of the answer that were asked for, or of the continuation.
        context: what the model can read; None = not known, so all fit.
    """
    if context is None:
        return
    for index, (length, answer) in enumerate(zip(lengths, answers, strict=True)):
        if length + answer > context:
            raise ContextError(too_long(length, answer, context), index)
