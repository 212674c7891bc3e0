"""Embedding-corrupted prompts (ECO): the one place where classification, selection and corruption meet.

Source: Liu et al. 2024, "Large Language Model Unlearning via Embedding-Corrupted Prompts", arXiv:2406.07933.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearned.classify.base import Features, Floats, Policy, PromptClassifier
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.matters import Matters
from unlearned.classify.reading import normalise
from unlearned.corrupt.corruption import Corruption, keyed_generator
from unlearned.engines.base import Engine
from unlearned.errors import ConfigError, UnlearnedError
from unlearned.select.positions import select, selectors
from unlearned.stages import Prompt, PromptInput, Verdict

if TYPE_CHECKING:
    from torch import Tensor

LEARN_IT = "Learn it on this model: unlearned fit --detector FOLDER --model MODEL --forget FILE --out FOLDER."


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetScope:
    """One named thing to forget: how to recognise it, and what to do to it."""

    name: str
    classifier: PromptClassifier
    threshold: float
    """A window is in scope iff p(forget | window) >= threshold."""

    secret: bytes
    """Of the artifact: keys the noise."""

    corruption: Corruption | None = None
    """None: only a detector so far, with which nothing can be generated."""

    short_penalty: float = 0.0
    """Taken from the log-odds of p(forget | window) where the window is short (`classify.detect.is_short`)."""

    selector: str = "spans"
    """Name of a registered token selector."""

    exemptions: Exemptions | None = None
    """What resembles these about as much as the forget examples is not in scope."""

    matters: Matters | None = None
    """What a question that names nobody must ask to be taken for one about the scope. None = anything: few prompts, or
    an encoder that gives no vectors."""

    other_languages: Policy = "pass"
    """What happens to passages in a language that the classifier's encoder does not read."""

    def __post_init__(self) -> None:
        selectors.get(self.selector)
        if not 0 <= self.threshold <= 1:  # NaN would let everything pass
            raise ConfigError(f"threshold={self.threshold} of the scope {self.name!r}: must lie in 0..1.")
        if not 0 <= self.short_penalty < math.inf:
            raise ConfigError(f"short_penalty={self.short_penalty} of the scope {self.name!r}: must not be negative.")

    def detector_sha256(self) -> str:
        """Of everything that decides a verdict; not of the corruption."""
        settings, arrays = self.classifier.state()
        said = [self.name, self.threshold, self.short_penalty, self.other_languages, settings]
        said += [type(self.classifier).__name__, self.classifier.encoder.name]
        if (exempt := self.exemptions) is not None:
            arrays = arrays | {"exempt": exempt.examples, "exempt from": exempt.forget, "exempt names": exempt.names}
        if self.matters is not None:
            said.append(self.matters.least)
            arrays = arrays | {"matters": self.matters.vectors}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()

    def score(self, texts: Sequence[str]) -> Floats:
        """N texts -> (N,) p(forget | text), each text as a whole."""
        return self.classifier.score(Features.of([normalise(text) for text in texts], self.classifier.encoder))

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
