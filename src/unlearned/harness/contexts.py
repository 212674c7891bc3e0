"""The contexts of lm-eval's requests: each is classified and corrupted once, whatever asks about it and how often."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from unlearned.engines.transformers import embedding_rows
from unlearned.errors import PromptError
from unlearned.prompts.client import ids_prompt
from unlearned.prompts.tokenize import chat_prompt, text_prompt
from unlearned.types import Prompt, PromptInput, Segment, Verdict

if TYPE_CHECKING:
    from unlearned.answers.guard import Guard
    from unlearned.api import Unlearned
    from unlearned.benchmarks.verdicts import Verdicts

TOGETHER = 256
"""Contexts that are classified in one go: those of one task share their few-shot examples, which are encoded once."""


class Contexts:
    """Remembers, by the hash of its text, what of a context is corrupted.

    Args:
        llm: the model with its artifacts.
        verdicts: where verdicts are kept on disk; None: nowhere.
    """

    def __init__(self, llm: Unlearned, verdicts: Verdicts | None = None) -> None:
        self.llm, self._verdicts = llm, verdicts if llm.unlearner.scopes else None
        self.classified = 0
        """Contexts that detection has looked at."""
        self._known: dict[bytes, PromptInput | None] = {}
        self._cut: dict[bytes, PromptInput | None] = {}
        self._guards: dict[bytes, Guard] = {}
        self._chats: dict[bytes, list[dict[str, str]]] = {}

    def rendered(self, text: str, history: Sequence[Mapping[str, str]]) -> None:
        """A conversation was rendered to this text: whose words are where is known when it comes back as a context."""
        self._chats[_hash(text)] = [dict(message) for message in history]

    def new(self, texts: Iterable[str]) -> list[str]:
        """Contexts that were not checked yet, each once; in the empty one there is nothing to check."""
        return [text for text in dict.fromkeys(texts) if text and _hash(text) not in self._known]

    def look(self, texts: Iterable[str], on_progress: Callable[[int], object] = lambda _: None) -> None:
        """Classify and corrupt those that are new.

        Args:
            texts: contexts.
            on_progress: called with how many more are done.

        Raises:
            DetectionError: detection failed; nothing may be scored.
        """
        new = self.new(texts)
        for start in range(0, len(new), TOGETHER):
            chunk = new[start : start + TOGETHER]
            prompts = [self._prompt(text) for text in chunk]
            for text, prompt, verdict in zip(chunk, prompts, self._classified(prompts), strict=True):
                prepared = self.llm.unlearner.corrupt(prompt, verdict, self.llm.engine)
                self._known[_hash(text)] = prepared if prepared.corrupted else None
                if prepared.guard is not None:
                    self._guards[_hash(text)] = prepared.guard
            on_progress(len(chunk))

    def flagged(self, text: str) -> bool:
        """Whether some of a context that was looked at is in scope; white space at its end does not count."""
        seen = [key for key in (_hash(text), _hash(text.rstrip())) if key in self._known]
        return any(self._known[key] is not None for key in seen)

    def guard(self, text: str) -> Guard | None:
        """What may not be said in the answer to a context that was looked at."""
        return self._guards.get(_hash(text))

    def placed(self, text: str, token_ids: Sequence[int]) -> PromptInput | None:
        """What is corrupted of a context as the model reads it.

        Args:
            text: a context that was looked at.
            token_ids: (T,) its tokens, without those that were cut off to fit the model.

        Returns:
            An input of exactly these tokens; None where nothing of them is in scope.
        """
        prepared = self._known[_hash(text)] if text else None
        if prepared is None:
            return None
        seen = tuple(token_ids)
        if seen == prepared.token_ids:
            return prepared
        key = _hash(f"{text}\0{seen}")
        if key not in self._cut:  # remembered, so that requests of one context share one input
            self._cut[key] = self._shortened(prepared, seen)
        return self._cut[key]

    def _shortened(self, prepared: PromptInput, seen: tuple[int, ...]) -> PromptInput | None:
        """A flagged context without the tokens that the model does not read."""
        cut = len(prepared.token_ids) - len(seen)  # truncated on the left, or a BOS that the harness leaves out
        if cut < 0 or prepared.token_ids[cut:] != seen or prepared.positions is None or prepared.vectors is None:
            engine = self.llm.engine
            prompt = ids_prompt(engine.tokenizer, seen, vocabulary=embedding_rows(engine.model))
            self.classified += 1
            (again,) = self.llm.unlearner.prepare([prompt], engine)
            return again if again.corrupted else None
        left = prepared.positions >= cut
        if not left.any():
            return None  # the words in scope were cut off: the model does not read them
        return replace(
            prepared,
            token_ids=seen,
            positions=prepared.positions[left] - cut,
            vectors=prepared.vectors[left],
            substitution=prepared.substitution and prepared.substitution.without(cut),
        )

    def _classified(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """Verdicts, with detection only where none is kept."""
        if self._verdicts is None:
            self.classified += len(prompts)
            return self.llm.unlearner.classify(prompts)
        return self._verdicts.classify(self.llm.unlearner, prompts, self._count)

    def _count(self, phase: str, done: int, total: int) -> None:
        self.classified += total if done == total else 0  # the last report of a call is of all that was new to it

    def _prompt(self, text: str) -> Prompt:
        """All of a text is content; of a rendered conversation, its messages."""
        prompt = text_prompt(self.llm.engine.tokenizer, text)
        segments = self._messages(text)
        return prompt if segments is None else replace(prompt, segments=segments)

    def _messages(self, text: str) -> tuple[Segment, ...] | None:
        # A log-likelihood's context comes back without the white space at its end.
        rendered = next((text + end for end in ("", "\n", "\n\n", " ") if _hash(text + end) in self._chats), None)
        if rendered is None:
            return None
        try:
            prompt = chat_prompt(self.llm.engine.tokenizer, self._chats[_hash(rendered)])
        except PromptError:
            return None
        if prompt.text != rendered:  # settings of the template that are the harness's own
            return None
        clipped = [Segment(s.start, min(s.end, len(text)), s.role) for s in prompt.segments if s.start < len(text)]
        return tuple(clipped) or None


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
