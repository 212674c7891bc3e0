"""Verdict + tokens -> which positions each scope corrupts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unlearned.registry import Registry
from unlearned.types import Prompt, Span

Bools = npt.NDArray[np.bool_]


class SelectingScope(Protocol):
    """What a selector may know of the scope that flagged a span."""

    @property
    def selector(self) -> str:
        """Name of a registered selector."""
        ...

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """N texts -> (N,) p(forget | text)."""
        ...


Selector = Callable[[Prompt, Span, SelectingScope], Bools]
"""(prompt, one flagged span, its scope) -> (T,) bool: the tokens to corrupt, before special tokens are taken out."""


def select(prompt: Prompt, selections: list[tuple[Span, SelectingScope]]) -> list[tuple[Span, Bools]]:
    """Give every span its tokens; a token that several spans claim goes to the strongest.

    Only content tokens are ever selected: no special token, no template. A span of which the selector finds no token
    (none of its words is an entity, say) gets all its content tokens.

    Args:
        prompt: T tokens.
        selections: flagged spans with their scopes, in any order.

    Returns:
        The spans that got tokens, strongest first (ties: by scope name, then start), with (T,) bool masks that do not
        overlap.
    """
    content = prompt.content_tokens()
    taken = np.zeros_like(content)
    result = []
    for span, scope in sorted(selections, key=lambda pair: (-pair[0].score, pair[0].scope, pair[0].start)):
        mask = selectors.get(scope.selector)(prompt, span, scope) & content
        if not mask.any():
            mask = spans(prompt, span, scope) & content
        mask &= ~taken
        taken |= mask
        if mask.any():
            result.append((span, mask))
    return result


def spans(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
    """Every token of the flagged span."""
    return prompt.tokens_overlapping(span.start, span.end)


def all_but_last(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
    """Every content token of the message that holds the span, except its final one.

    Source: ECO's choice outside TOFU, there for prompts of one message. Not the whole conversation: then the selected
    words, and with them the noise, would change from turn to turn.
    """
    message = next((s for s in prompt.segments if s.start <= span.start < s.end), None)
    mask = prompt.content_tokens()
    if message is not None:
        mask &= prompt.tokens_overlapping(message.start, message.end)
    if mask.sum() > 1:
        mask[np.flatnonzero(mask)[-1]] = False
    return mask


selectors: Registry[Selector] = Registry("token selector")
selectors.register("spans", spans)
selectors.register("all_but_last", all_but_last)
selectors.register("entities", "unlearned.select.entities:entities")
selectors.register("attribution", "unlearned.select.attribution:attribution")
