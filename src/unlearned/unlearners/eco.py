"""Embedding-corrupted prompts (ECO): the one place where classification, selection and corruption meet.

Source: Liu et al. 2024, "Large Language Model Unlearning via Embedding-Corrupted Prompts", arXiv:2406.07933.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.scope import Scope
from unlearned.corrupt.corruption import Corruption, keyed_generator
from unlearned.engines.base import Engine
from unlearned.errors import UnlearnedError
from unlearned.select.positions import select, selectors
from unlearned.stages import Prompt, PromptInput, Verdict

if TYPE_CHECKING:
    from torch import Tensor

LEARN_IT = "Learn it on this model: unlearned fit --detector FOLDER --model MODEL --forget FILE --out FOLDER."


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForgetScope(Scope):
    """One named thing to forget: how to recognise it, and what to do to it."""

    secret: bytes
    """Of the artifact: keys the noise."""

    corruption: Corruption | None = None
    """None: only a detector so far, with which nothing can be generated."""

    selector: str = "spans"
    """Name of a registered token selector."""

    def __post_init__(self) -> None:
        Scope.__post_init__(self)
        selectors.get(self.selector)

    def corrupted(self, token_ids: Sequence[int], vectors: Tensor) -> Tensor:
        """(N, D) embeddings of these N tokens of one span -> (N, D) corrupted ones.

        Keyed by the words and nothing else: the same in every batch, turn, process and engine.
        """
        if self.corruption is None:
            raise UnlearnedError(f"The scope {self.name!r} has no strength yet. {LEARN_IT}")
        return self.corruption.apply(vectors, keyed_generator(self.secret, self.name, token_ids))


class ECO:
    """Embedding-corrupted prompts for a set of forget scopes."""

    def __init__(self, scopes: Sequence[ForgetScope]) -> None:
        # Sorted, so that the order in which artifacts were loaded changes nothing.
        self.scopes = tuple(sorted(scopes, key=lambda scope: scope.name))
        self._by_name = {scope.name: scope for scope in self.scopes}
        if len(self._by_name) < len(self.scopes):
            raise UnlearnedError("Two scopes have the same name. Remove one of the artifacts or rename its scope.")

    def prepare(self, prompts: Sequence[Prompt], engine: Engine) -> list[PromptInput]:
        """prompt -> classify -> select tokens -> corrupt. The engine generates from what this returns."""
        verdicts = self.classify(prompts)
        return [self.corrupt(prompt, verdict, engine) for prompt, verdict in zip(prompts, verdicts, strict=True)]

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """The user's words only: no chat template, no answer tokens. Raises `DetectionError` rather than pass."""
        return detect_in_conversations(prompts, self.scopes)

    def corrupt(self, prompt: Prompt, verdict: Verdict, engine: Engine) -> PromptInput:
        """Corrupt the tokens of a flagged prompt's spans; any other prompt is handed on as it is.

        Raises:
            UnlearnedError: the prompt is in scope but has no token to corrupt.
        """
        if not verdict.in_scope:
            return PromptInput(prompt.token_ids, verdict)  # the plain model's own path, bit for bit
        selected = select(prompt, [(span, self._by_name[span.scope]) for span in verdict.spans])
        if not selected:
            # Fail closed: a flagged prompt that reaches the model untouched is a leak, not a fallback.
            raise UnlearnedError("The prompt is in a forget scope but has no content token. Nothing was generated.")
        embeddings = engine.embed(prompt.token_ids)  # (T, D)
        corrupted = embeddings.clone()
        for span, mask in selected:
            positions = np.flatnonzero(mask)
            words = [prompt.token_ids[position] for position in positions]
            corrupted[positions] = self._by_name[span.scope].corrupted(words, embeddings[positions])
        positions = np.flatnonzero(np.logical_or.reduce([mask for _, mask in selected]))
        return PromptInput(prompt.token_ids, verdict, torch.from_numpy(positions), corrupted[positions])
