"""Which words of a flagged span carry its score? No model of language is asked, only the scope's classifier."""

from __future__ import annotations

import re

import numpy as np

from unlearned.select.positions import Bools, SelectingScope, spans
from unlearned.types import Prompt, Span

SHARE = 0.8
"""Words are taken, heaviest first, until they account for this share of all the weight."""

MOST_WORDS = 64
"""Most words of a span that is searched; of a longer one, all tokens are taken."""


def attribution(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
    """The tokens of the words without which the span would score less (occlusion, one word at a time).

    A span that only counts as a whole, no word of which matters by itself, keeps all its tokens.
    """
    text = prompt.text[span.start : span.end]
    words = [match.span() for match in re.finditer(r"\S+", text)]
    if not 1 < len(words) <= MOST_WORDS:
        return spans(prompt, span, scope)
    scores = scope.score([text, *(text[:start] + text[end:] for start, end in words)]).astype(np.float64)
    odds = np.log(np.clip(scores, 1e-12, 1.0)) - np.log(np.clip(1.0 - scores, 1e-12, 1.0))
    weights = np.maximum(odds[0] - odds[1:], 0.0)  # (W,) how much each word adds
    mask = np.zeros(len(prompt.token_ids), dtype=np.bool_)
    if weights.sum() <= 0:
        return spans(prompt, span, scope)
    order = np.argsort(-weights, kind="stable")
    needed = int(np.searchsorted(np.cumsum(weights[order]), SHARE * weights.sum())) + 1
    for word in order[:needed]:
        start, end = words[word]
        mask |= prompt.tokens_overlapping(span.start + start, span.start + end)
    return mask
