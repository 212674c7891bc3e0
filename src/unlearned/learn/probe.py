"""The forget prompts as they would reach the model under any corruption: all that does not depend on it, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Engine
from unlearned.errors import UnlearnedError
from unlearned.select.positions import select
from unlearned.stages import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ForgetScope

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The tokens of one span of a prompt that a scope corrupts."""

    token_ids: tuple[int, ...]
    positions: Tensor
    """(K,) int64, ascending."""

    vectors: Tensor
    """(K, D) their plain embeddings."""


class Probe:
    """Training prompts of one scope, each in scope as a whole, as it would be at inference.

    Args:
        engine: looks the embeddings up.
        scope: decides which tokens are selected, and keys the noise; its own corruption is not used.
        prompts: N prompts.
    """

    def __init__(self, engine: Engine, scope: ForgetScope, prompts: Sequence[Prompt]) -> None:
        self.scope = scope
        self.prompts = tuple(prompts)
        self.verdicts = [whole(prompt, scope.name) for prompt in prompts]
        self.selected = [_selected(engine, scope, p, v) for p, v in zip(self.prompts, self.verdicts, strict=True)]

    def inputs(self, corruption: Corruption) -> list[PromptInput]:
        """The N prompts, corrupted; exactly what `ECO.corrupt` makes of them with this corruption."""
        scope = replace(self.scope, corruption=corruption)
        result = []
        for prompt, verdict, spans in zip(self.prompts, self.verdicts, self.selected, strict=True):
            vectors = torch.cat([scope.corrupted(span.token_ids, span.vectors) for span in spans])
            positions = torch.cat([span.positions for span in spans])
            order = positions.argsort()
            result.append(PromptInput(prompt.token_ids, verdict, positions[order], vectors[order]))
        return result


def plain(prompts: Sequence[Prompt]) -> list[PromptInput]:
    """Prompts as the original model reads them."""
    return [PromptInput(prompt.token_ids) for prompt in prompts]


def whole(prompt: Prompt, scope: str) -> Verdict:
    """The verdict that all of a prompt's words, besides a system message, are in this scope."""
    user = [segment for segment in prompt.segments if segment.role != "system"] or list(prompt.segments)
    return Verdict(tuple(Span(segment.start, segment.end, scope, 1.0) for segment in user), 1.0)


def _selected(engine: Engine, scope: ForgetScope, prompt: Prompt, verdict: Verdict) -> list[Selected]:
    chosen = select(prompt, [(span, scope) for span in verdict.spans])
    if not chosen:
        raise UnlearnedError(f"The forget prompt {prompt.text!r} has no token that could be corrupted. Leave it out.")
    embeddings = engine.embed(prompt.token_ids)  # (T, D)
    result = []
    for _, mask in chosen:
        positions = torch.from_numpy(np.flatnonzero(mask))
        words = tuple(prompt.token_ids[position] for position in positions.tolist())
        result.append(Selected(words, positions, embeddings[positions]))
    return result
