"""Learn what the prompts of a scope ask about, apart from whom they name: `classify.matters`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from unlearned.classify.base import TextEncoder
from unlearned.classify.matters import Matters
from unlearned.classify.ngrams import squash
from unlearned.classify.products import similarities
from unlearned.classify.reading import normalise
from unlearned.examples import Row, evenly
from unlearned.learn.names import names_in

LEAST_PROMPTS = 20
"""Fewer say too little about what else may be asked."""

MOST_PROMPTS = 1000

LOST = 0.05
"""Share of the prompts, each held against the others, that may resemble none of them."""

PLAINLY = 0.45
"""Cosine that is always enough. Between follow-up questions about authors of TOFU's retain split (0.6 and more) and
remarks about others in the same conversations (0.45 at most)."""

_WORD = re.compile(r"\w+(?:['’]s\b)?")


def matters_of(forget: Sequence[Row], encoder: TextEncoder) -> Matters | None:
    """Forget prompts -> what they ask; None if they are few, or the encoder gives no vectors to compare."""
    texts = [normalise(row.prompt) for row in forget]
    names = {squash(name) for name in names_in(texts)}
    asked = [text for text in dict.fromkeys(_without(text, names) for text in texts) if text]
    if len(asked) < LEAST_PROMPTS:
        return None
    vectors = encoder.encode(evenly(asked, MOST_PROMPTS)).astype(np.float16).astype(np.float32)  # as they are saved
    if vectors.shape[1] < 2:
        return None
    near = similarities(vectors, vectors)
    np.fill_diagonal(near, -1.0)
    return Matters(vectors, min(PLAINLY, float(np.quantile(near.max(axis=1), LOST))))


def _without(text: str, names: set[str]) -> str:
    """The text without these words."""
    kept = _WORD.sub(lambda word: "" if squash(re.sub("['’]s$", "", word.group())) in names else word.group(), text)
    return " ".join(kept.split())
