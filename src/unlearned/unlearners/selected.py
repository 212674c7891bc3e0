"""The tokens of a flagged prompt that are corrupted, before any noise: found once, whatever the strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Embedder
from unlearned.errors import UnlearnedError
from unlearned.select.positions import SelectingScope, select
from unlearned.substitution.bank import Bank
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import Substitution
from unlearned.substitution.table import NameTable
from unlearned.types import Prompt, PromptInput, Verdict
from unlearned.unlearners.substituting import Flagged, substitute

if TYPE_CHECKING:
    from torch import Tensor

HEAVY = 4.0
"""Least strength, in standard deviations of the embeddings, on identifying words for which no stranger was found."""


class CorruptingScope(SelectingScope, Protocol):
    """What has to be known of a scope to corrupt its tokens."""

    @property
    def corruption(self) -> Corruption | None: ...

    @property
    def enrolled(self) -> NameTable | None: ...

    def strangers(self, bank: Bank) -> Strangers: ...

    def noise(self, corruption: Corruption, token_ids: Sequence[int], vectors: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The tokens of one span."""

    scope: str
    token_ids: tuple[int, ...]
    """(K,) the prompt's own: they key the noise."""

    positions: Tensor
    """(K,) int64, ascending."""

    vectors: Tensor
    """(K, D) their embeddings; those of the stranger's tokens where one stands."""

    is_stranger: Tensor
    """(K,) bool: read as they are."""

    is_heavy: Tensor
    """(K,) bool: identifying, but without a stranger."""

    def corrupted(self, scope: CorruptingScope, corruption: Corruption) -> Tensor:
        """(K, D) what the model reads."""
        if not corruption.substitutes:
            return scope.noise(corruption, self.token_ids, self.vectors)
        result = self.vectors.clone()
        for chosen, function in (
            (~self.is_stranger & ~self.is_heavy, corruption),
            (self.is_heavy, corruption.at_least(HEAVY)),
        ):
            if chosen.any():
                result[chosen] = scope.noise(function, self.token_ids, self.vectors[chosen])
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """All of one prompt."""

    prompt: Prompt
    verdict: Verdict
    spans: tuple[Selected, ...]
    substitution: Substitution | None = None

    def read(self, scopes: Mapping[str, CorruptingScope], with_corruption: Callable[[str], Corruption]) -> PromptInput:
        """What the model reads under these corruptions.

        Args:
            scopes: by name.
            with_corruption: name of a scope -> its corruption.
        """
        vectors = torch.cat([s.corrupted(scopes[s.scope], with_corruption(s.scope)) for s in self.spans])
        positions = torch.cat([s.positions for s in self.spans])
        order = positions.argsort()
        verdict, unmatched = self.verdict, 0 if self.substitution is None else self.substitution.unmatched
        if unmatched:
            verdict = replace(verdict, unmatched_words=unmatched)
        read = PromptInput(self.prompt.token_ids, verdict, positions[order], vectors[order])
        return replace(read, substitution=self.substitution)

    def hidden(self, answer: str) -> PromptInput:
        """With a fixed answer in place of the model's; where answers are scored, nothing of these tokens is read."""
        positions = torch.cat([s.positions for s in self.spans]).sort().values
        zeros = torch.zeros_like(torch.cat([s.vectors for s in self.spans]))
        return PromptInput(self.prompt.token_ids, self.verdict, positions, zeros, answer=answer)


def selection(
    prompt: Prompt, verdict: Verdict, scopes: Mapping[str, CorruptingScope], embedder: Embedder, *, substitutes: bool
) -> Selection:
    """Select the tokens of a flagged prompt, and find strangers for its words.

    Args:
        prompt: T tokens.
        verdict: with at least one span.
        scopes: by name.
        embedder: looks up embeddings.
        substitutes: whether strangers are wanted, of scopes whose corruption is not decided yet.

    Raises:
        UnlearnedError: no token of the prompt can be corrupted.
    """
    chosen = select(prompt, [(span, scopes[span.scope]) for span in verdict.spans])
    if not chosen:
        # Fail closed: a flagged prompt that reaches the model untouched is a leak, not a fallback.
        raise UnlearnedError("The prompt is in a forget scope but has no content token. Nothing was generated.")
    flagged = []
    for span, mask in chosen:
        scope = scopes[span.scope]
        if substitutes if scope.corruption is None else scope.corruption.substitutes:
            flagged.append(Flagged(span, mask, scope, scope.strangers(embedder.bank)))
    found = None
    if flagged:
        enrolled = [scope.strangers(embedder.bank) for scope in scopes.values() if scope.enrolled is not None]
        found = substitute(prompt, flagged, enrolled, embedder.bank)
    read, heavy = (found.token_ids, found.heavy) if found else ({}, set())
    ids = [read.get(position, token) for position, token in enumerate(prompt.token_ids)]
    embeddings = embedder.embed(ids)  # (T, D)
    spans, covered = [], np.zeros(len(ids), dtype=np.bool_)
    for span, mask in chosen:
        covered |= mask
        spans.append(_selected(span.scope, np.flatnonzero(mask), prompt, embeddings, read, heavy))
    # Words outside the spans: of the assistant, or the rest of a name that a span cuts.
    beyond = [p for p in sorted({*read, *heavy}) if not covered[p]]
    if beyond:
        spans.append(_selected(flagged[0].span.scope, np.array(beyond), prompt, embeddings, read, heavy))
    return Selection(prompt, verdict, tuple(spans), found.substitution if found else None)


def _selected(
    scope: str,
    positions: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    prompt: Prompt,
    embeddings: Tensor,
    read: Mapping[int, int],
    heavy: set[int],
) -> Selected:
    places = positions.tolist()
    return Selected(
        scope,
        tuple(prompt.token_ids[place] for place in places),
        torch.tensor(places),
        embeddings[places],
        torch.tensor([place in read for place in places]),
        torch.tensor([place in heavy for place in places]),
    )
