"""Requests -> prompts that the model would read, within its context."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearned.engines.given import ids_prompt, literal_chat_prompt
from unlearned.engines.rowwise import RowwiseEngine
from unlearned.engines.tokenize import text_prompt
from unlearned.engines.transformers import embedding_rows
from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import ChatMessage
from unlearned.stages import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Reader:
    """Tokenises for one engine; used from any thread."""

    def __init__(self, engine: RowwiseEngine) -> None:
        # Fast tokenizers refuse to be used by two threads at once: encoding has a copy and a lock of its own.
        self.tokenizer: PreTrainedTokenizerBase = copy.deepcopy(engine.tokenizer)
        self.vocabulary = min(embedding_rows(engine.model), len(engine.tokenizer))
        self.context = context_length(engine.model, engine.tokenizer)
        self._lock = threading.Lock()

    def conversation(self, messages: Sequence[ChatMessage]) -> Prompt:
        self._fits(len(messages))  # each takes a token at least, and the template's loop is slow
        with self._lock:
            return self._checked(literal_chat_prompt(self.tokenizer, [message.plain() for message in messages]))

    def given(self, prompt: str | Sequence[int]) -> Prompt:
        """A text, or token ids."""
        if not isinstance(prompt, str):
            self._fits(len(prompt))
        with self._lock:
            if isinstance(prompt, str):
                return self._checked(text_prompt(self.tokenizer, prompt))
            return self._checked(ids_prompt(self.tokenizer, prompt, vocabulary=self.vocabulary))

    def room(self, prompt: Prompt, asked: int | None, default: int) -> int:
        """How many tokens an answer may have; raises `RefusalError` if more are asked for than fit."""
        left = self.context - len(prompt.token_ids) if self.context is not None else None
        if asked is None:
            return default if left is None else min(default, left)
        if left is not None and asked > left:
            raise _too_long(len(prompt.token_ids), asked, self.context)
        return asked

    def _checked(self, prompt: Prompt) -> Prompt:
        self._fits(len(prompt.token_ids))
        return prompt

    def _fits(self, tokens: int) -> None:
        if self.context is not None and tokens > self.context:
            raise _too_long(tokens, 0, self.context)


def _too_long(prompt: int, answer: int, context: int | None) -> RefusalError:
    return RefusalError(
        400,
        f"This model's context is {context} tokens; the prompt has {prompt} and the answer may have {answer}.",
        param="messages",
        code="context_length_exceeded",
    )


def context_length(model: Any, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Tokens that the model can read; None where neither model nor tokenizer tells."""
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if isinstance(value := getattr(config, name, None), int) and value > 0:
            return value
    longest = int(tokenizer.model_max_length)
    return longest if longest < 10**9 else None
