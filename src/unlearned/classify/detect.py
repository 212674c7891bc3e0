"""Prompts -> verdicts: is a prompt in a forget scope, and where? The one place where windows meet classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unlearned.classify.base import Floats, Scope
from unlearned.classify.windows import windows
from unlearned.errors import DetectionError
from unlearned.stages import Prompt, Span, Verdict


def detect(prompts: Sequence[Prompt], scopes: Sequence[Scope]) -> list[Verdict]:
    """Classify every window of every message of every prompt, under every scope, in one batch per encoder.

    Args:
        prompts: only `text` and `segments` are read; template text is never classified.
        scopes: the active scopes, in any order; the result does not depend on it.

    Returns:
        One verdict per prompt. Its spans are the smallest flagged windows: a run of clauses is reported only if no
        flagged clause inside it says it more precisely.

    Raises:
        DetectionError: a classifier failed or gave something that is no probability. Nothing may be generated then.
    """
    places = [[w for s in prompt.segments for w in windows(prompt.text, s.start, s.end)] for prompt in prompts]
    texts = [prompt.text[start:end] for prompt, spans in zip(prompts, places, strict=True) for start, end in spans]
    scores = _scores(texts, scopes)  # (S, W)
    verdicts, cursor = [], 0
    for spans in places:
        own = scores[:, cursor : cursor + len(spans)]  # (S, windows of this prompt)
        cursor += len(spans)
        flagged = [
            Span(*spans[w], scope.name, float(own[s, w]))
            for s, scope in enumerate(scopes)
            for w in np.flatnonzero(own[s] >= scope.threshold)
        ]
        verdicts.append(Verdict(tuple(sorted(_smallest(flagged))), float(own.max()) if own.size else 0.0))
    return verdicts


def _scores(texts: list[str], scopes: Sequence[Scope]) -> Floats:
    """(S, N) p(forget | text) of every text under every scope; equal texts are encoded once."""
    distinct = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    order = [distinct[text] for text in texts]
    scores = np.zeros((len(scopes), len(texts)), dtype=np.float32)
    if not texts:
        return scores
    features: dict[int, Floats] = {}
    for row, scope in enumerate(scopes):
        encoder = scope.classifier.encoder
        try:
            if id(encoder) not in features:
                features[id(encoder)] = encoder.encode(list(distinct))
            found = np.asarray(scope.classifier.score(features[id(encoder)]), dtype=np.float32)
        except Exception as error:  # whatever a classifier may raise: nothing unchecked reaches the model
            raise DetectionError(
                f"Detection for the scope {scope.name!r} failed: {error!r}. Nothing was generated."
            ) from error
        if found.shape != (len(distinct),) or not ((found >= 0) & (found <= 1)).all():
            raise DetectionError(
                f"The classifier of the scope {scope.name!r} gave {found.shape} values, not all of them in [0, 1], "
                f"for {len(distinct)} texts. Nothing was generated."
            )
        scores[row] = found[order]
    return scores


def _smallest(spans: list[Span]) -> list[Span]:
    """Drop a span that contains another one of its scope."""
    return [
        outer
        for outer in spans
        if not any(
            inner.scope == outer.scope
            and outer.start <= inner.start
            and inner.end <= outer.end
            and (inner.start, inner.end) != (outer.start, outer.end)
            for inner in spans
        )
    ]
