"""Requests -> prompts that the model would read, within its context."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.transformers import embedding_rows
from unlearned.prompts.client import ids_prompt, literal_chat_prompt, prepended_as_letters
from unlearned.prompts.context import context_length
from unlearned.prompts.tokenize import text_prompt
from unlearned.server.refusals import RefusalError, context_exceeded
from unlearned.server.schemas import ChatMessage, Tool
from unlearned.server.scored import Marked, ScoredPrompt, scored
from unlearned.types import Prompt, PromptInput

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from unlearned.substitution.bank import Bank


class Reader:
    """Tokenises for one engine, and tells unlearners what they ask of it; used from any thread."""

    def __init__(self, engine: PerRequestEngine) -> None:
        self._engine = engine
        # Fast tokenizers refuse to be used by two threads at once: encoding has a copy and a lock of its own.
        self.tokenizer: PreTrainedTokenizerBase = copy.deepcopy(engine.tokenizer)
        self.vocabulary = min(embedding_rows(engine.model), len(engine.tokenizer))
        self.context = context_length(engine.model, engine.tokenizer)
        self._lock = threading.Lock()
        self._prints_names = prints_names(self.tokenizer)

    def conversation(self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = ()) -> Prompt:
        self._fits(len(messages))  # each takes a token at least, and the template's loop is slow
        named = next((index for index, message in enumerate(messages) if message.name is not None), None)
        if named is not None and self._prints_names:
            raise RefusalError(
                400,
                f"The field 'messages.{named}.name' is not supported: this model's chat template prints names, "
                "which are not checked. Put the name into the content.",
                param=f"messages.{named}.name",
                code="unsupported_parameter",
            )
        with self._lock:
            said, known = [message.plain() for message in messages], [tool.plain() for tool in tools]
            return self._checked(literal_chat_prompt(self.tokenizer, said, known))

    def given(self, prompt: str | Sequence[int]) -> Prompt:
        """A text, or token ids."""
        if not isinstance(prompt, str):
            self._fits(len(prompt))
        with self._lock:
            if isinstance(prompt, str):
                return self._checked(text_prompt(self.tokenizer, prompt))
            return self._checked(ids_prompt(self.tokenizer, prompt, vocabulary=self.vocabulary))

    def marked(self, prompt: str | Sequence[int], start: int) -> Marked:
        """A text that is scored from its character `start` on, or token ids from that place on.

        Raises:
            RefusalError: 400, there is no context or nothing to score, or it is too long.
        """
        if not 0 < start < len(prompt):
            unit = "characters" if isinstance(prompt, str) else "tokens"
            message = f"{start} is not inside the prompt, which has {len(prompt)} {unit}."
            raise RefusalError(400, message, param="unlearned.scored_from", code="invalid_value")
        context = self.given(prompt[:start])
        with self._lock:
            if isinstance(prompt, str):
                text = prompt[start:]
                ids = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            else:
                whole, ids = ids_prompt(self.tokenizer, prompt, vocabulary=self.vocabulary), tuple(prompt[start:])
                text = whole.text[int(whole.offsets[start, 0]) :]
        self._fits(len(context.token_ids) + len(ids))
        return Marked(context, text, ids)

    def scored(self, marked: Sequence[Marked], contexts: Sequence[PromptInput]) -> list[ScoredPrompt]:
        """Contexts that were checked, with their continuations behind them."""
        with self._lock:
            return [scored(one, given, self.tokenizer) for one, given in zip(marked, contexts, strict=True)]

    @property
    def bank(self) -> Bank:
        """Words of the tokenizer."""
        return self._engine.bank

    def embed(self, token_ids: Sequence[int]) -> Tensor:
        """(T, D) embeddings of T token ids on the CPU."""
        return self._engine.embed(token_ids)

    def prepend(self, prompt: Prompt, words: str) -> Prompt:
        """A prompt of this reader with words in front of the first message of a user."""
        with self._lock:
            return prepended_as_letters(self.tokenizer, prompt, words)

    def check_fits(self, inputs: Sequence[PromptInput]) -> None:
        """Raise `RefusalError` (400) where what stands in front of a prompt makes it too long for the model."""
        for given in inputs:
            if given.answer is None:
                self._fits(len(given.token_ids))

    def room(self, length: int, asked: int | None, default: int) -> int:
        """How many tokens an answer to so many may have; raises `RefusalError` if more are asked for than fit."""
        left = self.context - length if self.context is not None else None
        if asked is None:
            return default if left is None else min(default, left)
        if self.context is not None and left is not None and asked > left:
            raise context_exceeded(length, asked, self.context)
        return asked

    def _checked(self, prompt: Prompt) -> Prompt:
        self._fits(len(prompt.token_ids))
        return prompt

    def _fits(self, tokens: int, asked: int = 0) -> None:
        if self.context is not None and tokens > self.context:
            raise context_exceeded(tokens, asked, self.context)


def prints_names(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template shows the model a message's `name`; also where that cannot be found out."""
    if not getattr(tokenizer, "chat_template", None):
        return False
    name = "qzvxname"
    try:
        shown = [
            str(tokenizer.apply_chat_template([{"role": role, "content": "x", "name": name}], tokenize=False))
            for role in ("user", "assistant", "system")
        ]
    except Exception:  # jinja lets templates raise anything
        return name_in_source(tokenizer)
    return any(name in text for text in shown) or name_in_source(tokenizer)


def name_in_source(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the template's source asks for a message's name at all."""
    source = str(tokenizer.chat_template)
    return any(asked in source for asked in ("message.name", "message['name']", 'message["name"]'))
